"""The answer key of a term, and the checks that the reference solution has to pass."""

import argparse
import copy
import pickle

import nbformat
import numpy as np
import pytest

import checking
from tools import reference
from tools.common import PARTIALLY_TRAINED
from tools.notebook import NotebookError, cell_of, printed
from tools.reference import add_key_arguments, answer_key, partially_train, read_key, seed_of


@pytest.fixture(scope="module")
def usual():
    return checking.load_partially_trained(PARTIALLY_TRAINED)


def test_the_key_is_what_the_notebook_prints(data, usual, saved_notebook):
    cell = cell_of(saved_notebook, "print_gradients")
    assert answer_key(data, usual) == printed(cell).splitlines()


def test_each_term_has_a_seed_of_its_own():
    seeds = [seed_of(term) for term in ("2026", "2027", "spring 2026", "Spring 2026")]
    assert seeds[0] == seed_of("2026") == 0x158A323A
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_a_term_has_a_model_and_a_key_of_its_own(data, usual):
    term = partially_train(data, n_steps=20, seed=seed_of("2026"))
    for name in checking.PARAMETERS:
        assert not np.array_equal(term[name], usual[name])
    first, other = answer_key(data, term), answer_key(data, usual)
    assert len(first) == len(other) >= 20
    values = [[line.split()[-1] for line in key] for key in (first, other)]
    same = {a for a, b in zip(*values, strict=True) if a == b}
    assert same <= {"0.000000e+00"}  # exactly 0 at positions that are not masked


def read(*options):
    parser = argparse.ArgumentParser()
    add_key_arguments(parser)
    return read_key(parser.parse_args(list(map(str, options))))


def test_the_key_and_the_model_are_those_of_the_term_or_of_the_file(data, usual, monkeypatch):
    seeds, of_the_term = [], usual | {k: 1.01 * usual[k] for k in checking.PARAMETERS}
    monkeypatch.setattr(
        reference, "partially_train", lambda data, seed, path: seeds.append(seed) or of_the_term
    )
    assert read() == (answer_key(data, usual), PARTIALLY_TRAINED.read_bytes())
    lines, content = read("--term", "2026")
    assert lines == answer_key(data, of_the_term) and seeds == [seed_of("2026")]
    loaded = pickle.loads(content)
    assert all(np.array_equal(loaded[k], of_the_term[k]) for k in checking.PARAMETERS)


@pytest.mark.parametrize(
    ("array", "wrong"),
    [
        ("loss_derivative", "Model.compute_loss_derivative = lambda self, y, *_: 0 * y"),
        ("grad_W", "def grad_GLoVe(*arguments):\n    return arguments[:4]"),
    ],
)
def test_a_reference_that_fails_its_own_check_gives_no_key(saved_notebook, tmp_path, array, wrong):
    other, path = copy.deepcopy(saved_notebook), tmp_path / "other.ipynb"
    cell = cell_of(other, "train")
    cell.source, cell.metadata.tags = wrong, []
    nbformat.write(other, path)
    with pytest.raises(NotebookError, match=f"fails its own check: .*{array}"):
        read("--notebook", path)
