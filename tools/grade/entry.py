"""Grade one submission: read it, judge it, and look at its PDF."""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np

from tools.common import NOTEBOOK
from tools.grade import sandbox
from tools.grade.judge import Reference, is_same, judge
from tools.grade.report import Result
from tools.grade.submission import UNI, Submission, read_submission
from tools.notebook import LARGEST, NotebookError, load_definitions, printed_gradients

NAME = re.compile(r"hw1_code_[A-Za-z0-9]+\.ipynb")  # as the handout wants it


@dataclass
class Entry:
    """The files of one student: paths of the notebook and the PDF, or None."""

    student: str
    notebook: Path = None
    pdf: Path = None
    remark: str = ""


def files_in(folder, suffix):
    """Files in a folder and its subfolders, sorted; no links, hidden or macOS's own files."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == suffix
        and path.is_file()
        and not path.is_symlink()
        and not any(
            part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts
        )
    )


def choose_notebook(folder):
    """The notebook in a folder and its subfolders, and a remark if there are several."""
    found = files_in(folder, ".ipynb")
    exact = [path for path in found if NAME.fullmatch(path.name)]
    named = [path for path in found if UNI.search(path.name)]
    chosen = (exact or named or found or [None])[-1]
    others = ", ".join(path.name for path in found if path != chosen)
    return chosen, f"{chosen.name} is judged; there are also {others}" if others else ""


def choose_pdf(notebook, folder):
    """The PDF with the name of the notebook, or else the last one in the folder; None without."""
    beside = notebook.with_suffix(".pdf") if notebook else None
    if beside and beside.is_file() and not beside.is_symlink():
        return beside
    found = files_in(folder, ".pdf") if folder else []
    return found[-1] if found else None


def pdf_warnings(pdf, submission, key):
    """What staff should know about the printed gradients in a PDF."""
    try:
        if pdf.stat().st_size > LARGEST:
            return [f"{pdf.name}: larger than {LARGEST // 2**20} MB, not read"]
        content = pdf.read_bytes()
    except OSError as error:
        return [f"{pdf.name}: it cannot be read ({error.strerror})"]
    outcome = sandbox.run({"task": "pdf", "content": sandbox.text_of_bytes(content)})
    problems = [*outcome.values("failed"), *([outcome.ending] if outcome.ending else [])]
    if problems:
        return [f"{pdf.name}: it cannot be read ({problems[0]})"]
    printed = printed_gradients("\n".join(str(text) for text in outcome.values("page")))
    if not printed:
        return [f"{pdf.name}: no printed gradients in its text (a picture?): look"]
    warnings = []
    if not all(name in printed and is_same(printed[name], key[name]) for name in key):
        warnings.append(f"{pdf.name}: its printed gradients are not those of the key")
    if printed != submission.printed:
        warnings.append(f"{pdf.name}: its printed gradients are not those of the notebook")
    return warnings


def grade_entry(entry, reference, progress=lambda result: None):
    """The Result of an Entry.

    progress: is called with the result so far after each question.
    """
    result = Result(entry.student)
    result.remarks += [entry.remark] if entry.remark else []
    submission = Submission()
    if entry.notebook is None:
        result.remarks.append("no notebook was found")
    else:
        result.notebook = entry.notebook.name
        try:
            submission = read_submission(entry.notebook, reference)
        except (NotebookError, OSError) as error:
            result.remarks.append(str(error))
    result.remarks += submission.remarks.get("", [])
    result.answers = submission.answers

    def show(grades):
        result.grades = grades
        progress(result)

    result.grades = judge(submission, reference, show)
    for grade in result.grades:
        result.warnings += [f"{grade.number}: {warning}" for warning in grade.warnings]
    if entry.pdf is not None:
        result.pdf = entry.pdf.name
        result.warnings += pdf_warnings(entry.pdf, submission, reference.key)
    return result


def small_data():
    """Data on which the definitions of the notebook can be executed, in no time."""
    windows = np.ones((1, 4), np.int32)
    data = {"vocab": ["[MASK]", "a", "b", "c"]}
    for split in ("train", "valid", "test"):
        data[f"{split}_inputs"] = data[f"{split}_targets"] = windows
    return data


def make_reference(key_lines, notebook=NOTEBOOK, seed=0):
    """What the judge knows: a `Reference`.

    key_lines: lines of `tools.reference.answer_key`.
    """
    definitions = load_definitions(small_data(), notebook)
    key = printed_gradients("\n".join(key_lines))
    return Reference(nbformat.read(notebook, as_version=4), definitions, key, seed)
