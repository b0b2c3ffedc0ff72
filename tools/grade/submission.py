"""Find submissions, and grade one: a dict for JSON with all that is known of it."""

import hashlib
import json
import os
import pickle
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.common import DATA, PARTIALLY_TRAINED, write_atomically
from tools.grade.judge import Calls, Reference, judge
from tools.grade.problems import FUNCTIONS
from tools.grade.sandbox import BUBBLEWRAP, JUDGING, LATER, WHOLE_NOTEBOOK, run, sandbox_folder
from tools.notebook import (
    PLACEHOLDER_UNIS,
    SUBMITTED_NAME,
    grade_id,
    load_definitions,
    printed_gradients,
    read_notebook,
)

WINDOWS = 1000  # of each split, in the sandbox: code takes sizes and words from them
CELL_SECONDS = 300
JUDGED = "judged"  # folder of the results
MAX_TEXT = 300  # characters of a line that a process sends
# What training prints differs in the second decimal on other processors.
CROSS_ENTROPY, GRADIENT = 0.02, 0.01
SOLUTION = re.compile(r"(?ms)^ *### BEGIN SOLUTION$.*?^ *### END SOLUTION$")
NOTHING_READ = {
    **{"answers": {}, "pictures": {}, "printed": {}, "final": {}},
    **{"problems": {}, "findings": {}, "remark": ""},
}


# Finding submissions and their notebooks


def is_ours(path):
    """Whether a file or folder is a student's: no link, nothing hidden, not macOS's own."""
    return not (path.is_symlink() or path.name.startswith((".", "__MACOSX")))


def find_submissions(folder):
    """The submissions in a folder, sorted paths of folders, notebooks and zips; and other files."""
    paths = sorted(path for path in Path(folder).iterdir() if is_ours(path))
    found = [path for path in paths if path.is_dir() or path.suffix.lower() in (".ipynb", ".zip")]
    return found, [path for path in paths if path not in found and path.suffix.lower() != ".pdf"]


def files_in(folder):
    """The student's files in a folder and its subfolders, sorted."""
    for path in sorted(filter(is_ours, folder.iterdir())):
        yield from files_in(path) if path.is_dir() else [path]


def choose_notebook(path):
    """The notebook of a submission, None without one, and a remark if there are others."""
    path = Path(path)
    if not path.is_dir():
        return path, ""
    found = [file for file in files_in(path) if file.suffix.lower() == ".ipynb"]
    named = [file for file in found if SUBMITTED_NAME.search(file.name)]
    chosen = (named or found or [None])[-1]
    others = ", ".join(file.name for file in found if file != chosen)
    return chosen, f"{chosen.name} is judged; there are also {others}" if others else ""


def name_of(path, notebook):
    """The student's name: what the name of the notebook says, or else the submission's."""
    path = Path(path)
    found = SUBMITTED_NAME.search(notebook.name) if notebook else None
    uni = re.sub(r" \(\d+\)$", "", found["uni"]) if found else ""  # a browser's second copy
    if uni and uni.lower() not in PLACEHOLDER_UNIS:
        return uni
    return path.name if path.is_dir() else path.stem


# Grading one


@dataclass
class Grader:
    """What it takes to grade a submission.

    sandbox, folder: as `tools.grade.sandbox` has them. cell_seconds: for the cells of a notebook
    that is run again; None: it is not.
    """

    sandbox: str
    folder: Path
    reference: Reference
    cell_seconds: int = None


def handed_out(notebook):
    """Bytes of the notebook that students get, without outputs: what is no solution, and stubs.

    notebook: node of the reference.
    """
    cells = []
    for cell in notebook.cells:
        is_solution = cell.metadata.get("nbgrader", {}).get("solution")
        if not is_solution or grade_id(cell) in FUNCTIONS:
            kept = {key: cell[key] for key in ("cell_type", "metadata")}
            cells.append(kept | {"source": SOLUTION.sub("", cell.source)})
    return json.dumps({"cells": cells, "nbformat": 4}).encode()


@contextmanager
def make_grader(sandbox, notebook, data, partially_trained, key_lines, cell_seconds=None):
    """A Grader, whose folder exists as long as the context.

    Args:
        notebook: path of the reference.
        data: pair (path of data.pk, dict as `checking.load_data` returns it).
        partially_trained: bytes of partially_trained.pk.
        key_lines: as `tools.reference.answer_key` returns them.
    """
    path, loaded = data
    few = {k: v[:WINDOWS] if isinstance(v, np.ndarray) else v for k, v in loaded.items()}
    contents = {
        "handed_out.ipynb": handed_out(read_notebook(notebook)),
        DATA.name: pickle.dumps(few, 4),
        PARTIALLY_TRAINED.name: partially_trained,
    }
    files = {f"full/{DATA.name}": path} if cell_seconds else {}
    key = printed_gradients("\n".join(key_lines))
    reference = Reference(load_definitions(loaded, notebook), key)
    with sandbox_folder(files, contents) as folder:
        yield Grader(sandbox, folder, reference, cell_seconds)


def open_file(path):
    """A file that is open for reading. Raises OSError, also if it is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path}: found no file that can be read")
    return os.fdopen(descriptor, "rb")


def ask(path, grader, limits, **request):
    """Start a process in the sandbox that reads a notebook.

    Returns a dict with what it read, {} if it cannot be read, pairs (header, payload) that it sent
    afterwards, how it ended, and why the notebook cannot be read, or "".
    """
    with open_file(path) as file:
        request |= {"name": path.name}
        lines, ending = run(grader.sandbox, grader.folder, file, request, limits)
    first = lines[0][0] if lines else {}
    failure = first.get("failed") or f"{path.name}: the process that read it {ending}"
    failure = "" if "read" in first else str(failure)[:600]
    return first.get("read", {}), lines[1:], ending, failure


def run_functions(path, grader):
    """What is in a notebook, Calls by function, and why the notebook cannot be read, or "".

    A function that ends its process or does not end costs the others nothing: they are run in
    another process.
    """
    calls = {function: Calls() for function in FUNCTIONS}
    found, pending, limits, failure = {}, [*FUNCTIONS], JUDGING, ""
    while pending and not failure:
        read, lines, ending, failure = ask(path, grader, limits, task="judge", functions=pending)
        found = found or read
        for header, payload in lines:
            if header.get("function") in pending:
                calls[header["function"]].add(header, payload)
        done = [function for function in pending if ({"done": function}, b"") in lines]
        pending = [function for function in pending if function not in done]
        if pending and not failure and (ending or not done):
            calls[pending.pop(0)].ending = ending or "ended the Python process (exit code 0)"
            limits = LATER
    return NOTHING_READ | found, calls, failure


def grade(path, grader):
    """The result of one submission: a dict for JSON.

    `submission` and `student` are names; `questions` has a dict for each question with its marks,
    items and remarks; `answers` and `pictures` are cells and data URLs by the number of a written
    question. `remarks` are for student and staff, `staff` for staff alone.
    """
    path = Path(path)
    remarks, staff, found, notebook = [], [], NOTHING_READ, None
    questions = judge(found, {function: Calls() for function in FUNCTIONS}, grader.reference)
    try:
        notebook, remark = choose_notebook(path)
        remarks.append(remark)
        if notebook is None:
            remarks.append("no notebook was found")
        else:
            if not SUBMITTED_NAME.search(notebook.name):
                remarks.append(f"the file is named {notebook.name}, not hw1_code_<uni>.ipynb")
            found, calls, failure = run_functions(notebook, grader)
            questions = judge(found, calls, grader.reference)
            remarks += [failure, found["remark"]]
            if grader.cell_seconds and not failure:
                staff += re_execute(notebook, found, grader)
    except OSError as error:
        remarks.append(str(error))
    except Exception as error:  # no submission stops the others
        staff.append(f"it could not be judged: look at it ({type(error).__name__}: {error})")
    if grader.sandbox != BUBBLEWRAP:
        staff.append(f"it was run without bubblewrap, with {grader.sandbox}")
    return {
        "submission": path.name,
        "student": name_of(path, notebook),
        "notebook": str(notebook.relative_to(path.parent)) if notebook else "",
        "file": str(notebook.resolve()) if notebook else "",
        "questions": questions,
        "remarks": [remark for remark in remarks if remark],
        "staff": staff,
        "answers": found["answers"],
        "pictures": found["pictures"],
    }


# Results


def file_name(submission):
    """A name for the files about a submission, with no sign that some system forbids."""
    plain = re.sub(r"[^\w.-]", "_", submission).strip(".")[:80]
    if plain == submission:
        return plain
    return f"{plain}-{hashlib.sha256(submission.encode(errors='replace')).hexdigest()[:6]}"


def write_text(path, text):
    """Write a text as UTF-8, whatever a file name or an answer held. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode(errors="replace"))


def write_result(path, result):
    """Write a result, as `tools.grade.submission.grade` returns it, to a JSON file, or a folder."""
    path = Path(path)
    path = path / f"{file_name(result['submission'])}.json" if path.is_dir() else path
    write_text(path, json.dumps(result) + "\n")


# Running it again


def re_execute(path, found, grader):
    """Lines for staff about how a new run of a notebook differs from what it has saved.

    Compared is what comes out the same on another processor: printed gradients, cross-entropies.
    """
    seconds = grader.cell_seconds
    fresh, _, _, failure = ask(
        path, grader, WHOLE_NOTEBOOK, task="re_execute", cell_seconds=seconds
    )
    if failure:
        return [f"re-executed: {failure}"]
    lines = [f"re-executed, {str(line)[:MAX_TEXT]}" for line in fresh["errors"][:20]]
    for kind, allowed in (("printed", 0.0), ("final", CROSS_ENTROPY)):
        lines += differences(found[kind], fresh[kind], allowed)
    return lines


def differences(saved, fresh, allowed):
    """A line for what is not the same but for rounding errors.

    saved, fresh: dicts of figures. allowed: how much they may differ; 0: by a part of their size.
    """
    wrong = []
    for name in saved | fresh:
        old, new = saved.get(name, np.nan), fresh.get(name, np.nan)
        if not abs(old - new) <= (allowed or GRADIENT * abs(old)):  # nor is NaN ever the same
            wrong.append(f"{name} is {new:.6g}, {old:.6g} was saved")
    more = f", and {len(wrong) - 1} more differ" if wrong[1:] else ""
    return [f"re-executed: {line}{more}" for line in wrong[:1]]
