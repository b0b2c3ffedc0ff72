"""Tools around the assignment, a room for each job; `--help` explains each."""
