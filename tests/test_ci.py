"""The script that runs all checks."""

import os
import subprocess

import pytest

from tools.common import ROOT

PROGRAMS = ("python3", "pip", "ruff", "python")
STEPS = ("ruff check", "ruff format", "python -m pytest")


@pytest.mark.parametrize("failing", [None, *STEPS])
def test_it_fails_if_one_of_its_steps_does(failing, tmp_path):
    for name in PROGRAMS:
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\ncase "{name} $*" in "{failing}"*) exit 1 ;; esac\n')
        program.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = subprocess.run([ROOT / ".ci" / "run"], env=environment, capture_output=True)
    assert run.returncode == (0 if failing is None else 1)
