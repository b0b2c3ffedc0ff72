"""Submissions of many kinds, with the marks that they deserve.

Each is the reference notebook, with its outputs, in which somebody else has written the functions.
"""

import copy
import json
import re
import textwrap
from dataclasses import dataclass, field

import nbformat

from tools.common import NOTEBOOK
from tools.notebook import grade_id

FULL = {"2.1.3": 6, "2.2.1": 8, "2.2.2": 8, "2.2.3": 8, "2.2.4": 2}
NOTHING = dict.fromkeys(FULL, 0)
GLOVE, DERIVATIVE, BACK = "grad_GLoVe", "compute_loss_derivative", "back_propagate"
NO_GLOVE = {"2.1.3": 0}
NO_DERIVATIVE = {"2.2.1": 0, "2.2.3": 0, "2.2.4": 0}
NO_BACK = {"2.2.2": 0, "2.2.3": 2, "2.2.4": 0}
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


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if grade_id(cell) == name)


def solved():
    """A new perfect submission."""
    notebook = copy.deepcopy(REFERENCE)
    for name, source in SOLUTIONS.items():
        cell_of(notebook, name).source = source
    return notebook


@dataclass
class Case:
    """A submission.

    changes: triples (function, text in its solution, what to write there). before, after: code of
    cells in front of the solutions, and at the end. edit: of the notebook node; it returns the
    node, or bytes for the file. marks: those that are not all. says: in the remarks, an expression.
    """

    name: str
    kind: str
    marks: dict = field(default_factory=dict)
    says: str = ""
    changes: tuple = ()
    before: str = ""
    after: str = ""
    edit: callable = None
    is_slow: bool = False

    @property
    def deserved(self):
        return FULL | self.marks

    def content(self):
        notebook = solved()
        for function, old, new in self.changes:
            cell = cell_of(notebook, function)
            assert old in cell.source, (self.name, old)
            cell.source = cell.source.replace(old, textwrap.dedent(new).strip("\n"))
        first = notebook.cells.index(cell_of(notebook, GLOVE))
        for place, code in ((first, self.before), (len(notebook.cells), self.after)):
            if code:
                cell = nbformat.v4.new_code_cell(textwrap.dedent(code).strip("\n"))
                notebook.cells.insert(place, cell)
        made = self.edit(notebook) if self.edit else notebook
        return made if isinstance(made, bytes) else json.dumps(made).encode()


# Edits


def without_outputs(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def as_handed_out(notebook):
    for name in SOLUTIONS:
        head = SOLUTIONS[name].splitlines()[0]
        cell_of(notebook, name).source = f"{head}\n    raise NotImplementedError()"
    return without_outputs(notebook)


def stubs_with_outputs(notebook):
    outputs = copy.deepcopy(notebook.cells)
    as_handed_out(notebook)
    for cell, old in zip(notebook.cells, outputs):
        cell.update({"outputs": old.outputs} if cell.cell_type == "code" else {})
    return notebook


def without_ids(notebook):
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


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
    head, line, tail = cell.source.partition("    hid = ")
    cell.source = head
    rest = nbformat.v4.new_code_cell(line + tail)
    notebook.cells.insert(notebook.cells.index(cell) + 1, rest)
    return notebook


def moved_to_the_top(notebook):
    moved = [cell_of(notebook, name) for name in SOLUTIONS]
    notebook.cells = moved + [cell for cell in notebook.cells if cell not in moved]
    return notebook


def indented(notebook):
    cell = cell_of(notebook, GLOVE)
    cell.source = textwrap.indent(cell.source, "    ")
    return notebook


def an_empty_copy_below(notebook):
    cell = cell_of(notebook, GLOVE)
    empty = copy.deepcopy(cell)
    empty.source = cell.source.splitlines()[0] + "\n    raise NotImplementedError()"
    notebook.cells.insert(notebook.cells.index(cell) + 1, empty)
    return notebook


def markdown_cell(notebook):
    index = notebook.cells.index(cell_of(notebook, GLOVE))
    notebook.cells[index] = nbformat.v4.new_markdown_cell(SOLUTIONS[GLOVE])
    return notebook


def replaced_output(name, old, new):
    """An edit of what the cell with a name printed."""

    def edit(notebook):
        outputs = [o for o in cell_of(notebook, name).outputs if old in o.get("text", "")]
        assert outputs, (name, old)
        outputs[-1].text = outputs[-1].text.replace(old, new, 1)
        return notebook

    return edit


def edited(name, source):
    """An edit that writes a cell."""

    def edit(notebook):
        cell_of(notebook, name).source = textwrap.dedent(source).strip("\n")
        return notebook

    return edit


def other_digits(notebook):
    """The entries of hid_bias are printed as another version has computed them."""
    for output in cell_of(notebook, "print_gradients").outputs:
        output.text = re.sub(r"(?m)^(hid_bias\[\d+\] -?)\d", r"\g<1>9", output.text)
    return notebook


def large(notebook):
    """Small as a file, and many times that in memory."""
    return json.dumps(notebook)[:-1].encode() + b', "x": [' + b"[]," * 25_000_000 + b"1]}"


# The table

RIGHT = [
    Case("a perfect one", "right"),
    Case("the reference itself", "right", edit=lambda n: copy.deepcopy(REFERENCE)),
    Case(
        "V and N as numbers",
        "right",
        says=r"sizes of this assignment only",
        changes=[
            (DERIVATIVE, "m.shape[0], m.shape[1], -1)", "-1, 4, 251)"),
            (BACK, "*input_batch.shape, -1)", "-1, 4, 16)"),
        ],
    ),
    Case(
        "sizes from the partially trained model",
        "right",
        before="vocab_size, _ = partially_trained_model().params.word_embedding_weights.shape",
        changes=[(DERIVATIVE, "m.shape[0], m.shape[1], -1)", "len(y), -1, vocab_size)")],
    ),
    Case(
        "left-over asserts",
        "right",
        changes=[
            (DERIVATIVE, "return d", "assert V == 251 and d.shape[1:] == (4, 251)\n    return d"),
            (GLOVE, "if is_symmetric:\n", "assert W.shape[0] == V\n    if is_symmetric:\n"),
        ],
    ),
    Case(
        "by setattr",
        "right",
        changes=[
            (DERIVATIVE, "Model.compute_loss_derivative = compute_loss_derivative", ""),
            (DERIVATIVE, "def compute_loss_derivative", "def mine"),
            (BACK, "Model.back_propagate = back_propagate", ""),
            (BACK, "def back_propagate", "def my_own"),
        ],
        after="""
        for name, function in [("compute_loss_derivative", mine), ("back_propagate", my_own)]:
            setattr(Model, name, function)
        """,
    ),
    Case(
        "values kept in Activations and Model of one's own",
        "right",
        before="""
        @dataclass
        class Activations(Activations):
            slope: np.ndarray = None

        class Model(Model):
            def __init__(self, params, vocab):
                super().__init__(params, vocab)
                self.n_words = len(vocab)

            def compute_activations(self, inputs):
                a = super().compute_activations(inputs)
                S = a.hidden_layer
                return Activations(a.embedding_layer, S, a.output_layer, S * (1 - S))
        """,
        changes=[
            (BACK, "* S * (1 - S)", "* activations.slope"),
            (DERIVATIVE, "m.shape[1], -1)", "m.shape[1], self.n_words)"),
        ],
    ),
    Case("methods inside the class", "right", edit=methods_in_the_class),
    Case(
        "helpers and tables in other cells",
        "right",
        before="""
        from functools import reduce
        from math import *
        TABLE = {}
        TABLE["one"] = 1.0
        TABLE.update(two=2.0)
        if __name__ == "__main__":
            def same(a): return a * TABLE["one"] * exp(0) * TABLE["two"] / 2
        """,
        changes=[(DERIVATIVE, "(y - t)", "same(y - t)")],
    ),
    Case(
        "a lambda",
        "right",
        edit=edited(
            DERIVATIVE,
            "Model.compute_loss_derivative = lambda self, y, t, m: ("
            "(y - t).reshape(*m.shape[:2], -1) * m).reshape(y.shape)",
        ),
    ),
    Case(
        "a wrapper at the end",
        "right",
        after="def timed(f):\n    return lambda *a: f(*a)\n\ngrad_GLoVe = timed(grad_GLoVe)",
    ),
    Case(
        "a sigmoid of one's own",
        "right",
        before="def sigmoid(a, is_slope=False):\n"
        "    return a * (1 - a) if is_slope else 1 / (1 + np.exp(-a))",
        changes=[(BACK, "* S * (1 - S)", "* sigmoid(S, is_slope=True)")],
    ),
    Case(
        "float32",
        "right",
        changes=[(GLOVE, "return first, second", "return first.astype(np.float32), second")],
    ),
    Case(
        "magics, scratch and endless cells",
        "right",
        before="W = 1\nfor hidden_layer in iter(int, 1):\n    W = hidden_layer",
        changes=[(GLOVE, "def grad", "%%time\n!ls\ndef grad")],
        after="%timeit 1 + 1\nwhile True:\n    grad_GLoVe(1, 2)",
    ),
    Case(
        "loops over windows and words",
        "right",
        says=r"back_propagate loops in line 3 of cell back_propagate: output_bias_grad = np.array",
        changes=[
            (
                BACK,
                "output_bias_grad = loss_derivative.sum(axis=0)",
                "output_bias_grad = np.array([sum(column) for column in loss_derivative.T])",
            ),
            (BACK, "hid_to_output_weights_grad = loss_derivative.T @ S\n    ", ""),
            (
                BACK,
                "embed_to_hid",
                "hid_to_output_weights_grad = loss_derivative.T @ S\n    embed_to_hid",
            ),
        ],
    ),
    Case(
        "the loss inside the gradient",
        "right",
        says=r"grad_GLoVe calls loss_GLoVe in line 5 of cell grad_GLoVe",
        changes=[
            (
                GLOVE,
                "first, second = ",
                "loss_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)\n    first, second = ",
            )
        ],
    ),
]
RIGHT[-2].changes = RIGHT[-2].changes[:1]
RIGHT[-2].says = "loops in line 4 of cell back_propagate: output_bias_grad = np.array"
HALF_DONE = [
    Case("as it was handed out", "half done", NOTHING, "is not written yet", edit=as_handed_out),
    Case(
        "two of five gradients",
        "half done",
        {"2.2.2": 4, "2.2.3": 4, "2.2.4": 2},
        r"2.2.2: back_propagate: is not written yet",
        changes=[(BACK, "hid = (", "raise NotImplementedError\n    hid = (")],
    ),
    Case(
        "written but never run",
        "half done",
        {"2.2.3": 0, "2.2.4": 0},
        "no output of print_gradients",
        edit=without_outputs,
    ),
    Case(
        "an interrupted training",
        "half done",
        {"2.2.4": 1},
        "the training was interrupted",
        edit=replaced_output(
            "train", "final training", "Interrupted after 9 of 10\nfinal training"
        ),
    ),
    Case(
        "no test figure",
        "half done",
        {"2.2.4": 0},
        "not printed: test",
        edit=replaced_output("train", "final test", "test"),
    ),
]
WRONG = [
    Case(
        "a sign slip in 2.2.1",
        "wrong",
        {"2.2.1": 4, "2.2.3": 4},
        r"factor: -1 times",
        changes=[(DERIVATIVE, "y - t", "t - y")],
    ),
    Case(
        "without the mask",
        "wrong",
        {"2.2.1": 6, "2.2.3": 0},
        "not 0",
        changes=[(DERIVATIVE, "* m", "")],
    ),
    Case(
        "no target",
        "wrong",
        NO_DERIVATIVE,
        r"\d+ of \d+ values are wrong",
        changes=[(DERIVATIVE, "y - t", "y")],
    ),
    Case(
        "the factor 2 of GLoVe",
        "wrong",
        {"2.1.3": 3},
        r"0.5 times the right values, that is 1/2",
        changes=[(GLOVE, "2 * ", "")],
    ),
    Case(
        "one role in the symmetric model",
        "wrong",
        {"2.1.3": 4},
        "symmetric model",
        changes=[(GLOVE, "first + second, None, b_first + b_second", "first, None, b_first")],
    ),
    Case(
        "a mean for a sum",
        "wrong",
        {"2.2.2": 7, "2.2.3": 7.5},
        r"that is 1 / \(B\)",
        changes=[(BACK, "loss_derivative.sum(axis=0)", "loss_derivative.mean(axis=0)")],
    ),
    Case(
        "no slope of the sigmoid",
        "wrong",
        {"2.2.2": 4, "2.2.3": 4},
        "values are wrong",
        changes=[(BACK, "* S * (1 - S)", "")],
    ),
    Case(
        "a wrong shape",
        "wrong",
        {"2.1.3": 5},
        r"shape \(251,\) in place of \(251, 1\)",
        changes=[(GLOVE, "second, b_first,", "second, b_first[:, 0],")],
    ),
    Case(
        "NaN",
        "wrong",
        {"2.1.3": 5},
        "NaN",
        changes=[(GLOVE, "return first, ", "return np.nan * first, ")],
    ),
    Case(
        "zeros",
        "wrong",
        {"2.2.1": 0, "2.2.3": 0, "2.2.4": 0},
        "all values are 0",
        changes=[(DERIVATIVE, "(y - t)", "0 * y")],
    ),
    Case(
        "an argument changed in place",
        "wrong",
        {"2.2.1": 7},
        "it changes argument 2",
        changes=[(DERIVATIVE, "d = (y - t)", "y -= t\n    d = y")],
    ),
    Case(
        "an error in one line",
        "wrong",
        NO_BACK,
        r"ValueError: .* in cell back_propagate, line 3: hid_to_output_weights_grad = ",
        changes=[(BACK, "loss_derivative.T @ S", "loss_derivative @ S")],
    ),
    Case(
        "a missing package",
        "wrong",
        {"2.1.3": 0},
        "ModuleNotFoundError: No module named 'torsh' in ",
        before="import torsh",
        changes=[(GLOVE, "is_symmetric = ", "torsh.no_grad()\n    is_symmetric = ")],
    ),
    Case(
        "memory that is not initialised",
        "wrong",
        {"2.2.2": 6, "2.2.3": 7},
        "hid_bias",
        changes=[(BACK, "hid_bias_grad = ", "hid_bias_grad = np.empty(S.shape[1]) + ")],
    ),
    Case(
        "right by chance",
        "wrong",
        NO_GLOVE,
        changes=[
            (
                GLOVE,
                "first, second = ",
                "R = R * (round(np.random.rand(), 2) == 0.55)\n    first, second = ",
            )
        ],
    ),
    Case(
        "one derivative by small steps",  # right for small arrays, and never done for these
        "wrong",
        NO_BACK,
        "used more than 5 s of computing time",
        changes=[
            (
                BACK,
                "hid_to_output_weights_grad = loss_derivative.T @ S",
                """
                hid_to_output_weights_grad = np.zeros_like(params.hid_to_output_weights)
                    for index in np.ndindex(hid_to_output_weights_grad.shape):
                        moved = params.hid_to_output_weights.astype(complex)
                        moved[index] += 1e-20j
                        z = S @ moved.T
                        hid_to_output_weights_grad[index] = np.sum(loss_derivative * z).imag / 1e-20
                """,
            )
        ],
        is_slow=True,
    ),
    Case(
        "printed gradients of somebody else",
        "wrong",
        NOTHING | {"2.2.3": 0},
        r"2.2.3: loss_derivative: 12 of 12 printed entries are right; computed: no result",
        edit=stubs_with_outputs,
    ),
    Case(
        "an old output",
        "wrong",
        {},
        r"2.2.3: hid_bias: 0 of 4 printed entries are right; computed: right",
        edit=other_digits,
    ),
    Case(
        "figures of a network that did not learn",
        "wrong",
        {"2.2.4": 1},
        "4.900 is above 4.18",
        edit=replaced_output(
            "train", "final test       cross-entropy: ", "final test cross-entropy: 4.900 "
        ),
    ),
]
BROKEN = [
    Case("an empty file", "broken", NOTHING, "the file is empty", edit=lambda n: b" \n"),
    Case(
        "half a file",
        "broken",
        NOTHING,
        "no Jupyter notebook",
        edit=lambda n: json.dumps(n)[:10_000].encode(),
    ),
    Case(
        "a picture",
        "broken",
        NOTHING,
        "no Jupyter notebook",
        edit=lambda n: b"\x89PNG\r\n\x1a\n" + bytes(100),
    ),
    Case(
        "a thousand brackets",
        "broken",
        NOTHING,
        "no Jupyter notebook",
        edit=lambda n: b"[" * 100_000,
    ),
    Case(
        "cells that are numbers",
        "broken",
        NOTHING,
        "no Jupyter notebook",
        edit=lambda n: b'{"cells": [1, 2], "nbformat": 4}',
    ),
    Case("a file in UTF-16", "broken", edit=lambda n: json.dumps(n).encode("utf-16")),
    Case("a byte order mark", "broken", edit=lambda n: b"\xef\xbb\xbf" + json.dumps(n).encode()),
    Case("nbformat 3", "broken", edit=lambda n: json.dumps(nbformat.convert(n, 3)).encode()),
    Case("lost ids", "broken", edit=without_ids),
    Case("nothing but cells", "broken", edit=bare),
    Case(
        "a syntax error",
        "broken",
        {"2.1.3": 0},
        r"2.1.3: grad_GLoVe: SyntaxError: '\(' was never closed \(cell grad_GLoVe, line 6\)",
        changes=[(GLOVE, "2 * R.T.sum(1, keepdims=True)", "2 * R.T.sum(1")],
    ),
    Case(
        "a deleted cell",
        "broken",
        NO_BACK,
        "back_propagate: is not defined",
        edit=edited(BACK, "1"),
    ),
    Case(
        "a cell turned into text",
        "broken",
        {"2.1.3": 0},
        "grad_GLoVe: is not defined",
        edit=markdown_cell,
    ),
    Case("a cell split inside the function", "broken", edit=split_in_the_function),
    Case("cells moved to the top", "broken", edit=moved_to_the_top),
    Case("an indented cell", "broken", edit=indented),
    Case("an empty copy of the function", "broken", edit=an_empty_copy_below),
    Case(
        "a later version that is wrong",
        "broken",
        {"2.1.3": 3},
        after=SOLUTIONS[GLOVE].replace("2 * R", "R"),
    ),
    Case(
        "signs without end",
        "broken",
        {"2.1.3": 0},
        "RecursionError|MemoryError|SyntaxError",
        changes=[(GLOVE, "is_symmetric = ", "x = " + "-" * 3000 + "1\n    is_symmetric = ")],
    ),
    Case("75 MB that take more memory", "broken", NOTHING, "MemoryError", edit=large, is_slow=True),
]
RIGHT_RETURN = SOLUTIONS[GLOVE].partition("\n")[2]


def attack(name, code, says="", is_slow=False, marks=None):
    """A submission that does something before it returns the right gradient: if it still can."""
    marks = NO_GLOVE if marks is None else marks
    body = textwrap.indent(textwrap.dedent(code).strip(), "    ")
    change = (
        GLOVE,
        "    is_symmetric = W_tilde is None\n",
        f"{body}\n    is_symmetric = W_tilde is None\n",
    )
    made = Case(name, "hostile", marks, says, [], is_slow=is_slow)
    made.edit = edited(GLOVE, SOLUTIONS[GLOVE].replace(change[1], change[2]))
    return made


HOSTILE = [
    attack("an endless loop", "while True: pass", "used more than 5 s of computing time"),
    attack(
        "an endless loop that catches everything",
        """
        import signal
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True:
            try:
                while True: pass
            except BaseException: pass
        """,
        "did not end within 15 s",
        is_slow=True,
    ),
    attack("a sleep", "import time; time.sleep(1e6)", "did not end within 15 s", is_slow=True),
    attack("os._exit", "import os; os._exit(0)", r"ended the Python process \(exit code 0\)"),
    attack("sys.exit", "import sys; sys.exit()", "SystemExit"),
    attack(
        "kill the parent",
        "import os, signal\nsignal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
    ),
    attack("kill everything", "import os; os.kill(-1, 9); os.kill(0, 9)"),
    attack(
        "a new process",
        "import os\nif os.fork() == 0: os._exit(0)",
        "BlockingIOError|PermissionError",
    ),
    attack(
        "a thread",
        "import threading\nthreading.Thread(target=print).start()",
        "can't start new thread",
    ),
    attack(
        "root again",
        "import os; os.setuid(0); os.seteuid(0)\nassert open('/etc/shadow').read()",
        "Error",
    ),
    attack(
        "the network", "import socket; socket.create_connection(('127.0.0.1', PORT), 2)", "Error"
    ),
    attack(
        "the reference notebook",
        f"assert 'SOLUTION' in open({str(NOTEBOOK)!r}).read()",
        "FileNotFoundError|PermissionError",
    ),
    attack(
        "other submissions",
        "import glob\nopen(glob.glob('FOLDER/*')[0]).read()",
        "IndexError|PermissionError",
    ),
    attack(
        "changed submissions",
        "open('FOLDER/hw1_code_s000.ipynb', 'w').write('x')",
        "FileNotFoundError|PermissionError",
    ),
    attack(
        "a file beside the program",
        "open('/sandbox/tools/grade/inside.py', 'a').write('x')",
        "Error",
    ),
    attack(
        "files without end",
        "import os\nfor n in range(10): open(f'/tmp/{n}', 'w').write('x' * 10**6)\nfor n in range(10): open(f'/dev/shm/{n}', 'w').write('x' * 10**6)",
        "Error",
    ),
    attack(
        "memory without end",
        "x = []\nwhile True: x.append(np.ones(10**6))",
        "MemoryError|used more",
    ),
    attack(
        "shared memory",
        "from multiprocessing.shared_memory import SharedMemory\nSharedMemory(create=True, size=10**10)",
        "Error",
    ),
    attack("a crash", "import ctypes; ctypes.string_at(0)", "crashed|SIGSEGV"),
    attack(
        "output without end",
        "import os\nwhile True:\n    for fd in range(3, 9):\n        try: os.write(fd, b'x' * 10**6)\n        except OSError: pass",
        "wrote",
    ),
    attack(
        "forged frames",
        """
        import os
        for text in (b'{"bytes": -1}', b'{"bytes": 8, "array": [0, "grad_W"], "dtype": "O", "shape": [1]}',
                     b'{"bytes": 0, "array": [0, {}], "shape": [Infinity], "dtype": "<f8"}',
                     b'{"bytes": 0, "read": true}', b'{"bytes": 0, "begin": []}', b'[' * 5000,
                     b'{"bytes": 0, "problem": [], "error": {"a": 1}, "changed": 8}', b'\\xff'):
            for fd in range(3, 9):
                try: os.write(fd, text + b'\\n')
                except OSError: pass
        os._exit(0)
        """,
    ),
    attack(
        "NumPy overwritten",
        "np.allclose = np.array_equal = lambda *a, **k: True\nnp.abs = np.max = lambda *a, **k: 0\nreturn (np.zeros((1, 1)),) * 4",
        r"shape \(1, 1\)",
    ),
    attack(
        "results from the frames above",
        "import sys\nframe, found = sys._getframe(), {}\nwhile frame:\n    found.update(frame.f_locals); frame = frame.f_back\nreturn found['right']",
        "KeyError",
    ),
    attack("closed channels", "import os; os.closerange(0, 100)"),
]
CASES = [*RIGHT, *HALF_DONE, *WRONG, *BROKEN, *HOSTILE]
