"""How the files of the assignment are made; each module runs as `python -m tools.NAME`."""

import sys

from tools.command_line import show_uncaught

sys.excepthook = show_uncaught  # here, since the modules of a tool take a second to load
