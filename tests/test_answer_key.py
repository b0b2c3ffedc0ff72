"""The answer key of a term."""

import numpy as np

import checking
from tools.answer_key import answer_key, partially_trained_of
from tools.files import PARTIALLY_TRAINED
from tools.notebook import code_cells


def test_the_key_is_what_the_notebook_prints(data, saved_notebook):
    (cell,) = [
        cell
        for cell in code_cells(saved_notebook)
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "print_gradients"
    ]
    saved = "".join(output.text for output in cell.outputs).splitlines()
    partially_trained = checking.load_partially_trained(PARTIALLY_TRAINED)
    assert answer_key(data, partially_trained) == saved


def test_each_term_has_a_key_of_its_own(data):
    first, again, other = (partially_trained_of(term, data) for term in ("2026", "2026", "2027"))
    for name in checking.PARAMETERS:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
    first, other = answer_key(data, first), answer_key(data, other)
    assert len(first) == len(other) >= 20
    values = [[line.split()[-1] for line in key] for key in (first, other)]
    same = {a for a, b in zip(*values) if a == b}
    assert same == {"0.000000e+00"}  # exactly 0 at positions that are not masked
