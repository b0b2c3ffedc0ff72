"""What runs the code of a submission, in a process that can do nothing else.

`tools.grade.sandbox` starts this file as a program, with a request on standard input, and reads lines of
JSON from standard output; nobody imports it. It knows neither the reference solution nor the answer
key. Values that it reports earn marks only where they equal what the grader computed on its own;
whether a submission changes its arguments, and how it grows, has to be taken from here.

Before any foreign code runs, the process gives up its rights: limits of time, memory and file
size; no files but those of Python and its libraries, where Linux has Landlock; the user nobody in
place of root; and an audit hook that refuses new processes and threads, the network and changes of
files on every system.
"""

import __future__

import ast
import base64
import ctypes
import io
import json
import os
import random
import resource
import signal
import struct
import sys
import types
from sys import settrace  # by name, as is array_equal: a submission may replace those of modules

import numpy as np
from numpy import array_equal
from numpy.random import seed as seed_numpy

# Loaded while everything can still be read, for submissions that import them.
for module in (
    *("collections", "contextlib", "copy", "dataclasses", "enum", "functools", "glob", "itertools"),
    *("logging", "math", "operator", "pathlib", "random", "re", "string", "time", "typing"),
    *("types", "warnings"),
):
    __import__(module)

SUBMISSION = "<submission>"  # as a file name
LAZY = __future__.annotations.compiler_flag  # annotations of functions are not evaluated
SET_PARENT_DEATH_SIGNAL, SET_NO_NEW_PRIVILEGES = 1, 38  # of prctl, in Linux
MAX_TEXT = 300  # characters of an error message
SPLITS = ("train", "valid", "test")


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


def is_inside(path, folders):
    """Whether a path is one of the folders or in one."""
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


LIBRARIES = ("<frozen", __file__, *(folder + os.sep for folder in readable_folders()))


def is_library(code):
    """Whether code is that of Python, its libraries or this file, and none of a submission."""
    return code.co_filename.startswith(LIBRARIES)


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
    "gc.",
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


# Events by which code could escape being counted: with another trace, or a library's file name.
HIDING = ("sys.settrace", "marshal.loads", "compile", "code.__new__")


def refuse_other_actions():
    """An audit hook, which cannot be removed, refuses what no solution needs."""
    folders = tuple(os.path.realpath(folder) for folder in readable_folders())
    refused, real_path, frame = REFUSED, os.path.realpath, sys._getframe  # not to be replaced
    text_of, writing, inside = os.fsdecode, os.O_WRONLY | os.O_RDWR, is_inside
    hiding, libraries = HIDING, LIBRARIES

    def hook(event, arguments):
        if event.startswith(refused):
            raise PermissionError(f"a submission may not use {event}")
        if event in hiding and not frame(1).f_code.co_filename.startswith(libraries):
            names = arguments[1:2]  # of the file, if the event is that code is made
            if not names or str(names[0]).startswith(libraries):
                raise PermissionError("a submission may not hide how it works")
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = real_path(text_of(arguments[0]))
            if not inside(path, folders) or arguments[2] & writing:
                raise PermissionError("a submission may not open files")

    sys.addaudithook(hook)


# Arrays and messages


def decode(value):
    """The array, or None, that `tools.grade.sandbox.encode` made into something for JSON."""
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
    """One line about an exception, whose class may be a submission's."""
    try:
        text = str(error).strip().split("\n")[0]
    except BaseException:
        text = ""
    return f"{type(error).__name__}: {text}"[:MAX_TEXT].rstrip(": ")


# Running a submission


def execute(source, namespace):
    """Execute a text statement by statement; return what the statements that failed raised."""
    errors = []
    for statement in ast.parse(source).body:
        try:
            code = compile(ast.Module([statement], []), SUBMISSION, "exec", LAZY)
            exec(code, namespace)
        except BaseException as error:  # an exit, too, stops this statement only
            errors.append(describe(error))
    return errors


def define(request, sizes):
    """The namespace of the notebook with a solution, and what went wrong in its statements."""
    namespace = {"__name__": "__main__", "np": np, "numpy": np}
    namespace |= {"display": lambda *values, **options: None, "get_ipython": lambda: None}
    namespace.update(sizes)
    for source in request["helpers"]:
        execute(source, namespace)
    return namespace, execute(request["solution"], namespace)


def sizes_of(call):
    """Names that the notebook has for the sizes, the words and the counts of a problem."""
    vocab = ["[MASK]", *(f"word{i}" for i in range(1, call["V"]))]
    windows = np.ones((1, call["N"]), np.int32)
    counts = np.zeros((call["V"], call["V"]))
    return {
        "V": call["V"],
        "N": call["N"],
        "vocab": vocab,
        "word_index": {word: index for index, word in enumerate(vocab)},
        "data": {"vocab": vocab} | {f"{split}_inputs": windows for split in SPLITS},
        "log_co_occurrence_train": counts,
        "log_co_occurrence_valid": counts.copy(),
    }


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


def run(function, arguments, is_counted):
    """Call a function of a submission.

    Returns:
        What it returned, the exception that ended it or None, and how many operations of the
        interpreter it took outside libraries, or None if those are not counted.
    """
    count = 0

    def enter(frame, event, argument):
        if is_library(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        return add

    def add(frame, event, argument):
        nonlocal count
        count += event == "opcode"
        return add

    result = problem = None
    settrace(enter if is_counted else None)
    try:
        result = function(*arguments)
    except BaseException as error:  # an exit, too, ends this call only
        problem = error
    finally:
        settrace(None)
    return result, problem, count if is_counted else None


def unfinished(error, names):
    """What a function had computed when it failed, under the expected names or `name_grad`."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename != SUBMISSION:
        trace = trace.tb_next
    found = trace.tb_frame.f_locals if trace else {}
    values = {name: found.get(f"{name}_grad", found.get(name)) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def answer(call, namespace, errors, seed):
    """What a call gives: values, changed arguments, the number of operations, an error.

    errors: what went wrong in the statements of the solution; seed: of the random numbers, so that
    what is right by chance is so at each run.
    """
    name = call["function"]
    function = getattr(namespace.get("Model"), name, None) or namespace.get(name)
    if not callable(function):
        return {"error": f"is not defined: {errors[-1] if errors else 'no function'}"}
    arrays, arguments = arguments_of(call, namespace)
    before = {name: None if array is None else array.copy() for name, array in arrays.items()}
    random.seed(seed)
    seed_numpy(seed)
    result, error, count = run(function, arguments, call["count"])
    changed = [name for name, array in arrays.items() if not array_equal(array, before[name])]
    message = {"changed": changed, "operations": count}
    if error is None:
        values = named(result, call["names"])
    else:
        values = unfinished(error, call["names"])
        message["error"] = f"raised {describe(error)}"
    return message | {"values": {name: encode(value) for name, value in values.items()}}


def run_submission(request, send):
    """Send an answer to each call; the solution is defined anew for each size of the problem."""
    sys.modules["__main__"] = types.ModuleType("__main__")  # a submission finds nothing of this one
    namespaces = {}
    for number, call in enumerate(request["calls"]):
        size = call["V"], call["N"]
        if size not in namespaces:
            namespaces[size] = define(request, sizes_of(call))
        send({"call": number} | answer(call, *namespaces[size], seed=number))


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
