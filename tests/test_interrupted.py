"""Interrupted work: training stopped in a running kernel, and tools killed half way."""

import os
import queue
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from tqdm import tqdm

from tools import files
from tools.common import ROOT, write_atomically
from tools.notebook import EXPERIMENT, code_cells, execute

# In a kernel, as with the stop button

SECONDS = 60  # longest wait for one cell
ANSWER = """
assert isinstance(trained_model, Model)
assert np.isfinite(trained_model.evaluate(data["valid_inputs"][:200]))
trained_model.display_nearest_words(vocab[20], k=3)
"""  # what a student does next with a trained model
ANNOUNCE = """
def evaluate(self, inputs, batch_size=100, evaluate=Model.evaluate):
    print("evaluating", len(inputs), "windows")
    return evaluate(self, inputs, batch_size)
Model.evaluate, VALID_REPORT = evaluate, 20
"""  # so that the test knows when to interrupt
TRAIN = "trained_model = train(16, 128)"
MAP = "print('drawing', flush=True); tsne(np.random.RandomState(0).randn(V, 16))"


class Kernel:
    """A kernel in which the definitions of a notebook have been run."""

    def __init__(self, notebook):
        self.manager, self.client = start_new_kernel(cwd=str(ROOT), stderr=subprocess.DEVNULL)
        for cell in code_cells(notebook):
            if EXPERIMENT not in cell.metadata.get("tags", []):
                self.run(cell.source)
        self.run("EVALUATE = Model.evaluate")
        (self.sweep,) = [
            cell.source for cell in code_cells(notebook) if "trained, sweep = {}" in cell.source
        ]

    def run(self, code, *moments):
        """Run a cell, and interrupt it a little after it has printed each of the texts `moments`.

        Returns the text that it printed, and the lines of the traceback that it showed.
        """
        message = self.client.execute(code)
        text, traceback, deadline = "", [], time.monotonic() + SECONDS
        moments = list(moments)
        while time.monotonic() < deadline:
            try:
                reply = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                continue
            if reply["parent_header"].get("msg_id") != message:
                continue
            content = reply["content"]
            if reply["msg_type"] == "stream" and content["name"] == "stdout":
                text += content["text"]
            elif reply["msg_type"] == "error":
                traceback = "\n".join(content["traceback"]).splitlines()
            elif content.get("execution_state") == "idle":
                assert moments == [], "the cell ended before it was interrupted"
                return text, traceback
            while moments and moments[0] in text:
                moments.pop(0)
                time.sleep(0.15)
                self.manager.interrupt_kernel()
        raise AssertionError(f"the cell did not stop; it printed {text!r}")


@pytest.fixture(scope="module")
def kernel(saved_notebook):
    kernel = Kernel(saved_notebook)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moments",
    [
        ["1:"],
        ["1:", "1:"],
        ["evaluating 46500"],
        ["1:", "evaluating 372500"],
        ["evaluating 46500", "Interrupted after", "evaluating 372500"],
    ],
    ids=["step", "step twice", "validation", "step, final figures", "validation, then twice"],
)
def test_an_interrupted_training_leaves_a_usable_model(kernel, moments):
    kernel.run("Model.evaluate, VALID_REPORT = EVALUATE, 1000")
    if "evaluating" in moments[-1]:
        kernel.run(ANNOUNCE)
    text, traceback = kernel.run(f"trained_model = None\n{TRAIN}", *moments)
    assert traceback == []
    assert "mini-batches; the model is kept" in text
    kernel.run("Model.evaluate = EVALUATE")
    text, traceback = kernel.run(ANSWER)
    assert traceback == []
    assert len(text.splitlines()) == 4


@pytest.mark.slow
def test_an_interrupted_sweep_keeps_its_rows_and_can_be_run_again(kernel):
    text, traceback = kernel.run(kernel.sweep, "asymmetric    4")
    assert len(traceback) <= 1
    assert "nterrupted" in text + "".join(traceback)
    text, traceback = kernel.run("print(*trained); print(*sweep)")
    rows, again = text.splitlines()
    assert rows == again and "(False, 1)" in rows
    text, _ = kernel.run(kernel.sweep, "asymmetric    1")  # it starts anew
    assert text.count("\nasymmetric    1 ") == 1


@pytest.mark.slow
def test_an_interrupted_map_shows_no_wall_of_frames(kernel):
    text, traceback = kernel.run(MAP, "drawing")
    assert len(traceback) <= 1
    assert "nterrupted" in text + "".join(traceback)


# Tools that are killed

OLD, NEW = b"old " * 1000, b"new " * 100_000
ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
WRITER = """
import os, signal, sys
from tools.common import clear_exit
from tools.common import write_atomically

path, function, number, is_after = sys.argv[1:]
original = getattr(os, function)

def killing(*arguments):
    if is_after == "yes":
        result = original(*arguments)
    os.kill(os.getpid(), int(number))
    return result if is_after == "yes" else original(*arguments)

setattr(os, function, killing)
clear_exit()(lambda: write_atomically(path, b"new " * 100_000))()
"""  # ends itself before or after one of the steps of writing a file


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
@pytest.mark.parametrize("is_after", ["no", "yes"])
@pytest.mark.parametrize("function", ["chmod", "replace"])
def test_a_file_is_the_old_or_the_new_one_whenever_its_writer_ends(
    tmp_path, function, is_after, number
):
    path = tmp_path / "some.pk"
    path.write_bytes(OLD)
    arguments = [str(path), function, str(int(number)), is_after]
    run = subprocess.run(
        [sys.executable, "-c", WRITER, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == ENDS[number]
    assert path.read_bytes() == (NEW if (function, is_after) == ("replace", "yes") else OLD)
    others = [other.name for other in tmp_path.iterdir() if other != path]
    if number == signal.SIGKILL:
        assert all(name.startswith(".some.pk.") and name.endswith(".tmp") for name in others)
    else:
        assert others == []
        assert run.stderr == "-c: interrupted\n"


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path):
    path, now = tmp_path / "some[1].pk", time.time()
    ages = {
        ".some[1].pk.abcdefgh.tmp": 3600,  # left over
        ".some[1].pk.ijklmnop.tmp": 0,  # of somebody who is writing just now
        ".some1.pk.abcdefgh.tmp": 3600,  # of another file
        ".mine.tmp": 3600,
    }
    for name, age in ages.items():
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (now - age, now - age))
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW
    left = {other.name for other in tmp_path.iterdir()} - {path.name}
    assert left == set(ages) - {".some[1].pk.abcdefgh.tmp"}


def test_a_file_that_somebody_else_removes_first_is_no_error(tmp_path, monkeypatch):
    left_over = tmp_path / ".some.pk.abcdefgh.tmp"
    left_over.write_bytes(b"half")
    monkeypatch.setattr(files, "time", SimpleNamespace(time=left_over.unlink))
    write_atomically(tmp_path / "some.pk", NEW)
    assert [other.name for other in tmp_path.iterdir()] == ["some.pk"]


@pytest.mark.parametrize(
    "before, umask, after",
    [(None, 0o022, 0o644), (None, 0o077, 0o600), (0o600, 0o022, 0o600), (0o640, 0o077, 0o640)],
)
def test_a_file_keeps_its_permissions_and_a_new_one_respects_the_umask(
    tmp_path, before, umask, after
):
    path = tmp_path / "key.txt"
    if before is not None:
        path.write_bytes(OLD)
        path.chmod(before)
    old_umask = os.umask(umask)
    try:
        write_atomically(path, NEW)
    finally:
        os.umask(old_umask)
    assert path.stat().st_mode & 0o777 == after
    assert path.read_bytes() == NEW


def link_to_a_device(path):
    path.symlink_to(os.devnull)


@pytest.mark.parametrize("make", [os.mkfifo, link_to_a_device, os.mkdir])
def test_only_a_file_is_replaced(tmp_path, make):
    path = tmp_path / "place"
    make(path)
    with pytest.raises(OSError, match="place: cannot be written .*; expected the name of a file"):
        write_atomically(path, NEW)
    assert not path.is_file()
    assert list(tmp_path.iterdir()) == [path]


def small_notebook():
    cells = [nbformat.v4.new_code_cell(source) for source in ("print(1)", "import time", "1 + 1")]
    cells.insert(2, nbformat.v4.new_code_cell("time.sleep(3)"))
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_before_it_begins_starts_no_kernel(monkeypatch, number):
    def interrupted_bar(**options):
        os.kill(os.getpid(), number)
        return tqdm(**options)

    monkeypatch.setattr("tools.notebook.tqdm", interrupted_bar)
    notebook, before = small_notebook(), signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt) as caught:
        execute(notebook)
    assert caught.value.args == (number,)
    assert notebook.cells[0].execution_count is None
    assert signal.getsignal(number) == before


TOOLS = {  # arguments for an output, and what the tool prints when it has begun
    "make_data": (["-o"], "windows:"),
    "make_corpus": (["-o"], "sentences"),
    "make_partially_trained": (["-o"], "training:"),
    "run_notebook": ([], "running the notebook:"),
}


@pytest.mark.slow
@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_is_killed_leaves_the_old_file(tmp_path, tool, number):
    option, begun = TOOLS[tool]
    path = tmp_path / "output"
    path.write_text(nbformat.writes(small_notebook()))
    old = path.read_bytes()
    command = [sys.executable, "-m", f"tools.{tool}", *option, str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    errors = b""
    while begun.encode() not in errors:
        errors += process.stderr.read(1)
    time.sleep(0.3)  # before its work has begun is another test
    process.send_signal(number)
    errors += process.communicate(timeout=30)[1]
    assert process.returncode == ENDS[number], errors
    assert path.read_bytes() == old
    assert b"Traceback" not in errors
    if number != signal.SIGKILL:
        assert f"{tool}: interrupted\n" in errors.decode()
        assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_while_a_tool_is_loading_shows_nothing(tmp_path):
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    run = subprocess.run(
        [sys.executable, "-m", "tools.data.windows"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
    )
    assert (run.returncode, run.stdout, run.stderr) == (-signal.SIGINT, b"", b"")
