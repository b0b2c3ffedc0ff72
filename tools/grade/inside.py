"""What runs in the sandbox: reads a submission, calls its functions, or runs it from top to bottom.

`tools.grade.sandbox` starts this as a program in a folder with the few files that it needs. The
notebook comes on standard input; what is found goes to standard output in frames: a line of JSON,
and the bytes that it announces. Neither the reference solution nor a right result is in here, so
that nothing it sends can earn marks but what equals them.
"""

import contextlib
import io
import json
import linecache
import os
import pickle
import random
import resource
import sys
import time
import traceback
import types
import zipfile
from pathlib import Path

import numpy as np

from tools.grade.problems import (
    FUNCTIONS,
    NEEDED,
    TENSORS,
    arguments_of,
    arrays_in,
    named_results,
    problems_of,
)
from tools.grade.statements import findings, needed, read_statements, without_empty_copies
from tools.notebook import (
    LARGEST,
    NotebookError,
    answers,
    code_cells,
    final_figures,
    first_line,
    parse_notebook,
    pictures,
    place_of,
    printed,
    printed_gradients,
)

FILES = ("checking.py", "data.pk", "partially_trained.pk")
MANY = 100  # more than anybody prints or answers
MAX_TEXT = 300  # characters of a message
LARGEST_ANSWERS = 24 * 2**20  # characters of all answers and pictures
SLOW = 1.0  # seconds of processor; right calls, with reading, take a third of that


class Channel:
    """Sends frames to the grader; what a submission prints or asks for goes nowhere."""

    def __init__(self):
        self.stream = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)

    def send(self, payload=b"", **header):
        line = json.dumps(header | {"bytes": len(payload)}).encode()
        self.stream.write(line + b"\n" + payload)
        self.stream.flush()


# Rights


def limit(kind, value):
    with contextlib.suppress(ValueError, OSError):  # macOS does not know all of them
        resource.setrlimit(kind, (value, value))


def give_up_rights(limits):
    """Limits that cannot be raised again, and for root a user that no other process has.

    limits: dict with cpu_seconds, memory_bytes, file_bytes and processes.
    """
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_AS, limits["memory_bytes"])
    limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    limit(resource.RLIMIT_CPU, limits["cpu_seconds"])
    with contextlib.suppress(OSError):  # if memory runs out, this process has to go first
        Path("/proc/self/oom_score_adj").write_text("1000")
    if os.geteuid() == 0:
        user = 20_000 + int.from_bytes(os.urandom(4), "big") % 1_000_000
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    limit(resource.RLIMIT_NPROC, limits["processes"])
    for module in (os, np):  # what is imported later has to be readable still
        Path(module.__file__).open().close()


# Reading


def notebook_in(content, name):
    """The notebook node in the bytes of a file, or in the zip that they are, and a remark.

    Raises NotebookError.
    """
    if len(content) > LARGEST:
        size = f"{name}: larger than {LARGEST // 2**20} MB"
        raise NotebookError(f"{size}; clear its outputs and run it again")
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return parse_notebook(content, name), ""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [
            member.filename
            for member in archive.infolist()
            if member.filename.endswith(".ipynb") and "__MACOSX" not in member.filename
        ]
        if not names:
            raise NotebookError(f"{name}: found a zip without a notebook")
        with archive.open(names[-1]) as member:
            content = member.read(LARGEST)
    return parse_notebook(content, names[-1]), f"it is a zip, in which {names[-1]} is judged"


def read_figures(notebook):
    """What a notebook has printed of gradients and of its training, a dict for JSON."""
    found = {"printed": {}, "final": {}}
    for cell in code_cells(notebook):
        text = printed(cell)
        found["printed"].update(list(printed_gradients(text).items())[:MANY])
        found["final"].update(final_figures(text))
    return found


def read(notebook, remark, provided):
    """What a grader needs of a notebook besides its functions, a dict for JSON.

    provided: lines that were handed out.
    """
    found, n_left = {"remark": remark} | read_figures(notebook), LARGEST_ANSWERS
    cells = {
        number: [
            {"source": cell.source, "attachments": cell.get("attachments", {})}
            for cell in own[:MANY]
        ]
        for number, own in answers(notebook, provided).items()
    }
    for kind, parts in (("answers", cells), ("pictures", pictures(notebook))):
        found[kind] = {number: [] for number in parts}
        for number, of_question in parts.items():
            for part in of_question:
                n_left -= len(json.dumps(part))
                if n_left >= 0:
                    found[kind][number].append(part)
    if n_left < 0:
        found["remark"] += "; " * bool(remark) + "some answers are too large to be shown"
    return found


# Calling the functions


def describe(error, places):
    """A line about an exception, whose class may be a submission's, and where it was raised."""
    try:
        text = first_line(error)[:MAX_TEXT]
    except BaseException:
        text = ""
    line = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if (place := frame.f_code.co_filename) in places:
            line = f" in {place}, line {number}: {linecache.getline(place, number).strip()[:80]}"
    kind = type(error).__name__
    return f"{kind}{line}" if text == kind else f"{kind}: {text}{line}"


def define(statements, places):
    """A namespace in which statements were executed, and a line about each that failed."""
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    namespace, errors = module.__dict__, []
    namespace |= {"np": np, "display": lambda *values, **options: None, "get_ipython": lambda: None}
    for statement in statements:
        try:
            exec(statement.compiled(), namespace)
        except BaseException as error:  # an exit, too, ends this statement only
            errors.append(describe(error, places))
    return namespace, errors


def unfinished(function, error, places):
    """What a function had computed when it failed: by tensor, `name_grad` or `name`."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    known = next((f.f_locals for f in frames if f.f_code.co_filename in places), {})
    values = {name: known.get(f"{name}_grad", known.get(name)) for name in TENSORS[function]}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def call(function, method, problem, namespace, places):
    """A dict of what a function computes, and a dict for JSON about how it went."""
    arguments = arguments_of(function, problem, namespace)
    named = {f"argument {number}": value for number, value in enumerate(arguments, start=1)}
    before = {name: array.copy() for name, array in arrays_in(named).items()}
    random.seed(problem.seed)
    np.random.seed(problem.seed)
    error = ""
    try:
        values = named_results(function, method(*arguments))
    except BaseException as problem_met:  # an exit, too, ends this call only
        error = describe(problem_met, places)
        values = unfinished(function, problem_met, places)
    after = arrays_in(named)
    changed = [k for k, array in before.items() if not np.array_equal(array, after.get(k))]
    return values, {"error": error, "changed": changed}


def try_function(function, statements, channel, places):
    """Define what a function needs, call it on its problems, and send what it returns."""
    channel.send(begin=function)
    names = [function, f".{function}", *NEEDED[function]]
    namespace, errors = define(needed(statements, names), places)
    method = getattr(namespace.get("Model"), function, None) or namespace.get(function)
    if not callable(method):
        channel.send(error=f"is not defined{': ' if errors else ''}{''.join(errors[:1])}")
        return
    for number, problem in enumerate(problems_of(function)):
        try:
            values, how = call(function, method, problem, namespace, places)
        except BaseException as error:  # in a provided function that the student has changed
            values, how = {}, {"error": describe(error, places), "changed": []}
        if how["error"] and errors:
            how["error"] = f"{errors[0]}; {how['error']}"
        channel.send(problem=number, **how)
        for name in TENSORS[function]:
            send_array(channel, number, name, values.get(name))


def send_array(channel, number, name, value):
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)  # plain, should it be a matrix
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        dtype, shape = value.dtype.str, list(value.shape)
        channel.send(value.tobytes(), array=[number, name], dtype=dtype, shape=shape)
    else:
        kind = type(value).__name__
        kind = f"array of dtype {value.dtype}" if kind == "ndarray" else kind
        channel.send(array=[number, name], type=kind)


def judge(notebook, remark, request, channel):
    """Send what is in the notebook, and then what its functions return."""
    public = pickle.loads(Path("public.pk").read_bytes())
    found = read(notebook, remark, public["lines"])
    provided = public["statements"]
    handed_out = {statement.text for statement in provided}
    notebook.cells = [cell for cell in notebook.cells if cell.source not in public["cells"]]
    statements, problems = read_statements(notebook)
    own = [statement for statement in statements if statement.text not in handed_out]
    statements = provided + without_empty_copies(own, public["stubs"])
    found |= {"problems": problems, "findings": {}}
    for function in FUNCTIONS:
        used = needed(own, [function, f".{function}"])
        found["findings"][function] = findings(used, public["lines"])[:MANY]
    channel.send(json.dumps(found).encode(), read=True)
    places = {statement.place for statement in own}
    for statement in own:  # for messages
        linecache.cache[statement.place] = 0, None, statement.lines, statement.place
    for function in request["functions"]:
        try_function(function, statements, channel, places)
        if time.process_time() > SLOW:  # the next has a process, and so a limit, of its own
            break


# Running the whole notebook


def re_execute(notebook, remark, request, channel):
    """Run a notebook from top to bottom and send its errors and what it prints."""
    import tempfile

    from nbclient import NotebookClient

    folder = Path(tempfile.mkdtemp())
    for name in FILES:
        full = Path("full", name).resolve()  # a file that is smaller for judging
        (folder / name).symlink_to(full if full.exists() else Path(name).resolve())
    os.environ["HOME"] = str(folder)
    client = NotebookClient(
        notebook,
        timeout=request["cell_seconds"],
        interrupt_on_timeout=True,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    found = read_figures(notebook) | {"errors": []}
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
        kinds = [str(o.get("ename")) for o in cell.outputs if o.get("output_type") == "error"]
        found["errors"] += [f"{place_of(number, cell)}: {kind}"[:MAX_TEXT] for kind in kinds]
    channel.send(json.dumps(found).encode(), read=True)


def main():
    request = json.loads(sys.argv[1])
    source = os.fdopen(os.dup(0), "rb")
    channel = Channel()
    give_up_rights(request)
    try:
        notebook, remark = notebook_in(source.read(LARGEST + 1), request["name"])
        {"judge": judge, "re_execute": re_execute}[request["task"]](
            notebook, remark, request, channel
        )
    except NotebookError as error:
        channel.send(failed=str(error)[: 2 * MAX_TEXT])
    except BaseException as error:  # what a broken file makes of the libraries, memory above all
        channel.send(failed=f"{request['name']}: it cannot be read ({type(error).__name__})")
    channel.send(finished=True)
    os._exit(0)  # without foreign exit handlers


if __name__ == "__main__":
    main()
