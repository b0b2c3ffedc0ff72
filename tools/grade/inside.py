"""What runs in the sandbox: reads a submission, calls its functions, or runs it from top to bottom.

`tools.grade.sandbox` starts this as a program in a folder with the few files that it needs. The
notebook comes on standard input; what is found goes to standard output in lines: a dict as JSON, a
tab, and perhaps an array, as the base64 of a .npy file. Neither the reference solution nor a right
result is in here, so that nothing it sends can earn marks but what equals them.
"""

import base64
import contextlib
import copy
import io
import json
import linecache
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import types
from pathlib import Path

import numpy as np

import checking
from tools.grade.problems import FUNCTIONS, arguments_of, named_results, problems_of
from tools.grade.statements import findings, needed, read_statements, written_lines
from tools.notebook import (
    EXPERIMENT,
    NotebookError,
    answers,
    code_cells,
    final_figures,
    first_line,
    grade_id,
    parse_notebook,
    pictures,
    place_of,
    printed,
    printed_gradients,
    provided_lines,
    read_notebook,
    run,
)

FILES = ("checking.py", "data.pk", "partially_trained.pk")
HANDED_OUT = "handed_out.ipynb"  # the notebook without its solutions
MANY = 100  # more than anybody answers
MOST_PRINTED = 10_000  # entries of gradients; students print those of other batches, too
MAX_TEXT = 300  # characters of a message
LARGEST_ANSWERS = 24 * 2**20  # characters of all that is read
LARGEST_ANSWER = 20_000  # characters of a cell, if that is too much
SLOW = 1.0  # seconds of processor; right calls take a tenth of that


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


def read_figures(notebook):
    """What a notebook has printed of gradients and of its training, a dict for JSON."""
    found = {"printed": {}, "final": {}}
    for cell in code_cells(notebook):
        text = printed(cell)
        found["printed"] |= printed_gradients(text)
        final = final_figures(text)  # students train again in cells of their own
        is_asked_for = grade_id(cell) == "train"
        found["final"] = found["final"] | final if is_asked_for else final | found["final"]
    found["printed"] = dict(list(found["printed"].items())[:MOST_PRINTED])
    return found


def read(notebook, provided):
    """What a grader needs of a notebook besides its functions, a dict for JSON.

    provided: lines that were handed out.
    """
    found = read_figures(notebook) | {"remark": ""}
    found["pictures"] = {number: urls[:MANY] for number, urls in pictures(notebook).items()}
    found["answers"] = {
        number: [{key: cell.get(key, {}) for key in ("source", "attachments")} for cell in cells]
        for number, cells in answers(notebook, provided).items()
    }
    if len(json.dumps(found)) > LARGEST_ANSWERS:
        found |= {"pictures": {}, "remark": "its answers are too large to be shown whole"}
        for number, cells in found["answers"].items():
            sources = [cell["source"][:LARGEST_ANSWER] for cell in cells[:MANY]]
            found["answers"][number] = [{"source": source} for source in sources]
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
            exec(statement.code, namespace)
        except BaseException as error:  # an exit, too, ends this statement only
            errors.append(describe(error, places))
    return namespace, errors


def unfinished(function, error, places):
    """What a function had computed when it failed: by tensor, `name_grad` or `name`."""
    known = {}
    for frame, _ in traceback.walk_tb(error.__traceback__):  # of decorators and helpers, too
        known |= frame.f_locals if frame.f_code.co_filename in places else {}
    return {name: known.get(f"{name}_grad", known.get(name)) for name in FUNCTIONS[function]}


def call(function, method, problem, namespace, places):
    """What a function computes, values by name, an error or "", and whether arguments changed."""
    arrays = before = []
    try:
        arguments = arguments_of(function, problem, namespace)
        arrays = [value for value in arguments if isinstance(value, np.ndarray)]
        before = copy.deepcopy(arrays)
        random.seed(problem.seed)
        np.random.seed(problem.seed)
        values, error = named_results(function, method(*arguments)), ""
    except BaseException as met:  # an exit, too, ends this call only
        values, error = unfinished(function, met, places), describe(met, places)
    return values, error, not all(map(np.array_equal, arrays, before))


def try_function(function, statements, send, places):
    """Define what a function needs, call it on its problems, and send what it returns."""
    names = {function, f".{function}", "vocab"}
    if function != "grad_GLoVe":
        names |= {"Params", "Activations", "Model"}
    namespace, errors = define(needed(statements, names), places)
    method = getattr(namespace.get("Model"), function, None) or namespace.get(function)
    if not callable(method):
        send(function=function, error=errors[0] if errors else "is not written yet")
        return
    for number, problem in enumerate(problems_of(function)):
        values, error, is_changed = call(function, method, problem, namespace, places)
        if problem.V is not None:  # where sizes may be numbers
            error = ""
        elif error and errors:
            error = f"{errors[0]}; {error}"
        send(function=function, error=error, changed=is_changed)
        for name in FUNCTIONS[function]:
            value = values.get(name)
            if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
                send(value, function=function, problem=number, name=name)
            else:
                text = checking.describe(value)
                send(function=function, problem=number, name=name, text=text)


def judge(notebook, request, send):
    """Send what is in the notebook, and then what its functions return."""
    handed_out = read_notebook(HANDED_OUT)
    lines = provided_lines(handed_out)
    found = read(notebook, lines)
    given = code_cells(handed_out)
    known = [written_lines(cell.source) for cell in given]  # so that copies do no harm
    own = read_statements(
        (number, cell)
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and written_lines(cell.source) not in known
    )
    statements = read_statements(  # no function needs an experiment that was handed out
        (number, cell)
        for number, cell in enumerate(given, start=1)
        if not (grade_id(cell) in FUNCTIONS or EXPERIMENT in cell.metadata.get("tags", []))
    )
    statements += own
    found["findings"] = {
        name: findings(needed(own, {name, f".{name}"}), lines)[:MANY] for name in FUNCTIONS
    }
    send(read=found)
    for statement in own:  # for messages
        linecache.cache[statement.place] = 0, None, statement.lines, statement.place
    places = {statement.place for statement in own}
    start = time.process_time()
    for function in request["functions"]:
        try_function(function, statements, send, places)
        send(function=function, done=True)
        if time.process_time() - start > SLOW:  # the next has a process, and so a limit, of its own
            break


# Running the whole notebook


def re_execute(notebook, request, send):
    """Run a notebook from top to bottom and send its errors and what it prints."""
    folder = Path(tempfile.mkdtemp())
    for name in FILES:
        full = Path("full", name).resolve()  # a file that is smaller for judging
        (folder / name).symlink_to(full if full.exists() else Path(name).resolve())
    os.environ["HOME"] = str(folder)
    options = {"allow_errors": True, "interrupt_on_timeout": True, "kernel_name": "python3"}
    run(notebook, folder, timeout=request["cell_seconds"], **options)
    found = read_figures(notebook) | {"errors": []}
    for number, cell in enumerate(code_cells(notebook), start=1):
        kinds = [str(o.get("ename")) for o in cell.outputs if o.get("output_type") == "error"]
        found["errors"] += [f"{place_of(number, cell)}: {kind}"[:MAX_TEXT] for kind in kinds]
    send(read=found)


def open_channel():
    """A function that sends to the grader; what a submission prints or asks for goes nowhere."""
    stream = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)

    def send(array=None, **header):
        payload = io.BytesIO()
        if array is not None:
            np.save(payload, array, allow_pickle=False)
        line = json.dumps(header).encode() + b"\t" + base64.b64encode(payload.getvalue())
        stream.write(line + b"\n")
        stream.flush()

    return send


def main():
    request = json.loads(sys.argv[1])
    source = os.fdopen(os.dup(0), "rb")
    send = open_channel()
    give_up_rights(request)
    try:
        with source:
            notebook = parse_notebook(source.read(), request["name"])
        {"judge": judge, "re_execute": re_execute}[request["task"]](notebook, request, send)
    except NotebookError as error:
        send(failed=str(error)[: 2 * MAX_TEXT])
    except BaseException as error:  # what a broken file makes of the libraries, memory above all
        send(failed=f"{request['name']}: it cannot be read ({type(error).__name__})")
    os._exit(0)  # without foreign exit handlers


if __name__ == "__main__":
    main()
