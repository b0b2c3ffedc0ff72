"""Run foreign code or read a foreign PDF in a process with limits, and get plain values back."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PROGRAM = Path(__file__).with_name("student_process.py")


@dataclass(frozen=True)
class Limits:
    """What a process may use before it is killed."""

    cpu_seconds: int = 20
    wall_seconds: int = 60  # for those that sleep
    memory_bytes: int = 700 * 2**20
    output_bytes: int = 16 * 2**20  # that are read


LIMITS = Limits()


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
        dtype = np.dtype(str(value["dtype"]))
        if dtype.kind not in "biuf":
            return f"array of dtype {dtype}"
        array = np.frombuffer(base64.b64decode(value["data"]), dtype)
        return array.reshape([int(length) for length in value["shape"]])
    except (TypeError, KeyError, ValueError):
        return "something that is no array"


def environment():
    """Variables for the process: one BLAS thread, and nothing that names a file of ours."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return threads | {"PATH": os.defpath, "LANG": "C.UTF-8"}


def is_message(message):
    return isinstance(message, dict) and all(isinstance(key, str) for key in message)


def read_messages(stream, outcome, n_left):
    """Append the JSON objects in the first `n_left` bytes of a stream to the outcome."""
    while n_left > 0 and (line := stream.readline(n_left)):
        n_left -= len(line)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue  # somebody else wrote this
        if is_message(message):
            outcome.messages.append(message)
    if n_left <= 0:
        outcome.ending = "wrote more than the grader reads"


def run(request, limits=None):
    """Run `student_process` on a request, a dict for JSON with the key "task".

    Returns an Outcome; what was reported counts, however the process ended. The limits are `LIMITS`
    unless others are given.
    """
    limits = limits or LIMITS
    request = request | {"cpu_seconds": limits.cpu_seconds, "memory_bytes": limits.memory_bytes}
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", PROGRAM.read_text(encoding="utf-8")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment(),
        start_new_session=True,
    )
    outcome = Outcome()
    is_late = threading.Event()

    def stop():
        is_late.set()
        kill(process)

    timer = threading.Timer(limits.wall_seconds, stop)
    timer.start()
    try:
        try:
            process.stdin.write(json.dumps(request).encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died early, which the ending will say
        read_messages(process.stdout, outcome, limits.output_bytes)
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        pass  # it closed its output and goes on
    finally:
        kill(process)
        timer.cancel()
        process.stdout.close()
    status = process.wait()
    if is_late.is_set():
        outcome.ending = f"did not end within {limits.wall_seconds} s"
    elif not outcome.values("finished") and not outcome.ending:
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
    """Raise SandboxError if even a harmless program does not come to its end."""
    request = {"task": "submission", "helpers": [], "extras": [], "solutions": []}
    call = {"function": "nothing", "V": 2, "N": 1}
    outcome = run(request | {"calls": [call]})
    if outcome.ending or outcome.values("error") != ["the function is not defined"]:
        raise SandboxError(
            f"{sys.executable}: it cannot run submissions ({outcome.ending or outcome.messages}); "
            "expected Python with NumPy on Linux or macOS. Set the environment up anew."
        )
