"""Run foreign code or read a foreign PDF in a process with limits, and get plain values back."""

import base64
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PROGRAM = Path(__file__).resolve().with_name("student_process.py")


@dataclass(frozen=True)
class Limits:
    """What a process may use before it is killed."""

    cpu_seconds: int = 20
    wall_seconds: int = 60  # for those that sleep
    memory_bytes: int = 500 * 2**20  # beside the 200 MB of the grader in 768 MB
    output_bytes: int = 16 * 2**20  # that are read


LIMITS = Limits()
DTYPES = {np.dtype(code).str for code in "? b h i q B H I Q e f d g".split()}


class SandboxError(RuntimeError):
    """Submissions cannot be run on this machine; the message says why."""


@dataclass
class Outcome:
    """What a process reported, and how it ended ("" if it finished)."""

    messages: list = field(default_factory=list)
    ending: str = ""

    def values(self, key):
        """The values of a key in the messages that have it."""
        return [message[key] for message in self.messages if key in message]


def encode(array):
    """An array as something for JSON; None stays None."""
    if array is None:
        return None
    array = np.ascontiguousarray(array)
    data = base64.b64encode(array.tobytes()).decode()
    return {"dtype": array.dtype.str, "shape": array.shape, "data": data}


def decode(value):
    """The array in a message of a process, or a str that says what was there instead.

    The message may be a forgery: it is read as plain numbers of the stated shape or not at all.
    """
    try:
        if "type" in value:
            return str(value["type"])[:80]
        if value["dtype"] not in DTYPES:
            return "an array of other numbers"
        array = np.frombuffer(base64.b64decode(value["data"]), value["dtype"])
        return array.reshape([int(length) for length in value["shape"]])
    except Exception:  # whatever a forged message makes of this
        return "something that is no array"


def environment():
    """Variables for the process: one BLAS thread, and nothing that names a file of ours.

    With MALLOC_PERTURB_, in Linux, new memory holds the same at each run, and not zeros by chance.
    """
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return threads | {"PATH": os.defpath, "LANG": "C.UTF-8", "MALLOC_PERTURB_": "165"}


def read_output(stream, deadline, n_bytes):
    """Bytes of a stream until its end, and "" or why that was not reached."""
    chunks, n_left = [], n_bytes
    while n_left > 0:
        seconds = deadline - time.monotonic()
        if seconds <= 0 or not select.select([stream], [], [], seconds)[0]:
            return b"".join(chunks), "did not end in time"
        chunk = os.read(stream.fileno(), min(n_left, 2**20))
        if not chunk:
            return b"".join(chunks), ""
        chunks.append(chunk)
        n_left -= len(chunk)
    return b"".join(chunks), "wrote more than the grader reads"


def messages_in(output):
    """The JSON objects in the lines of an output; somebody else may have written between them."""
    for line in output.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict):
            yield message


def run(request, limits=None):
    """Run `student_process` on a request, a dict for JSON with the key "task".

    Returns an Outcome; what was reported counts, however the process ended. The limits are `LIMITS`
    unless others are given.
    """
    limits = limits or LIMITS
    deadline = time.monotonic() + limits.wall_seconds
    request = request | {"cpu_seconds": limits.cpu_seconds, "memory_bytes": limits.memory_bytes}
    process = subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment(),
        start_new_session=True,
    )
    try:
        try:
            process.stdin.write(json.dumps(request).encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died early, which the ending will say
        output, problem = read_output(process.stdout, deadline, limits.output_bytes)
        process.wait(timeout=0 if problem else 1)
    except subprocess.TimeoutExpired:
        pass  # it is late, or closed its output and goes on
    finally:
        kill(process)
        process.stdout.close()
    status = process.wait()
    outcome = Outcome(list(messages_in(output)), problem)
    if not outcome.values("finished") and not problem:
        outcome.ending = describe_status(status, limits.cpu_seconds)
    return outcome


def kill(process):
    """Kill a process and those that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def describe_status(status, cpu_seconds):
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"used more than {cpu_seconds} s of computing time (an endless loop?)"
    if status < 0:
        return f"crashed ({signal.Signals(-status).name})"
    return f"ended the Python process (exit code {status})"


def text_of_bytes(content):
    """Bytes as text for a request."""
    return base64.b64encode(content).decode()


def require_working():
    """Raise SandboxError if even a harmless function does not come to its end.

    Returns "", or a line about what submissions cannot do here.
    """
    source = "def grad_GLoVe():\n    import scipy.special\n    return 0"
    request = {"task": "submission", "helpers": [], "solution": source}
    call = {"function": "grad_GLoVe", "V": 2, "N": 1, "arrays": {}, "names": ["x"], "count": False}
    outcome = run(request | {"calls": [call]})
    if outcome.ending or not outcome.values("call"):
        raise SandboxError(
            f"{sys.executable}: it cannot run submissions ({outcome.ending or outcome.messages}); "
            "expected Python with NumPy on Linux or macOS. Set the environment up anew."
        )
    notes = []
    if True not in outcome.values("files are restricted"):
        notes.append(
            "the system does not keep submissions from reading files here, only Python does. Use "
            "Linux 5.13 or newer with Landlock"
        )
    if problems := outcome.values("error"):
        notes.append(
            f"submissions cannot import SciPy here ({problems[0]}). As root, install Python and "
            "the virtual environment where every user may read them"
        )
    return "; ".join(notes)
