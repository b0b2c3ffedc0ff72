"""How the files of the assignment are made; each module runs as `python -m tools.NAME`."""
