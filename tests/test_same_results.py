"""The same results with any number of threads, in any kind of run, with old and new packages."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from results_probe import WINDOWS, results

from tools.common import ROOT
from tools.notebook import EXPERIMENT, code_cells, execute

STUDENT_FILES = ["checking.py", "data_files.py", "data.pk", "partially_trained.pk"]
TOLERANCE = 0.02  # of a cross-entropy in nats; rounding errors grow in training
FEW = f"""
for split, n in {WINDOWS}.items():
    data[f"{{split}}_inputs"] = data[f"{{split}}_inputs"][:n]
trained_model = train(16, 128, TrainingConfig(epochs=2))
"""  # in place of the experiments of the notebook


@pytest.fixture(scope="module")
def here(data):
    """The results in this process."""
    return results(data)


@pytest.fixture(scope="module")
def saved_gradients(saved_notebook):
    """The lines of `print_gradients` in the notebook as it is saved."""
    return printed_gradients(saved_notebook)


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def printed_gradients(notebook):
    (cell,) = [cell for cell in code_cells(notebook) if cell.id == "print-gradients"]
    return printed(cell).splitlines()


def run(command, folder, **environment):
    """Standard output of a command that has to succeed."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def run_probe(python, n_threads):
    """The two results of a Python interpreter in which BLAS has n_threads."""
    threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], str(n_threads))
    return json.loads(run([python, "-m", "tests.results_probe"], ROOT, **threads))


def assert_same(found, expected):
    assert found["gradients"] == expected["gradients"]
    assert np.allclose(
        found["cross_entropies"], expected["cross_entropies"], rtol=0, atol=TOLERANCE
    )
    assert np.isclose(found["GLoVe"], expected["GLoVe"], rtol=1e-6)


def test_gradients_are_printed_digit_for_digit_as_they_are_saved(here, saved_gradients):
    assert here["gradients"] == saved_gradients
    assert len(saved_gradients) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads_and_repetition_change_nothing(here, n_threads):
    first, second = run_probe(sys.executable, n_threads)
    assert first["threads"] == min(n_threads, os.cpu_count())
    assert_same(first, here)
    if n_threads == 1:
        assert first == second
    assert_same(second, first)


def reduced(saved_notebook):
    """The notebook with a short training run in place of all that takes long."""
    notebook = copy.deepcopy(saved_notebook)
    notebook.cells = [
        cell for cell in notebook.cells if EXPERIMENT not in cell.metadata.get("tags", [])
    ]
    # What comes after this cell is about the experiments.
    (last,) = [i for i, cell in enumerate(notebook.cells) if "def train(" in cell.source]
    notebook.cells[last + 1 :] = [nbformat.v4.new_code_cell(FEW)]
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    return notebook


def with_nbconvert(path):
    command = "-m jupyter nbconvert --to notebook --execute --inplace".split()
    run([sys.executable, *command, path.name], path.parent)


def with_jupyter_execute(path):
    run([sys.executable, *"-m jupyter execute --inplace".split(), path.name], path.parent)


def with_our_tools(path):
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, path.parent)
    nbformat.write(notebook, path)


@pytest.mark.slow
@pytest.mark.parametrize("way", [with_nbconvert, with_jupyter_execute, with_our_tools])
def test_every_way_to_run_the_notebook_prints_the_same(
    saved_notebook, saved_gradients, here, tmp_path, way
):
    for name in STUDENT_FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    path = tmp_path / "hw1_code.ipynb"
    nbformat.write(reduced(saved_notebook), path)
    way(path)
    executed = nbformat.read(path, as_version=4)
    assert printed_gradients(executed) == saved_gradients
    finals = re.findall(r"final \w+ +cross-entropy: ([\d.]+)", printed(executed.cells[-1]))
    assert np.allclose(
        np.array(finals, float), here["cross_entropies"][-3:], rtol=0, atol=TOLERANCE
    )


UNREACHABLE = re.compile(r"Retrying|Temporary failure|ConnectionError")


@pytest.fixture(scope="module")
def python_with_lowest_versions(tmp_path_factory):
    """An interpreter with the lowest versions of everything that requirements.txt allows."""
    folder = tmp_path_factory.mktemp("lowest")
    pinned = folder / "requirements.txt"
    pinned.write_text((ROOT / "requirements.txt").read_text().replace(">=", "=="))
    run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = "-m pip install --quiet --only-binary :all: --retries 1 --timeout 20 -r".split()
    done = subprocess.run([python, *command, pinned], capture_output=True, text=True)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr[-2000:]
    return python


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="NumPy 2.0 is not built for this Python")
def test_lowest_versions_give_the_same(here, python_with_lowest_versions):
    lowest = run_probe(python_with_lowest_versions, n_threads=1)[0]
    assert lowest["NumPy"].startswith("2.0.")
    assert_same(lowest, here)
