"""The answer key of a term."""

import argparse
import copy
import pickle

import nbformat
import numpy as np

import checking
from tools.common import PARTIALLY_TRAINED
from tools.notebook import code_cells
from tools.reference import add_key_arguments, answer_key, partially_trained_of, read_key


def test_the_key_is_what_the_notebook_prints(data, saved_notebook):
    (cell,) = [
        cell
        for cell in code_cells(saved_notebook)
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "print_gradients"
    ]
    saved = "".join(output.text for output in cell.outputs).splitlines()
    partially_trained = checking.load_partially_trained(PARTIALLY_TRAINED)
    assert answer_key(data, partially_trained) == saved


def test_each_term_has_a_seed_of_its_own(data, monkeypatch):
    monkeypatch.setattr("tools.reference.partially_train", lambda data, seed, notebook: seed)
    seeds = [partially_trained_of(term, data) for term in ("2026", "2026", "2027", "spring 2026")]
    assert seeds[0] == seeds[1]
    assert len(set(seeds)) == 3


def test_a_term_has_a_key_of_its_own(data):
    term = partially_trained_of("2026", data)
    usual = checking.load_partially_trained(PARTIALLY_TRAINED)
    for name in checking.PARAMETERS:
        assert not np.array_equal(term[name], usual[name])
    first, other = answer_key(data, term), answer_key(data, usual)
    assert len(first) == len(other) >= 20
    values = [[line.split()[-1] for line in key] for key in (first, other)]
    same = {a for a, b in zip(*values) if a == b}
    assert same == {"0.000000e+00"}  # exactly 0 at positions that are not masked


def read(*options):
    parser = argparse.ArgumentParser()
    add_key_arguments(parser)
    return read_key(parser.parse_args(list(map(str, options))))


def test_the_key_and_the_model_are_those_of_the_term_or_of_the_file(data, monkeypatch):
    usual = checking.load_partially_trained(PARTIALLY_TRAINED)
    of_the_term = usual | {name: -usual[name] for name in checking.PARAMETERS}
    monkeypatch.setattr("tools.reference.partially_train", lambda data, seed, notebook: of_the_term)
    assert read() == (answer_key(data, usual), PARTIALLY_TRAINED.read_bytes())
    lines, content = read("--term", "2026")
    assert lines == answer_key(data, of_the_term)
    loaded = pickle.loads(content)
    assert all(np.array_equal(loaded[name], -usual[name]) for name in checking.PARAMETERS)


def test_the_key_is_that_of_the_reference_notebook_that_is_given(saved_notebook, tmp_path):
    other, path = copy.deepcopy(saved_notebook), tmp_path / "other.ipynb"
    (cell,) = [cell for cell in code_cells(other) if "def compute_loss_derivative(" in cell.source]
    cell.source += "\nModel.compute_loss_derivative = lambda model, y, *_: np.zeros_like(y)"
    nbformat.write(other, path)
    lines, _ = read("--notebook", path)
    values = {line.split()[-1] for line in lines if line.startswith("loss_derivative")}
    assert values == {"0.000000e+00"}
