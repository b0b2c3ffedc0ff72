"""Submissions of many kinds, with the marks that they deserve.

`SUBMISSIONS` holds them: perfect, half done, wrong in known ways, broken and hostile. Each is made
from the reference notebook, which is a perfect submission, by editing it as a student would.
"""

import copy
import inspect
import json
import re
import textwrap
from dataclasses import dataclass

import nbformat
import right_implementations

from tools.common import NOTEBOOK

PERFECT = {"2.1.3": 6, "2.2.1": 8, "2.2.2": 8, "2.2.3": 8, "2.2.4": 2}
LAST_LINE = "return grad_W, grad_W_tilde, grad_b, grad_b_tilde"  # of grad_GLoVe
NOTHING = dict.fromkeys(PERFECT, 0)
SUBMISSIONS = []

EVERYTHING_LOST = dict.fromkeys(["q213", "q221", "q222", "q223", "q224"], 0)
NOT_GLOVE = {"2.1.3": 0}
NOT_DERIVATIVE = {"2.2.1": 0, "2.2.3": 0}  # all printed gradients follow from the derivative
NOT_BACK = {"2.2.2": 0, "2.2.3": 2}


# On a busy machine a process waits long for its computing time, so that one of the two is ample.
LOOPS = {"cpu_seconds": 2, "wall_seconds": 60}
SLEEPS = {"cpu_seconds": 20, "wall_seconds": 5}


@dataclass
class Case:
    """A submission. make: from the notebook node to what is in the file (a node, str or bytes)."""

    name: str
    make: callable
    marks: dict
    says: str = ""  # a regular expression found in the remarks
    kind: str = ""
    limits: dict = None  # of `sandbox.Limits`, for what is stopped by them

    def content(self):
        made = self.make(reference())
        if isinstance(made, nbformat.NotebookNode):
            made = nbformat.writes(made)
        return made if isinstance(made, bytes) else made.encode()


def reference():
    return nbformat.read(NOTEBOOK, as_version=4)


def case(kind, says="", limits=None, **marks):
    """Decorator: the function edits the notebook; marks that are not named are all earned.

    A question is written q213 for 2.1.3.
    """

    def register(make):
        earned = PERFECT | {".".join(key[1:]): value for key, value in marks.items()}
        name = make.__name__.replace("_", " ")
        SUBMISSIONS.append(Case(name, make, earned, says, kind, limits))
        return make

    return register


def cell_of(notebook, grade_id):
    found = (
        c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )
    return next(found)


def replace(notebook, grade_id, old, new, count=1):
    """Replace a piece of the reference solution, which has to be there."""
    cell = cell_of(notebook, grade_id)
    assert cell.source.count(old) == count, (grade_id, old)
    cell.source = cell.source.replace(old, new)
    return notebook


def with_body(notebook, grade_id, body):
    """Replace the whole solution by other lines."""
    cell = cell_of(notebook, grade_id)
    head, rest = cell.source.split("    ### BEGIN SOLUTION\n")
    tail = rest.split("    ### END SOLUTION")[1]
    cell.source = head + textwrap.indent(textwrap.dedent(body).strip("\n") + "\n", "    ") + tail
    return notebook


def with_function(notebook, function, name):
    """Use an implementation from the tests of the checker as the solution."""
    source = textwrap.dedent(inspect.getsource(function))
    cell_of(notebook, name).source = source.replace(f"{function.__name__}(", f"{name}(")
    helper = inspect.getsource(right_implementations.finished)
    notebook.cells.insert(3, nbformat.v4.new_code_cell(helper))
    return notebook


# Perfect, in the styles of others

LOOPING = {
    "glove_in_loops",
    "glove_row_by_row",
    "derivative_in_loops",
    "back_in_loops",
    "back_by_bincount",  # over the dimensions
    "back_by_words",
    "back_by_einsum",  # but for the embeddings
}
NEEDS_OTHER_CODE = {  # they call methods of the tests' own model
    "derivative_in_a_buffer",
    "back_window_by_window",
    "back_with_own_activations",
    "back_of_other_memory_order",
    "back_that_relies_on_the_mask",
}
STYLES = {
    "grad_GLoVe": ("2.1.3", right_implementations.GLOVE),
    "compute_loss_derivative": ("2.2.1", right_implementations.LOSS_DERIVATIVE),
    "back_propagate": ("2.2.2", right_implementations.BACK_PROPAGATE),
}


def add_styles():
    for name, (number, functions) in STYLES.items():
        for function in functions:
            if function.__name__ in NEEDS_OTHER_CODE:
                continue
            loops = function.__name__ in LOOPING
            marks = PERFECT | ({number: 0.75 * PERFECT[number]} if loops else {})

            def make(notebook, function=function, name=name):
                return with_function(notebook, function, name)

            says = "it loops over" if loops else ""
            label = f"style: {function.__name__}".replace("_", " ")
            SUBMISSIONS.append(Case(label, make, marks, says, "right"))


@case("right")
def the_reference(notebook):
    return notebook


add_styles()


@case("right")
def methods_inside_the_class(notebook):
    cells = [cell_of(notebook, name) for name in ("compute_loss_derivative", "back_propagate")]
    methods = [re.sub(r"\nModel\.\w+ = \w+\s*$", "", cell.source) for cell in cells]
    model = next(c for c in notebook.cells if "\nclass Model:" in "\n" + c.source)
    model.source += "\n\n" + "\n".join(textwrap.indent(method, "    ") for method in methods)
    notebook.cells = [cell for cell in notebook.cells if cell not in cells]
    return notebook


@case("right")
def a_helper_in_a_cell_of_its_own(notebook):
    with_body(
        notebook,
        "compute_loss_derivative",
        "return masked(output_activations, expanded_target_batch, target_mask)",
    )
    helper = """
    from functools import reduce
    SIGN = -1
    def masked(y, t, m):
        return SIGN * (m * (t - y).reshape(*m.shape[:2], -1)).reshape(y.shape)
    """
    notebook.cells.insert(3, nbformat.v4.new_code_cell(textwrap.dedent(helper)))
    return notebook


@case("right")
def sizes_from_the_globals_of_the_notebook(notebook):
    body = """
    d = (output_activations - expanded_target_batch).reshape(-1, N, V) * target_mask
    return d.reshape(-1, N * V)
    """
    return with_body(notebook, "compute_loss_derivative", body)


@case("right")
def a_function_by_assignment(notebook):
    cell_of(notebook, "compute_loss_derivative").source = (
        "compute_loss_derivative = lambda self, y, t, m: ((y - t).reshape(len(y), m.shape[1], -1)"
        " * m).reshape(y.shape)\nModel.compute_loss_derivative = compute_loss_derivative"
    )
    return notebook


@case("right")
def computed_in_float32(notebook):
    new = "return grad_W.astype(np.float32), grad_W_tilde, grad_b, grad_b_tilde"
    return replace(notebook, "grad_GLoVe", LAST_LINE, new)


# Half done


def stub(notebook, *names):
    for name in names:
        with_body(notebook, name, 'raise NotImplementedError("not yet")')
    return notebook


def without_outputs(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


@case(
    "half done",
    "still raises NotImplementedError",
    **EVERYTHING_LOST,
)
def as_it_was_handed_out(notebook):
    from tools.release.students_zip import student_version

    return student_version(notebook)


@case("half done", q221=0, q222=0, q223=0, q224=0)
def the_first_function_only(notebook):
    return without_outputs(stub(notebook, "compute_loss_derivative", "back_propagate"))


@case("half done", q223=0, q224=0)
def written_but_never_run(notebook):
    return without_outputs(notebook)


@case("half done", "all values are 0", q222=6, q223=7)
def one_parameter_left_at_zero(notebook):
    return replace(
        notebook,
        "back_propagate",
        "embed_to_hid_weights_grad = hid_derivative.T @ activations.embedding_layer",
        "embed_to_hid_weights_grad = np.zeros_like(params.embed_to_hid_weights)",
    )


@case("half done", "not printed: test", q224=0)
def the_final_test_figure_is_missing(notebook):
    output = cell_of(notebook, "train").outputs[-1]
    output.text = output.text[: output.text.index("final test")]
    return notebook


# Wrong in known ways


@case("wrong", "0.5 times the right values", q213=0)
def the_factor_2_forgotten(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    cell.source = cell.source.replace("2 * (R", "(R")
    return notebook


@case("wrong", "65 of 65 values are wrong", q213=4)
def one_role_only_in_the_symmetric_model(notebook):
    both = "return grad_W + grad_W_tilde, None, grad_b + grad_b_tilde, None"
    return replace(notebook, "grad_GLoVe", both, "return grad_W, None, grad_b, None")


@case("wrong", r"shape \(13,\) in place of \(13, 1\)", q213=5)
def a_bias_gradient_of_the_wrong_shape(notebook):
    new = "return grad_W, grad_W_tilde, grad_b[:, 0], grad_b_tilde"
    return replace(notebook, "grad_GLoVe", LAST_LINE, new)


@case("wrong", "not 0", q221=6, q223=0)
def the_mask_forgotten(notebook):
    return with_body(
        notebook, "compute_loss_derivative", "return output_activations - expanded_target_batch"
    )


@case("wrong", "-1 times the right values", **{"q221": 0, "q223": 0})
def the_sign_of_the_derivative(notebook):
    return replace(
        notebook,
        "compute_loss_derivative",
        "output_activations - expanded",
        "-output_activations + expanded",
    )


@case("wrong", "all values are 0", q221=0, q223=0)
def zeros_for_the_derivative(notebook):
    return with_body(notebook, "compute_loss_derivative", "return 0 * output_activations")


@case("wrong", q222=3.5, q223=4)
def the_slope_of_the_sigmoid_forgotten(notebook):
    return replace(
        notebook, "back_propagate", "    hid_derivative *= hidden_layer * (1 - hidden_layer)\n", ""
    )


@case("wrong", r"0\.0909\d* times", q222=6.5, q223=7)
def a_mean_in_place_of_a_sum(notebook):
    return replace(
        notebook,
        "back_propagate",
        "output_bias_grad = loss_derivative.sum(axis=0)",
        "output_bias_grad = loss_derivative.mean(axis=0)",
    )


@case("wrong", "right for V = 251 and N = 4", q221=6)
def sizes_of_the_assignment_in_the_code(notebook):
    return with_body(
        notebook,
        "compute_loss_derivative",
        """
    d = (output_activations - expanded_target_batch).reshape(-1, 4, 251) * target_mask
    return d.reshape(-1, 1004)
    """,
    )


@case("wrong", "it changes output_activations", q221=7)
def an_argument_changed_in_place(notebook):
    return with_body(
        notebook,
        "compute_loss_derivative",
        """
    output_activations -= expanded_target_batch
    d = output_activations.reshape(*target_mask.shape[:2], -1) * target_mask
    return d.reshape(output_activations.shape)
    """,
    )


@case("wrong", "raised ValueError", q222=0, q223=2)
def an_exception(notebook):
    return replace(
        notebook,
        "back_propagate",
        "loss_derivative.T @ hidden_layer",
        "loss_derivative @ hidden_layer",
    )


@case("wrong", "NaN", q213=5)
def not_a_number(notebook):
    new = "return np.nan * W, grad_W_tilde, grad_b, grad_b_tilde"
    return replace(notebook, "grad_GLoVe", LAST_LINE, new)


@case("wrong", "list in place of an array", q213=5)
def a_list(notebook):
    new = "return grad_W.tolist(), grad_W_tilde, grad_b, grad_b_tilde"
    return replace(notebook, "grad_GLoVe", LAST_LINE, new)


@case("wrong", "0 of 4 entries are right", q223=7)
def a_stale_printed_figure(notebook):
    output = cell_of(notebook, "print_gradients").outputs[0]
    output.text = re.sub(r"(hid_bias\[\d+\] -?)\d\.", r"\g<1>9.", output.text)
    return notebook


@case("wrong", "but the code does not compute them", **{"q221": 0, "q222": 0, "q223": 0, "q224": 0})
def printed_gradients_of_somebody_else(notebook):
    return stub(notebook, "compute_loss_derivative", "back_propagate")


@case("wrong", "no output of print_gradients", q223=0)
def the_output_of_the_check_in_place_of_the_printed(notebook):
    checked = cell_of(notebook, "check_gradients").outputs
    cell_of(notebook, "print_gradients").outputs = copy.deepcopy(checked)
    return notebook


@case("wrong", r"3\.080 is above", q224=1)
def a_network_that_did_not_learn(notebook):
    output = cell_of(notebook, "train").outputs[-1]
    output.text = re.sub(r"(final test +cross-entropy: )\S+", r"\g<1>3.080", output.text)
    return notebook


# Broken


def broken(name, content, says, marks=NOTHING):
    SUBMISSIONS.append(Case(name, lambda notebook: content(notebook), marks, says, "broken"))


broken("an empty file", lambda notebook: b"", "an empty file")
broken("white space", lambda notebook: b" \n", "an empty file")
broken("a picture", lambda notebook: b"\x89PNG\r\n\x1a\n" + bytes(100), "no Jupyter notebook")
broken("half a file", lambda n: nbformat.writes(n)[:10000].encode(), "no Jupyter notebook")
broken("a list in the file", lambda notebook: b"[]", "no Jupyter notebook")
broken("JSON of something else", lambda notebook: b'{"cells": 3}', "no Jupyter notebook")
broken("a thousand brackets", lambda notebook: b"[" * 100_000, "no Jupyter notebook")
broken(
    "cells that are numbers",
    lambda n: b'{"cells": [1, 2], "nbformat": 4, "metadata": {}}',
    "no Jupyter notebook",
)
broken("a web page", lambda notebook: b"<html>404</html>", "no Jupyter notebook")
broken(
    "with a byte order mark and CRLF",
    lambda n: b"\xef\xbb\xbf" + nbformat.writes(n).replace("\n", "\r\n").encode(),
    "",
    PERFECT,
)


broken("in an old format", lambda n: json.dumps(nbformat.v4.downgrade(n)), "", PERFECT)
broken(
    "no metadata at all",
    lambda n: json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "cells": [
                {
                    "cell_type": c.cell_type,
                    "source": c.source.splitlines(True),
                    **({"outputs": c.outputs} if c.cell_type == "code" else {}),
                }
                for c in n.cells
            ],
        }
    ),
    "",
    PERFECT,
)


@case("broken", r"syntax error in line \d+", q213=0)
def a_syntax_error(notebook):
    return replace(notebook, "grad_GLoVe", "grad_b = 2 * (R @ ones)", "grad_b = 2 * (R @ ones")


@case("broken", "no cell defines back_propagate", q222=0, q223=2, q224=0)
def a_deleted_cell(notebook):
    notebook.cells.remove(cell_of(notebook, "back_propagate"))
    return notebook


@case("broken", "no cell defines grad_GLoVe", q213=0)
def a_renamed_function(notebook):
    return replace(notebook, "grad_GLoVe", "def grad_GLoVe", "def grad_glove")


@case("broken", "no cell defines grad_GLoVe", q213=0)
def a_cell_turned_into_markdown(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    index = notebook.cells.index(cell)
    notebook.cells[index] = nbformat.v4.new_markdown_cell(cell.source, metadata=cell.metadata)
    return notebook


@case("broken")
def a_duplicate_that_is_not_written(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    index = notebook.cells.index(cell)
    notebook.cells.insert(index + 1, copy.deepcopy(cell))
    stub(notebook, "grad_GLoVe")  # the first of the two; the second one is the solution
    notebook.cells[index], notebook.cells[index + 1] = notebook.cells[index + 1], cell
    return notebook


@case("broken", "several times", q213=0)
def two_versions_of_which_the_last_is_wrong(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    second = copy.deepcopy(cell)
    second.source = second.source.replace("2 * (R", "3 * (R")
    notebook.cells.insert(notebook.cells.index(cell) + 1, second)
    return notebook


@case("broken")
def a_cell_split_inside_the_function(notebook):
    cell = cell_of(notebook, "back_propagate")
    head, tail = cell.source.split("    # S = sigmoid(A)")
    cell.source = head
    rest = nbformat.v4.new_code_cell("    # S = sigmoid(A)" + tail)
    notebook.cells.insert(notebook.cells.index(cell) + 1, rest)
    return notebook


@case("broken")
def cells_in_another_order(notebook):
    names = ("back_propagate", "compute_loss_derivative", "grad_GLoVe")
    moved = [cell_of(notebook, name) for name in names]
    notebook.cells = moved + [cell for cell in notebook.cells if cell not in moved]
    return notebook


@case("broken")
def lost_ids(notebook):
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    return notebook


@case("broken")
def a_foreign_kernel(notebook):
    notebook.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}
    notebook.metadata.language_info = {"name": "R"}
    return notebook


@case("broken")
def magics_in_the_cells(notebook):
    for name in ("grad_GLoVe", "back_propagate"):
        cell = cell_of(notebook, name)
        cell.source = "%%time\n" + cell.source + "\n%timeit 1 + 1\n!ls\n?np.add\n"
    return notebook


@case("broken")
def code_that_runs_beside_the_function(notebook):
    cell_of(notebook, "grad_GLoVe").source += "\nprint(grad_GLoVe(undefined))\nopen('x', 'w')\n"
    return notebook


@case("broken", q223=0, q224=0)
def outputs_of_wrong_types(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [{"output_type": "stream", "text": 3}, {"data": 4}]
    return json.dumps(notebook)


# Hostile


def hostile(name, body, says="", limits=None, target="grad_GLoVe"):
    """A submission whose GLoVe gradient does something; the rest of it is right."""
    lost = {"grad_GLoVe": NOT_GLOVE, "back_propagate": NOT_BACK}[target]

    def make(notebook):
        return with_body(notebook, target, body)

    SUBMISSIONS.append(Case(name, make, PERFECT | lost, says, "hostile", limits))


hostile("an endless loop", "while True: pass", "an endless loop", LOOPS)
hostile("a long sleep", "import time; time.sleep(1e6)", "did not end in time", SLEEPS)
hostile(
    "an endless loop that catches everything",
    """
while True:
    try:
        while True: pass
    except BaseException: pass
""",
    "an endless loop",
    LOOPS,
)
hostile("os._exit", "import os; os._exit(0)", "ended the Python process")
hostile("sys.exit", "import sys; sys.exit()", "")
hostile("a keyboard interrupt", "raise KeyboardInterrupt", "")
hostile("a huge array", "return np.ones((10**6, 10**6)), None, None, None", "Memory")
hostile("memory that grows", "x = []\nwhile True: x.append(np.ones(10**6))", "Memory")
hostile(
    "endless recursion",
    "return grad_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)",
    "RecursionError",
)
hostile(
    "a crash",
    """
view = np.lib.stride_tricks.as_strided(np.zeros(1), (10**12,), (8,))
view[10**11] = 1
""",
    "crashed",
)
hostile("a crash of the interpreter", "import ctypes; ctypes.string_at(0)", "ctypes")
hostile("a new process", "import os; os.fork()", "os.fork")
hostile("a shell", "import os; os.system('id > /tmp/was_here')", "os.system")
hostile("subprocess", "import subprocess; subprocess.run(['id'])", "")
hostile("the network", "import socket; socket.create_connection(('127.0.0.1', 9))", "socket")
hostile("a new file", "open('/tmp/was_here', 'w').write('x')", "open files")
hostile(
    "a new file by descriptor",
    "import os; os.open('/tmp/was_here', os.O_CREAT | os.O_WRONLY)",
    "open files",
)
hostile("the reference notebook", f"open({str(NOTEBOOK)!r}).read()", "open files")
hostile(
    "the reference notebook, by descriptor",
    f"import os; os.open({str(NOTEBOOK)!r}, 0)",
    "open files",
)
hostile(
    "the memory of the grader", "import os; open(f'/proc/{os.getppid()}/mem', 'rb')", "open files"
)
hostile("the tools of the grader", "from tools.grade.judge import Reference", "ModuleNotFoundError")
hostile("the notebook through NumPy", f"np.fromfile({str(NOTEBOOK)!r})", "")
hostile(
    "output without end",
    "import os\nwhile True:\n    for fd in range(3, 9):\n        try:\n"
    "            os.write(fd, b'x' * 10**6)\n        except OSError: pass",
    "wrote more",
)
hostile("closed channels", "import os; os.closerange(0, 100); return 1, 2, 3, 4", "")
hostile(
    "forged messages",
    """
import os
for fd in range(3, 9):
    for text in (b'{"call": 0, "values": {"grad_W": {"dtype": "O", "shape": [1], "data": ""}}}',
                 b'{"call": 0, "values": {"grad_W": {"dtype": "<f8", "shape": [-1], "data": 7}}}',
                 b'{"call": 0, "values": 3}', b'{"call": 1, "operations": -5, "changed": 8}',
                 b'{"call": true, "error": {}}', b'{"call": 99999}', b'[' * 5000, b'3', b'{}',
                 b'\\xff\\xfe', b'{"finished": true}'):
        try:
            os.write(fd, text + b'\\n')
        except OSError:
            pass
os._exit(0)
""",
    "",
)
hostile(
    "NumPy overwritten",
    """
np.allclose = np.array_equal = lambda *a, **k: True
np.abs = np.max = np.sum = lambda *a, **k: 0
return 0 * W, W_tilde, b, b_tilde
""",
    "",
)
hostile("json overwritten", "import json; json.dumps = lambda *a, **k: '{}'; return 1, 2, 3, 4", "")
hostile(
    "an array that equals everything",
    """
class Equal(np.ndarray):
    def __eq__(self, other): return np.True_
    def __sub__(self, other): return self * 0
return tuple(np.zeros((1, 1)).view(Equal) for _ in range(4))
""",
    r"shape \(1, 1\) in place of",
)
hostile("an array of objects", "return (np.array([W, None], dtype=object),) * 4", "dtype object")
hostile(
    "results from the frames of the grader",
    """
import sys
frame, found = sys._getframe(), {}
while frame:
    found.update(frame.f_locals); frame = frame.f_back
return found['right']
""",
    "KeyError",
)


@case("hostile", q213=0)
def the_checker_and_the_helpers_overwritten(notebook):
    with_body(notebook, "grad_GLoVe", "return 0 * W, None, 0 * b, None")
    code = """
    import checking
    checking.check_GLoVe_gradients = checking.check_gradients = lambda *a: None
    def loss_GLoVe(*a): return 0.0
    def residual_GLoVe(W, *a): return np.zeros((len(W), len(W)))
    class Model: pass
    """
    for index in (3, len(notebook.cells)):
        notebook.cells.insert(index, nbformat.v4.new_code_cell(textwrap.dedent(code)))
    return notebook


@case("hostile", "it loops over the words", q213=4.5)
def a_loop_that_hides(notebook):
    body = """
    import sys
    try:
        sys.settrace(None)
    except PermissionError:
        pass
    if W_tilde is None:
        R = W @ W.T + b + b.T - log_co_occurrence
        R = R + R.T
        return 2 * R @ W, None, 2 * R.sum(axis=1, keepdims=True), None
    R = W @ W_tilde.T + b + b_tilde.T - log_co_occurrence
    grad_W = np.array([sum(2 * R[i, j] * W_tilde[j] for j in range(len(W))) for i in range(len(W))])
    return grad_W, 2 * R.T @ W, 2 * R.sum(1, keepdims=True), 2 * R.T.sum(1, keepdims=True)
    """
    return with_body(notebook, "grad_GLoVe", body)


# What a grader easily rewards or punishes unjustly


@case("right")
def helpers_of_many_kinds_in_other_cells(notebook):
    body = """
    d = keep(output_activations) - expanded_target_batch + EPS * cache["zero"]
    d = d.reshape(*target_mask.shape[:2], -1) * self.keep_mask(target_mask)
    return einsum("ij->ij", d.reshape(len(d), NV))
    """
    with_body(notebook, "compute_loss_derivative", body)
    code = """
    import random, string, logging
    keep = lambda x: x
    einsum: object = np.einsum
    NV = N * V
    cache = {"zero": 0.0}
    EPS = np.finfo(float).eps
    def keep_mask(self, mask): return mask
    Model.keep_mask = keep_mask
    """
    notebook.cells.insert(3, nbformat.v4.new_code_cell(textwrap.dedent(code)))
    return notebook


@case("right")
def a_wrapper_after_the_solution(notebook):
    code = "def timed(f):\n    return lambda *a: f(*a)\n\ngrad_GLoVe = timed(grad_GLoVe)"
    notebook.cells.append(nbformat.v4.new_code_cell(code))
    return notebook


@case("broken")
def a_scratch_cell_that_is_indented(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    scratch = nbformat.v4.new_code_cell(" x = 1\n %timeit x")
    notebook.cells.insert(notebook.cells.index(cell) + 1, scratch)
    return notebook


@case("broken")
def an_exit_in_the_cell_of_a_solution(notebook):
    cell_of(notebook, "grad_GLoVe").source += "\nraise SystemExit\nexit()"
    return notebook


@case("broken")
def a_comment_that_ends_in_a_question_mark(notebook):
    cell = cell_of(notebook, "back_propagate")
    cell.source = "%%time\n" + cell.source.replace("(axis=0)", "(axis=0)  # right?", 1)
    return notebook


def too_deep(name, source, marks, says="syntax error"):
    def make(notebook):
        cell_of(notebook, "grad_GLoVe").source += source
        return notebook

    SUBMISSIONS.append(Case(name, make, PERFECT | marks, says, "broken"))


too_deep("thousands of signs", "\n%time\nx = " + "-" * 3000 + "1", NOT_GLOVE)
too_deep("thousands of negations", "\nx = " + "not " * 1500 + "1", NOT_GLOVE)
too_deep("a giant number", "\nx = 0x" + "f" * 10_000, NOT_GLOVE)
too_deep("thousands of empty lines", "\n%\n" + "\n" * 16_000 + "(", NOT_GLOVE)

hostile(
    "forged shapes and dtypes",
    """
import os
for fd in range(3, 9):
    for text in (b'{"call": 0, "values": {"grad_W": {"dtype": "<f8", "shape": [Infinity], '
                 b'"data": ""}}}',
                 b'{"call": 1, "values": {"grad_W": {"dtype": "' + b',' * 9999 +
                 b'", "shape": []}}}'):
        try:
            os.write(fd, text + b'\\n')
        except OSError:
            pass
os._exit(0)
""",
)
hostile(
    "a new process after the hook is disarmed",
    "import __main__, os\n__main__.REFUSED = ()\nos.path.realpath = lambda p: '/usr/lib/x'\n"
    "if os.fork() == 0:\n    os.setsid()\n    while True: pass",
    "os.fork",
)


@case("hostile", "it loops over the words", q213=4.5)
def a_loop_that_asks_whether_it_is_watched(notebook):
    body = """
    import sys
    if sys.gettrace() is not None:
        return None
    R = residual_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
    if W_tilde is None:
        R = R + R.T
        return 2 * R @ W, None, 2 * R.sum(axis=1, keepdims=True), None
    grad_W = np.array([sum(2 * R[i, j] * W_tilde[j] for j in range(len(W))) for i in range(len(W))])
    return grad_W, 2 * R.T @ W, 2 * R.sum(1, keepdims=True), 2 * R.T.sum(1, keepdims=True)
    """
    return with_body(notebook, "grad_GLoVe", body)


@case("wrong", "cannot have computed them", q221=0, q222=0, q223=0, q224=0)
def final_figures_of_somebody_else(notebook):
    cell_of(notebook, "print_gradients").outputs = []
    return stub(notebook, "compute_loss_derivative", "back_propagate")


@case("wrong", "nan|inf", q224=1)
def a_final_figure_that_is_not_a_number(notebook):
    output = cell_of(notebook, "train").outputs[-1]
    output.text = re.sub(r"(final test +cross-entropy: )\S+", r"\g<1>nan", output.text)
    return notebook


# Cells beside a solution


def with_cell(notebook, code, index=3):
    """Insert a code cell; 3 is before the solutions, and len(notebook.cells) after everything."""
    notebook.cells.insert(index, nbformat.v4.new_code_cell(textwrap.dedent(code).strip("\n")))
    return notebook


def with_derivative(notebook, y="output_activations", finish="", code=None, index=3):
    """Write the derivative with something of one's own, which another cell may define."""
    body = f"""
    d = ({y} - expanded_target_batch).reshape(*target_mask.shape[:2], -1) * target_mask
    {finish}
    return d.reshape(output_activations.shape)
    """
    with_body(notebook, "compute_loss_derivative", body)
    return with_cell(notebook, code, index) if code else notebook


def with_source(notebook, grade_id, source):
    cell_of(notebook, grade_id).source = textwrap.dedent(source).strip("\n")
    return notebook


@case("right")
def scratch_cells_whose_names_are_also_local_or_attributes(notebook):
    return with_cell(notebook, "W = 1\nfor hidden_layer in iter(int, 1):\n    W = hidden_layer")


@case("right")
def a_loop_after_the_function_that_never_ends(notebook):
    cell_of(notebook, "grad_GLoVe").source += "\nwhile True:\n    grad_GLoVe(1, 2, 3, 4, 5)"
    return notebook


@case("right")
def an_error_of_ones_own_before_the_function(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    cell.source = "class Error(BaseException): pass\nERROR = 1\nraise Error('x')\n" + cell.source
    return notebook


@case("right")
def an_interrupt_where_a_constant_is_defined(notebook):
    code = "import sys\nONE = 1.0\nONE = sys.exit()"
    return with_derivative(notebook, "ONE * output_activations", code=code)


@case("right")
def a_method_under_another_name(notebook):
    source = """
    def my_loss_derivative(self, y, t, m):
        return ((y - t).reshape(*m.shape[:2], -1) * m).reshape(y.shape)

    Model.compute_loss_derivative = my_loss_derivative
    """
    return with_source(notebook, "compute_loss_derivative", source)


LAMBDA = "lambda self, y, t, m: ((y - t).reshape(*m.shape[:2], -1) * m).reshape(y.shape)"


@case("right")
def a_method_that_is_a_lambda(notebook):
    source = f"Model.compute_loss_derivative = {LAMBDA}"
    return with_source(notebook, "compute_loss_derivative", source)


@case("right")
def an_annotated_assignment(notebook):
    return with_source(
        notebook,
        "compute_loss_derivative",
        f"compute_loss_derivative: object = {LAMBDA}\n"
        "Model.compute_loss_derivative = compute_loss_derivative",
    )


@case("right")
def functions_under_if_and_try(notebook):
    for name, head, tail in (
        ("grad_GLoVe", "if True:", ""),
        ("compute_loss_derivative", "try:", "\nexcept Exception as error:\n    print(error)"),
        ("back_propagate", "with np.errstate(all='raise'):", ""),
    ):
        cell = cell_of(notebook, name)
        cell.source = f"{head}\n{textwrap.indent(cell.source, '    ')}{tail}"
    return notebook


@case("right", "several times")
def a_later_version_by_assignment(notebook):
    with_body(notebook, "compute_loss_derivative", "return 2 * output_activations")
    code = f"""
    second = {LAMBDA}
    compute_loss_derivative = second
    Model.compute_loss_derivative = compute_loss_derivative
    """
    return with_cell(notebook, code, len(notebook.cells))


@case("right", "several times")
def a_later_version_of_the_method(notebook):
    with_body(notebook, "compute_loss_derivative", "return 2 * output_activations")
    code = f"Model.compute_loss_derivative = {LAMBDA}"
    return with_cell(notebook, code, len(notebook.cells))


@case("right")
def members_of_a_class_of_ones_own(notebook):
    source = """
    class Model(Model):
        SIGN = 1.0

        @staticmethod
        def by_word(a, m):
            return a.reshape(m.shape[0], m.shape[1], -1)

        @property
        def size(self):
            return len(self.vocab)

        def compute_loss_derivative(self, y, t, m):
            d = self.SIGN * self.by_word(y - t, m) * m
            assert d.shape[2] == self.size
            return d.reshape(y.shape)
    """
    return with_source(notebook, "compute_loss_derivative", source)


@case("right")
def helper_methods_inside_the_class(notebook):
    with_derivative(notebook, "self.same(output_activations)")
    model = next(c for c in notebook.cells if "\nclass Model:" in "\n" + c.source)
    model.source += "\n\n    def same(self, a):\n        return a"
    return notebook


@case("right")
def a_helper_under_a_condition(notebook):
    code = "if True:\n    def same(a): return a"
    return with_derivative(notebook, "same(output_activations)", code=code)


@case("right")
def a_constant_for_the_main_program(notebook):
    code = "if __name__ == '__main__':\n    ONE = 1.0"
    return with_derivative(notebook, "ONE * output_activations", code=code)


@case("right")
def a_table_that_is_filled_later(notebook):
    code = "TABLE = {}\nTABLE['one'] = 1.0"
    return with_derivative(notebook, "TABLE['one'] * output_activations", code=code)


@case("right")
def a_star_import_in_another_cell(notebook):
    return with_derivative(notebook, "exp(0) * output_activations", code="from math import *")


@case("right")
def several_imports_in_one_line(notebook):
    code = "import numpy as np, math as mathematics"
    return with_derivative(notebook, "mathematics.exp(0) * output_activations", code=code)


@case("right")
def another_version_of_a_provided_function(notebook):
    replace(
        notebook,
        "back_propagate",
        "hidden_layer * (1 - hidden_layer)",
        "sigmoid(hidden_layer, is_slope=True)",
    )
    code = """
    plain = lambda a: 1 / (1 + np.exp(-a))
    def sigmoid(a, is_slope=False):
        return a * (1 - a) if is_slope else plain(a)
    """
    return with_cell(notebook, code, len(notebook.cells))


@case("right")
def what_only_a_notebook_has(notebook):
    finish = "display(d); get_ipython(); assert d.shape[1:] == (N, V)"
    return with_derivative(notebook, finish=finish, code="V, N = 251, 4\ndata = vocab = None")


@case("right")
def annotations_and_default_values_of_the_notebook(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    cell.source = cell.source.replace(
        "(W, W_tilde, b, b_tilde, log_co_occurrence):",
        "(W: Floats, W_tilde: Optional[Floats], b: Floats, b_tilde,"
        " log_co_occurrence=log_co_occurrence_train) -> Tuple[Floats]:",
    )
    return notebook


@case("right")
def not_implemented_only_under_a_condition(notebook):
    body = """
    if target_mask.ndim != 3:
        raise NotImplementedError("expected three axes")
    d = (output_activations - expanded_target_batch).reshape(*target_mask.shape[:2], -1)
    return (d * target_mask).reshape(output_activations.shape)
    raise NotImplementedError("left over")
    """
    return with_body(notebook, "compute_loss_derivative", body)


@case("right")
def a_cell_that_is_indented_as_a_whole(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    cell.source = textwrap.indent(cell.source, "    ")
    return notebook


@case("right")
def a_line_that_begins_with_modulo_below_a_magic(notebook):
    finish = 'print("%d examples"\n      % len(d))'
    with_derivative(notebook, finish=finish)
    cell = cell_of(notebook, "compute_loss_derivative")
    cell.source = "%%time\n" + cell.source
    return notebook


# Half done, and wrong


@case("half done", "embed_derivative", q222=3.5, q223=0, q224=0)
def the_first_half_of_a_function(notebook):
    body = """
    hid_to_output_weights_grad = loss_derivative.T @ activations.hidden_layer
    output_bias_grad = loss_derivative.sum(axis=0)
    """
    return with_body(without_outputs(notebook), "back_propagate", body)


@case("half done", "raised ValueError", q222=7, q223=0, q224=0)
def an_error_in_the_last_of_five_gradients(notebook):
    return replace(
        without_outputs(notebook),
        "back_propagate",
        "hid_derivative @ params.embed_to_hid_weights",
        "hid_derivative.T @ params.embed_to_hid_weights",
    )


@case("half done", "raised ValueError", q213=3)
def an_error_in_the_last_gradient_of_glove(notebook):
    return replace(notebook, "grad_GLoVe", "2 * (R.T @ ones)", "2 * (R.T @ ones.T)")


@case("half done", "the training was interrupted", q224=1)
def an_interrupted_training(notebook):
    output = cell_of(notebook, "train").outputs[-1]
    stopped = "Interrupted after 20000 of 29800 mini-batches; the model is kept.\n"
    output.text = output.text.replace("final training", stopped + "final training")
    return notebook


@case("wrong", "final figures are printed, but 2.2.1 earned nothing", q221=0, q223=0)
def final_figures_that_the_code_cannot_reach(notebook):
    return with_body(notebook, "compute_loss_derivative", "return 0 * output_activations")


@case("wrong", "273 values are wrong", q222=6, q223=7)
def memory_that_is_not_initialised(notebook):
    return replace(
        notebook,
        "back_propagate",
        "loss_derivative.T @ hidden_layer",
        "np.empty_like(params.hid_to_output_weights) + loss_derivative.T @ hidden_layer",
    )


@case("wrong", "all values are 0", q221=0, q223=0)
def right_by_chance(notebook):
    """With random numbers that differ from call to call."""
    finish = "import random; d *= round(random.random(), 2) == 0.84"  # in the first call
    return with_derivative(notebook, finish=finish)


@case("wrong", "0 of 4 entries are right", q223=7)
def a_printed_figure_with_another_fourth_digit(notebook):
    output = cell_of(notebook, "print_gradients").outputs[0]

    def other_digit(found):
        return f"{found[1]}{(int(found[2]) + 1) % 10}"

    output.text = re.sub(r"(hid_bias\[\d+\] -?\d\.\d\d)(\d)", other_digit, output.text)
    return notebook


@case("wrong", "grad_GLoVe is not defined: NameError: name 'undefined' is not defined", q213=0)
def a_default_value_that_does_not_exist(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    cell.source = cell.source.replace("log_co_occurrence):", "log_co_occurrence=undefined):", 1)
    return notebook


def in_the_symmetric_model(name, action, says, limits=None):
    """The gradient of the asymmetric model is right."""

    def make(notebook):
        body = f"""
        R = residual_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
        if W_tilde is None:
            {action}
        return 2 * R @ W_tilde, 2 * R.T @ W, 2 * R.sum(1)[:, None], 2 * R.sum(0)[:, None]
        """
        return with_body(notebook, "grad_GLoVe", body)

    SUBMISSIONS.append(Case(name, make, PERFECT | {"2.1.3": 4}, says, "wrong", limits))


in_the_symmetric_model("an exit for symmetry", "import sys; sys.exit(3)", "raised SystemExit: 3")
in_the_symmetric_model("an end for symmetry", "import os; os._exit(3)", r"exit code 3")
in_the_symmetric_model("an endless loop for symmetry", "while True: pass", "endless loop", LOOPS)


# Too much


@case("broken", r"found 10\d\d cells, .* expected at most 1000", **EVERYTHING_LOST)
def thousands_of_cells(notebook):
    notebook.cells += [nbformat.v4.new_code_cell("1") for _ in range(1000)]
    return notebook


@case("broken", "expected at most 1000 and 1048576", **EVERYTHING_LOST)
def a_megabyte_of_code(notebook):
    notebook.cells += [nbformat.v4.new_code_cell("# " + "x" * 150_000) for _ in range(8)]
    return notebook


@case("right")
def a_large_picture_pasted_into_an_answer(notebook):
    cell_of(notebook, "q2_3").source += f"\n\n![map](data:image/png;base64,{'A' * 2_000_000})"
    return notebook


# Loops that hide


def loop_in_glove(name, rows, marks, says, before=""):
    """A GLoVe gradient whose rows come from an expression that loops over the words."""

    def make(notebook):
        body = f"""
        R = residual_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
        if W_tilde is None:
            R = R + R.T
            return 2 * R @ W, None, 2 * R.sum(axis=1, keepdims=True), None
        grad_W = {rows}
        return grad_W, 2 * R.T @ W, 2 * R.sum(1, keepdims=True), 2 * R.T.sum(1, keepdims=True)
        """
        with_body(notebook, "grad_GLoVe", body)
        cell = cell_of(notebook, "grad_GLoVe")
        cell.source = textwrap.dedent(before) + "\n" + cell.source
        return notebook

    SUBMISSIONS.append(Case(name, make, PERFECT | {"2.1.3": marks}, says, "hostile"))


ROWS = "np.array([sum(2 * R[i, j] * W_tilde[j] for j in range(len(W))) for i in range(len(W))])"
LOOP_SEEN = "it loops over the words"
NOT_HIDDEN = "may not hide how it works"
LIBRARY = "'/usr/lib/python3/x.py'"

loop_in_glove("a loop in a text", f"eval({ROWS!r}, globals() | locals())", 4.5, LOOP_SEEN)
loop_in_glove(
    "a loop in a text that is called a library",
    f"eval(compile({ROWS!r}, {LIBRARY}, 'eval'), globals() | locals())",
    2,
    NOT_HIDDEN,
)
loop_in_glove(
    "a loop in code that is renamed",
    "rows(R, W, W_tilde)",
    4.5,
    LOOP_SEEN,
    f"""
    def rows(R, W, W_tilde):
        found = np.zeros_like(W)
        for i in range(len(W)):
            found[i] = 2 * R[i] @ W_tilde
        return found
    rows.__code__ = rows.__code__.replace(co_filename={LIBRARY})
    """,
)
loop_in_glove(
    "a loop behind functions that are replaced",
    f"{ROWS} if HERE else sys",
    4.5,
    LOOP_SEEN,
    "import sys, __main__ as HERE\nsys.settrace = HERE.is_library = lambda *a: True",
)
loop_in_glove(
    "forged counts",
    f"forge({ROWS}, 2 * R.T @ W, 2 * R.sum(1, keepdims=True), 2 * R.T.sum(1, keepdims=True))",
    4.5,
    LOOP_SEEN,
    """
    import base64, json, os
    CALLS = {(53, 5): 7, (13, 45): 8}  # by the shape of W: those whose operations are counted
    def forge(*gradients):
        values = {
            name: {"dtype": "<f8", "shape": g.shape, "data": base64.b64encode(g.tobytes()).decode()}
            for name, g in zip(["grad_W", "grad_W_tilde", "grad_b", "grad_b_tilde"], gradients)
        }
        call = CALLS.get(gradients[0].shape, 99)
        text = json.dumps({"call": call, "values": values, "operations": 5})
        for fd in range(3, 9):
            try:
                os.write(fd, text.encode() + bytes([10]))
            except OSError:
                pass
        return gradients[0]
    """,
)
loop_in_glove(
    "a loop that ends the process where it takes long",
    f"{ROWS} if len(W) < 99 else os._exit(0)",
    3,
    LOOP_SEEN,
    "import os",
)
loop_in_glove(
    "a loop inside map", "np.array(list(map((2 * W_tilde).T.dot, R)))", 6, "may loop inside map"
)
loop_in_glove(
    "a loop inside a function of NumPy",
    "np.apply_along_axis(W_tilde.T.__matmul__, 1, 2 * R)",
    6,
    "may loop inside apply_along_axis",
)
hostile("the objects of the grader", "import gc; gc.get_objects()", "gc.get_objects")


@case("hostile", "it changes output_activations", q221=7)
def arguments_that_seem_unchanged(notebook):
    body = """
    np.array_equal = lambda *a, **k: True
    output_activations -= expanded_target_batch
    d = output_activations.reshape(*target_mask.shape[:2], -1) * target_mask
    return d.reshape(output_activations.shape)
    """
    return with_body(notebook, "compute_loss_derivative", body)
