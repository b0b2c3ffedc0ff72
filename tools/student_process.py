"""What runs the code of a submission, in a process that can do nothing else.

`tools.sandbox` starts this file as a program, with a request on standard input, and reads lines of
JSON from standard output; nobody imports it. It knows neither the reference solution nor the answer
key, and what it reports is only believed where it equals what the grader computed on its own.

Before any foreign code runs, the process gives up its rights: limits of time, memory and file
size; no files but those of Python and its libraries, where Linux has Landlock; the user nobody in
place of root; and an audit hook that refuses new processes and threads, the network and changes of
files on every system.
"""

import ast
import base64
import ctypes
import io
import json
import os
import resource
import signal
import struct
import sys

import numpy as np

# Loaded while everything can still be read, for submissions that import them.
for module in (
    *("collections", "contextlib", "copy", "dataclasses", "enum", "functools", "glob", "itertools"),
    *("logging", "math", "operator", "pathlib", "random", "re", "string", "time", "typing"),
    *("types", "warnings"),
):
    __import__(module)

SUBMISSION = "<submission>"  # as a file name
THIS_FILE = sys._getframe().f_code.co_filename
SET_PARENT_DEATH_SIGNAL, SET_NO_NEW_PRIVILEGES = 1, 38  # of prctl, in Linux
MAX_TEXT = 300  # characters of an error message


# Giving up rights


def limit(kind, value):
    """Set a limit that cannot be raised again."""
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        pass  # macOS does not know all of them


def limit_resources(cpu_seconds, memory_bytes):
    limit(resource.RLIMIT_CPU, cpu_seconds)
    limit(resource.RLIMIT_AS, memory_bytes)
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)


def readable_folders():
    """Folders of Python, its libraries and the system's."""
    folders = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(np.__file__))}
    return [*folders, "/usr/lib", "/usr/share", "/lib", "/lib64", "/dev/null", "/dev/urandom"]


def restrict_files():
    """Allow reading in `readable_folders`, and no other file, connection or signal, by Landlock.

    Linux has it since 5.13, connections since 6.7, signals since 6.12. The numbers are those of the
    kernel's include/uapi/linux/landlock.h. Returns whether it worked.
    """
    create_ruleset, add_rule, restrict_self = 444, 445, 446
    read_file, read_folder = 1 << 2, 1 << 3
    if not sys.platform.startswith("linux"):
        return False
    call = ctypes.CDLL(None).syscall
    version = call(create_ruleset, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files = (1 << 13) - 1 | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    connections, signals = 3 * (version >= 4), 3 * (version >= 6)
    size = 8 * (1 + (version >= 4) + (version >= 6))
    handled = struct.pack("QQQ", files, connections, signals)
    rules = call(create_ruleset, handled, ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    for folder in readable_folders():
        if not os.path.exists(folder):
            continue
        handle = os.open(folder, os.O_PATH)
        allowed = read_file | (read_folder if os.path.isdir(folder) else 0)
        call(add_rule, rules, 1, struct.pack("=Qi", allowed, handle), 0)
        os.close(handle)
    ctypes.CDLL(None).prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return call(restrict_self, rules, 0) == 0


def give_up_identity():
    """A user that no other process has, in place of root; no new processes; an end with the parent.

    A PDF is only read, by pypdf, which loads modules late: for it root stays root, but locked in.
    """
    user = 20_000 + os.getpid() % 40_000
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    limit(resource.RLIMIT_NPROC, 0)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


REFUSED = (
    "_thread.",
    "ctypes.",
    "fcntl.",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.putenv",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "pty.",
    "resource.",
    "shutil.",
    "signal.",
    "socket.",
    "subprocess.",
)


def refuse_other_actions():
    """An audit hook, which cannot be removed, refuses what no solution needs."""
    folders = tuple(os.path.realpath(folder) for folder in readable_folders())
    refused, real_path, frame = REFUSED, os.path.realpath, sys._getframe  # not to be replaced
    text_of, writing = os.fsdecode, os.O_WRONLY | os.O_RDWR

    def hook(event, arguments):
        if event.startswith(refused):
            raise PermissionError(f"a submission may not use {event}")
        if event == "sys.settrace" and not is_library(frame(1)):
            raise PermissionError("a submission may not hide how it works")
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = real_path(text_of(arguments[0]))
            if not path.startswith(folders) or arguments[2] & writing:
                raise PermissionError("a submission may not open files")

    sys.addaudithook(hook)


def is_library(frame):
    """Whether a frame runs code of Python, its libraries or this file, and none of a submission."""
    name = frame.f_code.co_filename
    return name == THIS_FILE or name.startswith(("<frozen", *readable_folders()))


# Arrays and messages


def decode(value):
    """The array, or None, that `tools.sandbox.encode` made into something for JSON."""
    if value is None:
        return None
    array = np.frombuffer(base64.b64decode(value["data"]), value["dtype"])
    return array.reshape(value["shape"]).copy()


def encode(value):
    """An array for JSON, or the name of the type of anything else."""
    if isinstance(value, np.ndarray):
        value = np.asarray(value)  # a matrix, say
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": value.shape, "data": data}
    if type(value) is np.ndarray:
        return {"type": f"array of dtype {value.dtype}"}
    return {"type": type(value).__name__}


def describe(error):
    """One line about an exception."""
    text = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {text}"[:MAX_TEXT].rstrip(": ")


# Running a submission


def execute(source, namespace):
    """Execute a text statement by statement; return what the statements that failed raised."""
    errors = []
    for statement in ast.parse(source).body:
        try:
            exec(compile(ast.Module([statement], []), SUBMISSION, "exec"), namespace)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            errors.append(describe(error))
    return errors


def define(request, sizes):
    """The namespace of the notebook with the functions of the submission."""
    namespace = {"__name__": "hw1_code", "np": np, "numpy": np}
    namespace.update(sizes)
    for source in (*request["helpers"], *request["extras"], *request["solutions"]):
        execute(source, namespace)
    return namespace


def sizes_of(call):
    """Names that the notebook has for the sizes and the words of a problem."""
    vocab = ["[MASK]", *(f"word{i}" for i in range(1, call["V"]))]
    windows = np.ones((1, call["N"]), np.int32)
    data = {"vocab": vocab} | {f"{split}_inputs": windows for split in ("train", "valid", "test")}
    return {"V": call["V"], "N": call["N"], "vocab": vocab, "data": data}


def arguments_of(call, namespace):
    """Positional arguments of a call; a model and activations are made from their arrays."""
    arrays = {name: decode(value) for name, value in call["arrays"].items()}
    if call["function"] == "grad_GLoVe":
        return arrays, list(arrays.values())
    params = namespace["Params"](**{name: arrays.pop(name) for name in call["params"]})
    model = namespace["Model"](params, namespace["vocab"])
    if call["function"] == "compute_loss_derivative":
        return vars(params) | arrays, [model, *arrays.values()]
    activations = namespace["Activations"](*(arrays[name] for name in call["activations"]))
    return vars(params) | arrays, [
        model,
        arrays["input_batch"],
        activations,
        arrays["loss_derivative"],
    ]


def named(result, names):
    """What a function returned, as a dict with the expected names."""
    if len(names) == 1:
        return {names[0]: result}
    if isinstance(result, (tuple, list)) and len(result) == len(names):
        return dict(zip(names, result))
    if isinstance(result, dict):
        return {name: result.get(name) for name in names}
    return {name: getattr(result, name, None) for name in names}


def count_operations(function, arguments):
    """What a call returns, and how many operations of the interpreter it took outside libraries."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if is_library(frame):
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        result = function(*arguments)
    finally:
        sys.settrace(None)
    return result, count


def answer(call, namespace):
    """What a call gives: values, changed arguments, the number of operations, or an error."""
    function = namespace.get(call["function"])
    if not callable(function):
        return {"error": "the function is not defined"}
    arrays, arguments = arguments_of(call, namespace)
    before = {name: None if array is None else array.copy() for name, array in arrays.items()}
    try:
        if call["count"]:
            result, count = count_operations(function, arguments)
        else:
            result, count = function(*arguments), None
    except Exception as error:
        return {"error": describe(error)}
    changed = [name for name, array in arrays.items() if not np.array_equal(array, before[name])]
    values = {name: encode(value) for name, value in named(result, call["names"]).items()}
    return {"values": values, "changed": changed, "operations": count}


def run_submission(request, send):
    """Send an answer to each call; the functions are defined anew for each size of the problem."""
    namespaces = {}
    for number, call in enumerate(request["calls"]):
        size = call["V"], call["N"]
        if size not in namespaces:
            namespaces[size] = define(request, sizes_of(call))
        send({"call": number} | answer(call, namespaces[size]))


def read_pdf(request, send):
    """Send the text of each page of a PDF."""
    import pypdf

    for page in pypdf.PdfReader(io.BytesIO(base64.b64decode(request["content"]))).pages:
        send({"page": page.extract_text()})


def main():
    request = json.load(sys.stdin)
    results = os.fdopen(os.dup(1), "w", buffering=1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what a submission prints or asks for goes nowhere
        os.dup2(nothing, stream)

    def send(message):
        print(json.dumps(message), file=results, flush=True)

    limit_resources(request["cpu_seconds"], request["memory_bytes"])
    send({"files are restricted": restrict_files()})
    if request["task"] == "submission":
        give_up_identity()
    refuse_other_actions()
    try:
        {"submission": run_submission, "pdf": read_pdf}[request["task"]](request, send)
    except BaseException as error:  # SystemExit and KeyboardInterrupt from foreign code, too
        send({"failed": describe(error)})
    send({"finished": True})
    os._exit(0)  # without foreign exit handlers


main()
