"""The tools of the staff, a room for each job; each runs as `python -m tools.ROOM`."""
