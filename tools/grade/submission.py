"""Find submissions, and grade one: a dict for JSON with all that is known of it."""

import hashlib
import json
import pickle
import re
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
    NotebookError,
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
    **{"findings": {}, "remark": ""},
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
    """The notebook of a submission, None without one, and a remark on how many there are."""
    path = Path(path)
    if not path.is_dir():
        return path, ""
    found = [file for file in files_in(path) if file.suffix.lower() == ".ipynb"]
    if not found:
        return None, "no notebook was found"
    named = [file for file in found if SUBMITTED_NAME.search(file.name)]
    chosen = (named or found)[-1]
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
    """Bytes of the code and text that students get: what is no solution, and stubs.

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
    if cell_seconds:
        contents[f"full/{DATA.name}"] = Path(path).read_bytes()
    key = printed_gradients("\n".join(key_lines))
    reference = Reference(load_definitions(loaded, notebook), key)
    with sandbox_folder(contents) as folder:
        yield Grader(sandbox, folder, reference, cell_seconds)


def ask(path, grader, limits, **request):
    """Start a process in the sandbox that reads a notebook.

    Returns pairs (header, payload) that it sent, and how it ended, "" if well. Raises OSError.
    """
    if not path.is_file():
        raise OSError(f"{path}: found no file that can be read")
    with path.open("rb") as file:
        request |= {"name": path.name}
        return run(grader.sandbox, grader.folder, file, request, limits)


def what_was_read(lines, ending):
    """The dict in the first line of a process. Raises NotebookError if it read no notebook."""
    first = lines[0][0] if lines else {}
    if "read" not in first:
        failure = first.get("failed") or f"the process that read it {ending}"
        raise NotebookError(str(failure)[:600])
    return first["read"]


def run_functions(path, grader):
    """What is in a notebook, and Calls by function. Raises NotebookError, OSError.

    A function that ends its process or does not end costs the others nothing: they are run in
    another process.
    """
    calls = {function: Calls() for function in FUNCTIONS}
    found, pending, limits = None, [*FUNCTIONS], JUDGING
    while pending:
        lines, ending = ask(path, grader, limits, task="judge", functions=pending)
        found = found or what_was_read(lines, ending)
        for header, payload in lines:
            if header.get("function") in pending:
                calls[header["function"]].add(header, payload)
        left = [function for function in pending if not calls[function].is_done]
        if left and (ending or left == pending):
            calls[left.pop(0)].ending = ending or "ended the Python process (exit code 0)"
            limits = LATER
        pending = left
    return found, calls


def grade(path, grader):
    """The result of one submission: a dict for JSON.

    `submission` and `student` are names; `questions` has a dict for each question with its marks,
    items and remarks; `answers` and `pictures` are cells and data URLs by the number of a written
    question. `remarks` are for student and staff, `staff` for staff alone.
    """
    path, notebook = Path(path), None
    found, calls = NOTHING_READ, {function: Calls() for function in FUNCTIONS}
    questions, remarks, staff = judge(found, calls, grader.reference), [], []
    try:
        notebook, remark = choose_notebook(path)
        remarks.append(remark)
        if notebook:
            if not SUBMITTED_NAME.search(notebook.name):
                remarks.append(f"the file is named {notebook.name}, not hw1_code_<uni>.ipynb")
            found, calls = run_functions(notebook, grader)
            questions = judge(found, calls, grader.reference)
            remarks.append(found["remark"])
            if grader.cell_seconds:
                staff += re_execute(notebook, found, grader)
    except (NotebookError, OSError) as error:
        remarks.append(str(error))
    except Exception as error:  # no submission stops the others
        staff.append(f"it could not be judged: look at it ({type(error).__name__}: {error})")
    if grader.sandbox != BUBBLEWRAP:
        staff.append(f"it was run without bubblewrap, with {grader.sandbox}")
    return {
        "submission": path.name,
        "student": name_of(path, notebook),
        "notebook": str(notebook.resolve()) if notebook else "",
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
    request = {"task": "re_execute", "cell_seconds": grader.cell_seconds}
    try:
        fresh = what_was_read(*ask(path, grader, WHOLE_NOTEBOOK, **request))
    except NotebookError as error:
        return [f"re-executed: {str(error).partition(';')[0]}"]  # without what to do
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
