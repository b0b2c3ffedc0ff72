"""Calls the command lines of our tools, and of nbgrader."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest


def run_tool(tool, *arguments):
    """Call `main` of a module as the shell does, but in this process, which saves the imports.

    Returns its status, its standard output and its standard error.
    """
    output, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.setattr(sys, "argv", [tool.__name__, *map(str, arguments)])
        try:
            tool.main()
            status = 0
        except SystemExit as end:
            status = end.code
    return status, output.getvalue(), errors.getvalue()


def nbgrader(folder, *arguments):
    """Run a command of nbgrader in the folder of a course; it has to succeed."""
    programs = Path(sys.executable).parent  # nbgrader starts others, whatever was activated
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "nbgrader", *arguments]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
