"""Find submissions, and grade one: a dict for JSON with all that is known of it."""

import json
import os
import pickle
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.common import DATA
from tools.grade.judge import Reference, judge
from tools.grade.problems import FUNCTIONS
from tools.grade.sandbox import BUBBLEWRAP, PATIENCE, Limits, run, sandbox_folder
from tools.grade.statements import read_statements, stubs_of
from tools.notebook import (
    PLACEHOLDER_UNIS,
    SUBMITTED_NAME,
    load_definitions,
    printed_gradients,
    provided_lines,
    read_notebook,
)

WINDOWS = 1000  # of each split, in the sandbox: code takes sizes and words from them
CELL_SECONDS = 300
MAX_TEXT = 300  # characters of a line that a process sends
WHOLE_NOTEBOOK = Limits(1200, 1200, 6 * 2**30, 128 * 2**20, 200)
# What training prints differs in the second decimal on other processors.
CROSS_ENTROPY, GRADIENT = 0.02, 0.01
NOTHING_READ = {
    "answers": {},
    "pictures": {},
    "printed": {},
    "final": {},
    "problems": {},
    "findings": {function: [] for function in FUNCTIONS},
    "remark": "",
}
NOT_CALLED = {function: ([], "") for function in FUNCTIONS}


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
    """The notebook (or zip) of a submission, None without one, and a remark if there are others."""
    path = Path(path)
    if not path.is_dir():
        return path, ""
    files = list(files_in(path))
    found = [file for file in files if file.suffix.lower() == ".ipynb"]
    found = found or [file for file in files if file.suffix.lower() == ".zip"]
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
    node = read_notebook(notebook)
    solutions = [c for c in node.cells if c.metadata.get("nbgrader", {}).get("solution")]
    node.cells = [cell for cell in node.cells if cell not in solutions]
    statements, _ = read_statements(node)
    public = {
        "cells": {cell.source for cell in node.cells if cell.cell_type == "code"},
        "lines": provided_lines(node),
        "statements": statements,
        "stubs": stubs_of([cell for cell in solutions if cell.cell_type == "code"]),
    }
    contents = {
        "public.pk": pickle.dumps(public),
        DATA.name: pickle.dumps(few, 4),
        "partially_trained.pk": partially_trained,
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


def run_functions(path, grader):
    """What is in a notebook, calls as `tools.grade.judge.judge` takes them, and "" or a failure.

    A function that ends its process or does not end costs the others nothing: they are run in
    another process. The failure says why the notebook cannot be read.
    """
    found, calls, pending, failure = NOTHING_READ, dict(NOT_CALLED), [*FUNCTIONS], ""
    while pending and not failure:
        limits = Limits(*PATIENCE[any(ending for _, ending in calls.values())])
        request = {"task": "judge", "name": path.name, "functions": pending}
        with open_file(path) as file:
            outcome = run(grader.sandbox, grader.folder, file, request, limits)
        function = None
        for header, payload in outcome.frames:
            if found is NOTHING_READ and header.get("read") is True:
                found = json.loads(payload)
            elif header.get("begin") in pending:
                function = header["begin"]
                calls[function] = [], ""
            elif function:
                calls[function][0].append((header, payload))
            elif header.get("failed"):
                failure = str(header["failed"])[:600]
        if function:
            calls[function] = calls[function][0], outcome.ending
            pending = pending[pending.index(function) + 1 :]
        else:
            failure = failure or f"{path.name}: the process that read it {outcome.ending}"
    return found, calls, failure


def grade(path, grader):
    """The result of one submission: a dict for JSON.

    `submission` and `student` are names; `questions` has a dict for each question with its marks,
    items and remarks; `answers` and `pictures` are cells and data URLs by the number of a written
    question. `remarks` are for student and staff, `staff` for staff alone.
    """
    path = Path(path)
    notebook, remark = choose_notebook(path)
    remarks, staff, found = [remark], [], NOTHING_READ
    grades = judge(NOTHING_READ, NOT_CALLED, grader.reference)
    if notebook is None:
        remarks.append("no notebook was found")
    else:
        try:
            found, calls, failure = run_functions(notebook, grader)
            grades = judge(found, calls, grader.reference)
            remarks += [failure, found["remark"]]
            if grader.cell_seconds and not failure:
                staff += re_execute(notebook, found, grader)
        except OSError as error:
            remarks.append(str(error))
        except Exception as error:  # no submission stops the others
            staff.append(f"it could not be judged: look at it ({type(error).__name__}: {error})")
        if not SUBMITTED_NAME.search(notebook.name):
            remarks.append(f"the file is named {notebook.name}, not hw1_code_<uni>.ipynb")
    if grader.sandbox != BUBBLEWRAP:
        staff.append(f"it was run without bubblewrap, with {grader.sandbox}")
    return {
        "submission": path.name,
        "student": name_of(path, notebook),
        "notebook": str(notebook.relative_to(path.parent)) if notebook else "",
        "file": str(notebook.resolve()) if notebook else "",
        "questions": [grade.as_dict() for grade in grades.values()],
        "remarks": [remark for remark in remarks if remark],
        "staff": staff,
        "answers": found["answers"],
        "pictures": found["pictures"],
    }


# Running it again


def re_execute(path, found, grader):
    """Lines for staff about how a new run of a notebook differs from what it has saved.

    Compared is what comes out the same on another processor: printed gradients, cross-entropies.
    """
    request = {"task": "re_execute", "name": path.name, "cell_seconds": grader.cell_seconds}
    with open_file(path) as file:
        outcome = run(grader.sandbox, grader.folder, file, request, WHOLE_NOTEBOOK)
    fresh = next((json.loads(payload) for header, payload in outcome.frames if payload), None)
    if fresh is None:
        failed = outcome.last("failed") or {"failed": f"the process {outcome.ending}"}
        return [f"re-executed: {failed['failed']}"]
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
            wrong.append(name)
    if not wrong:
        return []
    name = wrong[0]
    texts = [f"{figures[name]:.6g}" if name in figures else "nothing" for figures in (fresh, saved)]
    others = f", and {len(wrong) - 1} more differ" if wrong[1:] else ""
    return [f"re-executed: {name} is {texts[0]}, {texts[1]} was saved{others}"]
