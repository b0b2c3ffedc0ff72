"""Run a submitted notebook from top to bottom, and compare what it prints with what it saved.

A whole notebook needs a kernel, files and time, so it is not locked in like the functions that are
judged. It runs in a temporary folder, and for root as the user nobody. Its results do not touch the
marks.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.grade.sandbox import environment
from tools.notebook import NotebookError, printed, read_notebook

NOBODY = 65534
CELL_SECONDS = 300
NOTEBOOK_SECONDS = 1200
INTERRUPTED = "Interrupted"  # what the notebook prints after that
NUMBER = re.compile(r"(?<!\d)-?\d{1,30}\.\d{1,30}(?:e[+-]?\d{1,3})?")
# What training prints, such as cross-entropies, differs in the second decimal elsewhere. What is
# printed with an exponent, such as gradients, has a size of its own.
ABSOLUTE, RELATIVE = 0.02, 1e-2
RUNNER = """
import subprocess, sys
import nbclient, nbformat
path, cell_seconds = sys.argv[1:]
notebook = nbformat.read(path, as_version=4)
client = nbclient.NotebookClient(
    notebook,
    timeout=int(cell_seconds),
    interrupt_on_timeout=True,
    allow_errors=True,
    kernel_name="python3",
)
nothing = subprocess.DEVNULL
client.execute(stdin=nothing, stdout=nothing, stderr=nothing)  # what the kernel's programs say
sys.stdout.buffer.write(nbformat.writes(notebook).encode(errors="replace"))
"""


def identity():
    """Arguments for `subprocess` that give up the rights of root, as far as that is possible."""
    nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    try:
        subprocess.run([sys.executable, "-c", ""], check=True, cwd="/", **nobody)
    except (OSError, subprocess.SubprocessError):
        return {}
    return nobody


class UnsafeError(RuntimeError):
    """Whole notebooks would run with the rights of root; the message says what to do."""


def require_safe_user():
    """Raise UnsafeError if root cannot give up its rights."""
    if os.geteuid() == 0 and not identity():
        raise UnsafeError(
            f"{sys.executable}: the user nobody cannot run it, so --re-execute would run submitted "
            "notebooks as root. Grade as an ordinary user, or install Python where all may read it"
        )


def is_near(first, second):
    """Whether two printed numbers, as text, are the same but for rounding errors."""
    absolute = 0 if "e" in second else ABSOLUTE
    difference = abs(float(first) - float(second))
    return difference <= max(absolute, RELATIVE * abs(float(second)))


def numbers(cell):
    """Numbers with a decimal point in what a code cell printed, as text."""
    return NUMBER.findall(printed(cell))


def code_cells_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def differences(saved, fresh):
    """Lines about the cells that failed or whose printed numbers are not the saved ones."""
    found = []
    pairs = zip(code_cells_of(saved), code_cells_of(fresh))
    for count, (before, after) in enumerate(pairs, start=1):
        first_line = after.source.strip().splitlines()[0][:40]
        errors = [o.get("ename") for o in after.outputs if o.get("output_type") == "error"]
        if INTERRUPTED in printed(after) and INTERRUPTED not in printed(before):
            errors.append("interrupted, since it took too long")  # the notebook says so itself
        if errors:
            found.append(f"re-executed, code cell {count} ({first_line}): {errors[0]}")
            continue
        old, new = numbers(before), numbers(after)
        if len(old) != len(new):
            text = f"prints {len(new)} figures, {len(old)} were saved"
        elif wrong := [(a, b) for a, b in zip(old, new) if not is_near(a, b)]:
            text = f"prints {wrong[0][1]}, {wrong[0][0]} was saved"
        else:
            continue
        found.append(f"re-executed, code cell {count} ({first_line}): {text}")
    return found


def run_notebook(folder, name, cell_seconds, user):
    """Execute a notebook in a folder.

    Returns the bytes of the executed notebook, and "" or how it failed. The bytes come through a
    pipe, since the notebook could have put a link in the place of any file; its kernel does not
    have that pipe.
    """
    command = [sys.executable, "-I", "-c", RUNNER, name, str(cell_seconds)]
    homes = ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR")
    variables = environment() | {name: str(folder) for name in homes}
    variables["PATH"] = os.environ.get("PATH", os.defpath)
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **user,
    )
    try:
        executed, errors = process.communicate(timeout=NOTEBOOK_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return b"", f"it did not end within {NOTEBOOK_SECONDS} s"
    last_line = (errors.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
    return executed, "" if process.returncode == 0 else last_line[:200]


def re_execute(path, files, cell_seconds=CELL_SECONDS):
    """Lines about how a new run of a notebook differs from what was saved; none if it does not.

    Args:
        path: the notebook, which stays as it is.
        files: paths of checking.py, of data.pk and of partially_trained.pk.
        cell_seconds: after these a cell is interrupted, and the next one runs.
    """
    try:
        saved = read_notebook(path)
    except NotebookError as error:
        return [f"not re-executed: {error}"]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        checking, data, partially_trained = map(Path, files)
        shutil.copy(checking, folder / "checking.py")
        shutil.copy(checking.with_name("data_files.py"), folder / "data_files.py")
        shutil.copy(data, folder / "data.pk")
        shutil.copy(partially_trained, folder / "partially_trained.pk")
        shutil.copy(path, folder / "submission.ipynb")
        user = identity()
        if user:
            for item in (folder, *folder.iterdir()):
                os.chown(item, NOBODY, NOBODY)
        executed, problem = run_notebook(folder, "submission.ipynb", cell_seconds, user)
    if problem:
        return [f"re-executed: {problem}"]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "executed.ipynb"
        result.write_bytes(executed)
        try:
            return differences(saved, read_notebook(result))
        except NotebookError as error:
            return [f"re-executed: {error}"]
