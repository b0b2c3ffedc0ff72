"""The wrong gradients of the bug zoo.

    python -m tests.zoo

trains each for an epoch and writes the curves into the notebook. Only feedback alignment is
defined there: the others would show what the right lines are.
"""

import contextlib
import io
import re
from types import SimpleNamespace

from threadpoolctl import threadpool_limits

import checking
from tests.right_implementations import Model, replaced
from tools.common import DATA, NOTEBOOK, write_atomically
from tools.notebook import load_definitions, notebook_bytes, read_notebook

LISTS = re.compile(r"(?<=ZOO = \[\n).*?(?=^\])", re.DOTALL | re.MULTILINE)


def changed(notebook, method, old, new):
    """The notebook's Model with a plain implementation of a method that has one mistake."""
    wrong = replaced(getattr(Model, method), old, new)
    return type("Changed", (notebook.Model,), {method: wrong})


def kinds(notebook):
    """Classes of models by what is wrong with them, in the order of the notebook's letters."""

    class Unmasked(notebook.Model):
        def indicator_matrix(self, targets):
            self.hidden_words = targets
            return super().indicator_matrix(targets)

        def back_propagate(self, inputs, *others):
            return super().back_propagate(inputs + self.hidden_words, *others)

    derivative, back = "compute_loss_derivative", "back_propagate"
    add, slope = "np.add.at(word_embedding, i, e)", "slope = S * (1 - S)"
    return {
        "the embedding never changes": changed(notebook, back, add, "pass"),
        "the backward pass gets the unmasked window": Unmasked,
        "positions that are not masked are not set to 0": changed(
            notebook, derivative, "(y - t) * m", "y - t"
        ),
        "none": notebook.Model,
        "a random matrix on the way back": notebook.Feedback,
        "the slope of the sigmoid is forgotten": changed(notebook, back, slope, "slope = 1"),
        "of a word that occurs twice, one occurrence counts": changed(
            notebook, back, add, "word_embedding[i] += e"
        ),
    }


def curve(notebook, kind):
    """The means that a training of one epoch prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        model = notebook.train(16, 128, epochs=1, kind=kind)
    return [round(float(loss), 2) for loss in model.train_losses.values()]


def main():
    definitions = SimpleNamespace(**load_definitions(checking.load_data(DATA)))
    rows = []
    with threadpool_limits(limits=1):
        for bug, kind in kinds(definitions).items():
            losses = curve(definitions, kind)
            rows.append(f"    [{', '.join(f'{loss:.2f}' for loss in losses)}],\n")
            print(losses, bug, flush=True)
    notebook = read_notebook(NOTEBOOK)
    for cell in notebook.cells:
        cell.source = LISTS.sub("".join(rows), cell.source)
    write_atomically(NOTEBOOK, notebook_bytes(notebook))


if __name__ == "__main__":
    main()
