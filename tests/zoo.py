"""The wrong gradients of the bug zoo; `python -m tests.zoo` prints the curves that it shows.

Only feedback alignment is in the notebook: the others would show what the right lines are.
"""

import contextlib
import io
from types import SimpleNamespace

import numpy as np
from threadpoolctl import threadpool_limits

import checking
from tools.common import DATA
from tools.notebook import load_definitions

EVERY = 2  # figures of 100 mini-batches, from one that is shown to the next


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

    return {
        "the embedding never changes": Frozen,
        "the backward pass gets the unmasked window": Unmasked,
        "positions that are not masked are not set to 0": AllPositions,
        "none": notebook.Model,
        "a random matrix on the way back": notebook.Feedback,
    }


def curve(notebook, kind):
    """Every second figure that a training of one epoch prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        model = notebook.train(16, 128, epochs=1, kind=kind)
    return [round(float(loss), 2) for loss in model.train_losses[::EVERY]]


if __name__ == "__main__":
    definitions = SimpleNamespace(**load_definitions(checking.load_data(DATA)))
    with threadpool_limits(limits=1, user_api="blas"):
        for bug, kind in kinds(definitions).items():
            print(curve(definitions, kind), bug)
