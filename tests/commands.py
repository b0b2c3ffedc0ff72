"""Calls the command line of a tool."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

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
