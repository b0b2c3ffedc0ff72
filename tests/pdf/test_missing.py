"""What a notebook lacks before it is handed in."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell

from tests.pdf.notebooks import GRADIENTS, NAME, display, stream
from tools.notebook import NOTEBOOK, code_cells, grade_id, printed, read_notebook
from tools.pdf.missing import PLOT, misses


@pytest.fixture(scope="module")
def reference():
    return read_notebook(NOTEBOOK)


@pytest.fixture
def submitted(reference):
    return copy.deepcopy(reference)


def cell_named(notebook, name):
    return next(cell for cell in notebook.cells if grade_id(cell) == name)


def test_nothing_is_missing_in_the_reference_notebook(reference):
    assert misses(reference, NAME) == []


def run_again(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count += 40


def none_run(notebook):
    for cell in notebook.cells:
        cell.pop("execution_count", None)


def not_run(notebook):
    cell_named(notebook, "train").execution_count = None


def add_error(notebook):
    error = {"output_type": "error", "ename": "KeyError", "evalue": "1", "traceback": []}
    cell_named(notebook, "grad_GLoVe").outputs.append(nbformat.from_dict(error))


def leave_open(notebook):
    cell_named(notebook, "back_propagate").source = "def f():\n    raise NotImplementedError()"


def clear_gradients(notebook):
    cell_named(notebook, "print_gradients").outputs = []


def lose_a_tensor(notebook):
    cell = cell_named(notebook, "print_gradients")
    cell.outputs = [stream(printed(cell).replace("hid_bias[", "bias["))]


def few_gradients(notebook):
    cell_named(notebook, "print_gradients").outputs = [stream(GRADIENTS[:200])]


def clear_training(notebook):
    cell_named(notebook, "train").outputs = []


def clear_plot(notebook):
    cell = next(cell for cell in reversed(code_cells(notebook)) if PLOT.search(cell.source))
    cell.outputs = [display(text_plain="<Figure size 640x480>")]


def lose_plot(notebook):
    cell = next(cell for cell in reversed(code_cells(notebook)) if PLOT.search(cell.source))
    cell.source, cell.outputs = "pass", []


@pytest.mark.parametrize(
    "change, message",
    [
        (not_run, ") not run: restart the kernel"),
        (none_run, "no cell has been run"),
        (run_again, "not run from top to bottom in one go"),
        (add_error, "(def grad_GLoVe(W, W_tilde, b, b_tilde...) stopped with KeyError"),
        (leave_open, "] (def f():) still raises NotImplementedError"),
        (clear_gradients, "output of print_gradients (not check_gradients) is missing"),
        (lose_a_tensor, "is not complete (hid_bias)"),
        (few_gradients, "is not complete"),
        (clear_training, "three final cross-entropies of 2.2.4 are missing"),
        (clear_plot, "does not show its plot: restart the kernel"),
        (lose_plot, "no cell calls plot_2d_GLoVe_representation()"),
    ],
)
def test_each_miss_is_found_with_its_remedy(submitted, reference, change, message):
    change(submitted)
    (miss,) = misses(submitted, NAME, reference)
    assert message in miss and ": " in miss


def write_into_the_question(cells, place):
    question = next(cell for cell in reversed(cells[:place]) if cell.source.startswith("#"))
    question.source += "\n\nBecause $V^2$."
    del cells[place]


def write_below(cells, place):
    cells[place : place + 1] = [new_markdown_cell("### My answer\n\nBecause $V^2$.")]


def write_nothing(cells, place):
    cells[place].source = "YOUR ANSWER HERE\n"


def drop(cells, place):
    del cells[place]


@pytest.mark.parametrize("number", ["2.1.1", "2.3"])
@pytest.mark.parametrize(
    "change, is_answered",
    [(write_into_the_question, True), (write_below, True), (write_nothing, False), (drop, False)],
)
def test_an_answer_is_told_from_what_was_handed_out(
    submitted, reference, number, change, is_answered
):
    names = [grade_id(cell) for cell in submitted.cells]
    change(submitted.cells, names.index("q" + number.replace(".", "_")))
    found = [miss.partition(":")[0] for miss in misses(submitted, NAME, reference)]
    assert found == ([] if is_answered else [f"question {number} has no answer"])


@pytest.mark.parametrize(
    "name", ["hw1_code.ipynb", "hw1_code_.ipynb", "hw1_code_YOUR_UNI.ipynb", "hw1_code_uni.ipynb",
             "hw1_code_<uni>.ipynb", "hw1_code_abc1234 (1).ipynb", "hw2.ipynb"]
)  # fmt: skip
def test_names_of_the_file_that_are_refused(reference, name):
    (miss,) = misses(reference, name, reference)
    assert name in miss
