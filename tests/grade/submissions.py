"""Makes the submissions of submissions.toml.

Each is the reference notebook, with its outputs, in which somebody else has written the functions.
"""

import copy
import json
import re
import textwrap
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from tools.common import NOTEBOOK
from tools.notebook import cell_of

FULL = {"2.1.3": 6, "2.2.1": 8, "2.2.2": 8, "2.2.3": 8, "2.2.4": 2}
EARNS = {
    "nothing": dict.fromkeys(FULL, 0),
    "all but back_propagate": {"2.2.2": 0, "2.2.3": 2, "2.2.4": 0},
}
GLOVE, DERIVATIVE, BACK = "grad_GLoVe", "compute_loss_derivative", "back_propagate"
SOLUTIONS = {
    GLOVE: """
        def grad_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
            is_symmetric = W_tilde is None
            U, c = (W, b) if is_symmetric else (W_tilde, b_tilde)
            R = W @ U.T + b + c.T - log_co_occurrence
            first, second = 2 * R @ U, 2 * R.T @ W
            b_first, b_second = 2 * R.sum(1, keepdims=True), 2 * R.T.sum(1, keepdims=True)
            if is_symmetric:
                return first + second, None, b_first + b_second, None
            return first, second, b_first, b_second
        """,
    DERIVATIVE: """
        def compute_loss_derivative(self, y, t, m):
            d = (y - t).reshape(m.shape[0], m.shape[1], -1) * m
            return d.reshape(y.shape)

        Model.compute_loss_derivative = compute_loss_derivative
        """,
    BACK: """
        def back_propagate(self, input_batch, activations, loss_derivative):
            params, S = self.params, activations.hidden_layer
            hid_to_output_weights_grad = loss_derivative.T @ S
            output_bias_grad = loss_derivative.sum(axis=0)
            hid = (loss_derivative @ params.hid_to_output_weights) * S * (1 - S)
            embed_to_hid_weights_grad = hid.T @ activations.embedding_layer
            hid_bias_grad = hid.sum(axis=0)
            embed = (hid @ params.embed_to_hid_weights).reshape(*input_batch.shape, -1)
            word_embedding_weights_grad = np.zeros_like(params.word_embedding_weights)
            np.add.at(word_embedding_weights_grad, input_batch, embed)
            return Params(
                word_embedding_weights_grad,
                embed_to_hid_weights_grad,
                hid_bias_grad,
                hid_to_output_weights_grad,
                output_bias_grad,
            )

        Model.back_propagate = back_propagate
        """,
}
SOLUTIONS = {name: textwrap.dedent(source).strip() for name, source in SOLUTIONS.items()}
REFERENCE = nbformat.read(NOTEBOOK, as_version=4)
FIRST_LINE = "is_symmetric = "  # of what grad_GLoVe does


def solved():
    """A new perfect submission."""
    notebook = copy.deepcopy(REFERENCE)
    for name, source in SOLUTIONS.items():
        cell_of(notebook, name).source = source
    return notebook


@dataclass
class Case:
    """A submission of submissions.toml, which says what the fields are."""

    name: str
    marks: dict = field(default_factory=dict)
    earns: str = ""
    says: str = ""
    glove: list = ()
    derivative: list = ()
    back: list = ()
    before: str = ""
    after: str = ""
    attack: str = ""
    edit: str = ""
    is_slow: bool = False

    @property
    def deserved(self):
        return FULL | EARNS.get(self.earns, {}) | self.marks

    def content(self, **names):
        """Bytes of the file. names: what to write for NOTEBOOK and other names in capitals."""
        notebook = solved()
        attack = [[FIRST_LINE, f"{self.attack}\n{FIRST_LINE}"]] if self.attack else []
        for function, changes in (
            (GLOVE, [*self.glove, *attack]),
            (DERIVATIVE, self.derivative),
            (BACK, self.back),
        ):
            cell = cell_of(notebook, function)
            for old, new in changes:
                assert old in cell.source, (self.name, old)
                inside = new if old.startswith("def ") else new.strip("\n").replace("\n", "\n    ")
                cell.source = cell.source.replace(old, inside)
            for name, value in (names | {"MANY_SIGNS": "-" * 3000}).items():
                cell.source = cell.source.replace(name, str(value))
        first = notebook.cells.index(cell_of(notebook, GLOVE))
        for place, code in ((first, self.before), (len(notebook.cells), self.after)):
            if code:
                notebook.cells.insert(place, nbformat.v4.new_code_cell(code))
        made = EDITS[self.edit](notebook) if self.edit else notebook
        return made if isinstance(made, bytes) else json.dumps(made).encode()


# Edits: from a notebook node to one, or to bytes


def without_outputs(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def stubs_with_outputs(notebook):
    for name, source in SOLUTIONS.items():
        head = source.splitlines()[0]
        cell_of(notebook, name).source = f"{head}\n    raise NotImplementedError()"
    return notebook


def as_handed_out(notebook):
    return without_outputs(stubs_with_outputs(notebook))


def bare(notebook):
    """Without anything that an editor may drop, sources as lists of lines."""
    cells = []
    for cell in notebook.cells:
        bare_cell = {"cell_type": cell.cell_type, "source": cell.source.splitlines(True)}
        cells.append(bare_cell | ({"outputs": cell.outputs} if "outputs" in cell else {}))
    return {"nbformat": 4, "nbformat_minor": 2, "cells": cells}


def methods_in_the_class(notebook):
    model = next(c for c in notebook.cells if "\nclass Model:" in f"\n{c.source}")
    for name in (DERIVATIVE, BACK):
        cell = cell_of(notebook, name)
        model.source += "\n\n" + textwrap.indent(cell.source.rpartition("\n\n")[0], "    ")
        notebook.cells.remove(cell)
    return notebook


def split_in_the_function(notebook):
    cell = cell_of(notebook, BACK)
    cell.source, line, tail = cell.source.partition("    hid = ")
    rest = nbformat.v4.new_code_cell(line + tail)
    notebook.cells.insert(notebook.cells.index(cell) + 1, rest)
    return notebook


def moved_to_the_top(notebook):
    moved = [cell_of(notebook, name) for name in SOLUTIONS]
    notebook.cells = moved + [cell for cell in notebook.cells if cell not in moved]
    return notebook


def stubs_below(notebook):
    for name in SOLUTIONS:
        head, _, rest = cell_of(REFERENCE, name).source.partition("    ### BEGIN SOLUTION\n")
        stub = "    # YOUR CODE HERE\n    raise NotImplementedError('not written yet')\n"
        source = head + stub + rest.partition("### END SOLUTION\n")[2]
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    return notebook


def markdown_cell(notebook):
    index = notebook.cells.index(cell_of(notebook, GLOVE))
    notebook.cells[index] = nbformat.v4.new_markdown_cell(SOLUTIONS[GLOVE])
    return notebook


def indented(notebook):
    return with_source(notebook, GLOVE, textwrap.indent(SOLUTIONS[GLOVE], "    "))


def helper_beside_training(notebook):
    helper = "def slope(S):\n    return S * (1 - S)\n\n\n"
    return with_source(notebook, "train", helper + cell_of(notebook, "train").source)


def other_batches(notebook):
    text = "".join(f"hid_to_output_weights[{i}, 0] 1.000000e-03\n" for i in range(500))
    cell = nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("stream", text=text)])
    cell.source = "checking.print_gradients(model, inputs, mask)"
    notebook.cells.insert(0, cell)
    return notebook


def with_source(notebook, name, source):
    cell_of(notebook, name).source = source
    return notebook


def with_output(notebook, name, pattern, new):
    for output in cell_of(notebook, name).outputs:
        output.text, n_changes = re.subn(pattern, new, output.get("text", ""))
    assert n_changes, (name, pattern)  # in the last one
    return notebook


EDITS = {
    "the_reference": lambda n: REFERENCE,
    "deleted": lambda n: with_source(n, BACK, "1"),
    "no_test_figure": lambda n: with_output(n, "train", "final test", "test"),
    "no_learning": lambda n: with_output(n, "train", r"(final test.*: )\d", r"\g<1>9"),
    "other_digits": lambda n: with_output(
        n, "print_gradients", r"(?m)^(hid_bias\[\d+\] -?)\d", r"\g<1>9"
    ),
    "utf_16": lambda n: json.dumps(n).encode("utf-16"),
    "nbformat_3": lambda n: json.dumps(nbformat.convert(n, 3)).encode(),
    # Small as a file, and many times that in memory.
    "large": lambda n: json.dumps(n)[:-1].encode() + b', "x": [' + b"[]," * 25_000_000 + b"1]}",
}
EDITS |= {
    edit.__name__: edit
    for edit in (
        *(without_outputs, stubs_with_outputs, as_handed_out, bare, indented, stubs_below),
        *(methods_in_the_class, split_in_the_function, moved_to_the_top),
        *(markdown_cell, helper_beside_training, other_batches),
    )
}
TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
CASES = [Case(**values) for kind in TABLE.values() for values in kind]
