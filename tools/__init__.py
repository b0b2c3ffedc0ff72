"""How the files of the assignment are made; each module runs as `python -m tools.NAME`."""

from tools.command_line import expect_ctrl_c

expect_ctrl_c()
