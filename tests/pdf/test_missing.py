"""What a notebook lacks before it is handed in."""

import copy

import nbformat
import pytest

from tests.pdf.notebooks import NAME, display, stream
from tools.notebook import cell_of, code_cells, printed
from tools.pdf.missing import PLOT, TENSORS, misses


@pytest.fixture
def submitted(saved_notebook):
    return copy.deepcopy(saved_notebook)


def test_nothing_is_missing_in_the_reference_notebook(saved_notebook):
    assert misses(saved_notebook, NAME, saved_notebook) == []


def change(name=None, source=None, outputs=None, **fields):
    """A change of the cell with a name, or of all code cells."""

    def apply(notebook):
        for cell in code_cells(notebook) if name is None else [cell_of(notebook, name)]:
            cell.update(fields)
            cell.source = cell.source if source is None else source
            cell.outputs = cell.outputs if outputs is None else outputs

    return apply


def run_again(notebook):
    for cell in code_cells(notebook):
        cell.execution_count += 40


def lose_a_tensor(notebook):
    cell = cell_of(notebook, "print_gradients")
    cell.outputs = [stream(printed(cell).replace("hid_bias[", "bias["))]


def change_last_plot(**fields):
    def apply(notebook):
        cell = next(cell for cell in reversed(code_cells(notebook)) if PLOT.search(cell.source))
        cell.update(fields)

    return apply


ERROR = {"output_type": "error", "ename": "KeyError", "evalue": "1", "traceback": []}
STUB = "def f():\n    raise NotImplementedError()"
FEW = "\n".join(f"{tensor}[0] 1.000000e+00" for tensor in TENSORS)
NO_PLOT = [display(text_plain="<Figure size 640x480>")]


@pytest.mark.parametrize(
    "change, message",
    [
        (change("train", execution_count=None), ") not run: restart the kernel"),
        (change(execution_count=None), "no cell has been run"),
        (run_again, "not run from top to bottom in one go"),
        (
            change("grad_GLoVe", outputs=[nbformat.from_dict(ERROR)]),
            "(def grad_GLoVe(W, W_tilde, b, b_tilde...) stopped with KeyError",
        ),
        (change("back_propagate", STUB), "] (def f():) still raises NotImplementedError"),
        (
            change("print_gradients", outputs=[]),
            "output of print_gradients (not check_gradients) is missing",
        ),
        (lose_a_tensor, "is not complete (hid_bias)"),
        (change("print_gradients", outputs=[stream(FEW)]), "is not complete (some lines)"),
        (change("train", outputs=[]), "three final cross-entropies of 2.2.4 are missing"),
        (change_last_plot(outputs=NO_PLOT), "does not show its plot: restart the kernel"),
        (change_last_plot(source="pass"), "no cell calls plot_2d_GLoVe_representation()"),
    ],
)
def test_each_miss_is_found_with_its_remedy(submitted, saved_notebook, change, message):
    change(submitted)
    (miss,) = misses(submitted, NAME, saved_notebook)
    assert message in miss and ": " in miss


@pytest.mark.parametrize("source", ["YOUR ANSWER HERE\n", "", "Because $V^2$."])
def test_an_answer_is_told_from_what_was_handed_out(submitted, saved_notebook, source):
    cell_of(submitted, "q2_3").source = source
    found = [miss.partition(":")[0] for miss in misses(submitted, NAME, saved_notebook)]
    assert found == ([] if "Because" in source else ["question 2.3 has no answer"])


@pytest.mark.parametrize("uni", ["", "_", "_YOUR_UNI", "_uni", "_<uni>", "_abc1234 (1)"])
def test_names_of_the_file_that_are_refused(saved_notebook, uni):
    (miss,) = misses(saved_notebook, f"hw1_code{uni}.ipynb", saved_notebook)
    assert f"hw1_code{uni}.ipynb" in miss
