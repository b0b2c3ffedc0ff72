"""The wrong gradients of the bug zoo.

    python -m tests.zoo

trains each for an epoch and writes the curves into the notebook. Only feedback alignment is
defined there: the others would show what the right lines are.
"""

import contextlib
import io
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from threadpoolctl import threadpool_limits

import checking
from tools.common import DATA, NOTEBOOK, write_atomically
from tools.notebook import load_definitions, notebook_bytes, read_notebook

LISTS = re.compile(r"(?<=ZOO = \[\n).*?(?=^\])", re.DOTALL | re.MULTILINE)


def with_lower_layers(
    gradient, model, inputs, activations, loss_derivative, has_slope=True, adds=True
):
    """The gradient below the hidden units computed again, with one of two mistakes."""
    S, E = activations.hidden_layer, activations.embedding_layer
    hid_derivative = loss_derivative @ model.params.hid_to_output_weights
    if has_slope:
        hid_derivative *= S * (1 - S)
    rows = (hid_derivative @ model.params.embed_to_hid_weights).reshape(*inputs.shape, -1)
    embedding = np.zeros_like(model.params.word_embedding_weights)
    if adds:
        np.add.at(embedding, inputs, rows)
    else:
        embedding[inputs] += rows
    return replace(
        gradient,
        word_embedding_weights=embedding,
        embed_to_hid_weights=hid_derivative.T @ E,
        hid_bias=hid_derivative.sum(axis=0),
    )


def kinds(notebook):
    """Classes of models by what is wrong with them, in the order of the notebook's letters."""

    class Frozen(notebook.Model):
        def back_propagate(self, *arguments):
            gradient = super().back_propagate(*arguments)
            gradient.word_embedding_weights[:] = 0
            return gradient

    class Unmasked(notebook.Model):
        def indicator_matrix(self, targets):
            self.hidden_words = targets
            return super().indicator_matrix(targets)

        def back_propagate(self, inputs, *others):
            return super().back_propagate(inputs + self.hidden_words, *others)

    class AllPositions(notebook.Model):
        def compute_loss_derivative(self, y, targets, mask):
            return super().compute_loss_derivative(y, targets, np.ones_like(mask))

    class NoSlope(notebook.Model):
        def back_propagate(self, *arguments):
            gradient = super().back_propagate(*arguments)
            return with_lower_layers(gradient, self, *arguments, has_slope=False)

    class Overwritten(notebook.Model):
        def back_propagate(self, *arguments):
            gradient = super().back_propagate(*arguments)
            return with_lower_layers(gradient, self, *arguments, adds=False)

    return {
        "the embedding never changes": Frozen,
        "the backward pass gets the unmasked window": Unmasked,
        "positions that are not masked are not set to 0": AllPositions,
        "none": notebook.Model,
        "a random matrix on the way back": notebook.Feedback,
        "the slope of the sigmoid is forgotten": NoSlope,
        "of a word that occurs twice, one occurrence counts": Overwritten,
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
