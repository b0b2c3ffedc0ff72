"""What is in the zip for students: the notebook without its solutions, and all that they need."""

import copy
import unicodedata
from pathlib import Path

import numpy as np
from nbgrader.nbgraderformat import ValidationError
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from tqdm import tqdm

from tools.common import NOTEBOOK, ROOT, SENTENCES, room_files
from tools.notebook import HANDED_OUT, clean, notebook_bytes
from tools.questions import QUESTIONS
from tools.release.leaks import (
    find_traces,
    gradient_traces,
    notebook_traces,
    prose_traces,
    text_of,
    text_traces,
)
from tools.rubric import RUBRIC

README = Path(__file__).with_name("student_readme.md")
COURSE = ROOT / "written" / "course.md"  # deadline and policies
COURSE_PLACE = "<!-- course -->\n"  # in the README
DATA_LICENCE = "LICENSE-DATA"
OPTIONAL = (SENTENCES.name, DATA_LICENCE)
COPIED = (
    "requirements.txt",
    "LICENSE",
    "written/problems.pdf",
    "checking.py",
    "tools/__init__.py",
    "tools/common.py",
    "tools/notebook.py",
    "tools/questions.py",
    "tools/pdf",
)
REQUIREMENTS = "tools/requirements.txt"
PDF_PACKAGES = ("markdown-it-py", "pypandoc-binary", "pypdf", "typst")  # that only tools/pdf needs


class ReleaseError(ValueError):
    """No release can be made; the message says why, and what to do."""


# The notebook


class ClearNamedSolutions(ClearSolutions):
    """nbgrader's preprocessor, with stubs that name the question."""

    def preprocess_cell(self, cell, resources, cell_index):
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        messages = (
            f'"{question.number}: {question.title} (not written yet)"'
            for question in QUESTIONS
            if question.grade_id == grade_id
        )
        stub = f"# YOUR CODE HERE\nraise NotImplementedError({next(messages, '')})"
        self.code_stub = {"python": stub}
        return super().preprocess_cell(cell, resources, cell_index)


PREPROCESSORS = (  # those of `nbgrader generate_assignment` that need no database, in its order
    LockCells,
    ClearNamedSolutions,
    ClearOutput,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
)


def require_questions(notebook):
    """Raise ReleaseError unless each question has its cell, and each solution its markers."""
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    for question in QUESTIONS:
        cell = cells.get(question.grade_id)
        if cell is None:
            raise ReleaseError(
                f"question {question.number}: found no cell with nbgrader's grade_id "
                f"{question.grade_id!r}; release the reference notebook, not a student's"
            )
        begins, ends = (cell.source.count(f"### {edge} SOLUTION") for edge in ("BEGIN", "END"))
        is_code_to_write = cell.cell_type == "code" and cell.metadata.nbgrader.get("solution")
        if begins != ends or (is_code_to_write and begins == 0):
            raise ReleaseError(
                f"question {question.number}: found {begins} lines ### BEGIN SOLUTION and {ends} "
                "### END SOLUTION in its cell; expected a pair of them around the solution"
            )


def student_version(reference):
    """The students' notebook node, made from the reference notebook's, which stays as it is.

    Raises ReleaseError if something in it is not marked as nbgrader needs it.
    """
    require_questions(reference)
    notebook = copy.deepcopy(reference)
    clean(notebook)
    try:
        for preprocessor in PREPROCESSORS:
            notebook, _ = preprocessor().preprocess(notebook, {})
    except (RuntimeError, ValidationError) as error:
        raise ReleaseError(f"nbgrader stopped: {error}") from error
    return notebook


# The other files


def student_requirements():
    """Text of tools/requirements.txt for students: the notebook's packages and those for the PDF.

    The versions are those of the staff.
    """
    lines = (ROOT / REQUIREMENTS).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith(("-r", *PDF_PACKAGES)))


def student_readme(data_files):
    """Text of the README, with what the course has written about deadlines and policies.

    A line about a file that may be missing, and is missing, is left out.
    """
    course = COURSE.read_text(encoding="utf-8") + "\n" if COURSE.is_file() else ""
    lines = README.read_text(encoding="utf-8").splitlines(keepends=True)
    absent = set(OPTIONAL) - set(data_files)
    kept = (line for line in lines if not any(name in line for name in absent))
    return "".join(kept).replace(COURSE_PLACE, course)


def student_files(reference, data_files):
    """Contents of the zip: a dict from a name to bytes.

    Args:
        reference: node of the reference notebook.
        data_files: dict from a name to bytes: data.pk and partially_trained.pk; raw_sentences.txt
            and LICENSE-DATA may be missing.

    Raises ReleaseError as `student_version` does, OSError.
    """
    files = {name: (ROOT / name).read_bytes() for name in room_files(*COPIED)} | data_files
    files[NOTEBOOK.name] = notebook_bytes(student_version(reference))
    # By this copy the tools tell what a student has written.
    files[HANDED_OUT.relative_to(ROOT).as_posix()] = files[NOTEBOOK.name]
    files[REQUIREMENTS] = student_requirements().encode()
    files["README.md"] = student_readme(data_files).encode()
    return files


def untokenized(text):
    """What tokenizing leaves of a text: lower case, without spaces and control characters."""
    text = unicodedata.normalize("NFC", text).lower().replace("\u2019", "'")
    dropped = (c for c in set(text) if unicodedata.category(c)[0] in "ZC" and c != "\n")
    return text.translate(dict.fromkeys(map(ord, dropped)))


def window_not_in(text, data, n_windows=1000):
    """A window of the data that stands in no line of a text, as str; None if none was found.

    Of n_windows random windows all have to be in the text of which the data were made.

    Args:
        text: str with a sentence a line, its tokens separated by spaces or not.
        data: dict as `checking.load_data` returns it.
    """
    text = untokenized(text)
    windows = np.vstack([data[f"{split}_inputs"] for split in ("train", "valid", "test")])
    rows = np.random.RandomState(0).randint(len(windows), size=n_windows)
    for window in windows[rows]:
        words = [data["vocab"][index] for index in window]
        if untokenized("".join(words)) not in text:
            return " ".join(words)
    return None


# The search for solutions


def traces_of_solutions(reference, key_lines):
    """List of all `Trace` of the reference notebook, the answer key and the written solutions.

    What the solutions of the written problems repeat from the problems is no secret.
    Raises ReleaseError if a solution is not Python.
    """
    try:
        traces = notebook_traces(reference)
    except SyntaxError as error:
        raise ReleaseError(
            f"a solution has the line {error.text.strip()!r}, which is not Python ({error.msg}): "
            "correct it, and put whole statements between the markers"
        ) from error
    traces += gradient_traces(key_lines)
    for number, points in RUBRIC.items():
        texts = [point.partition(": ")[2] for point in points]  # after the marks
        traces += prose_traces(texts, f"the rubric of question {number}")
    problems, solutions = (
        (ROOT / "written" / f"{name}.md").read_text(encoding="utf-8")
        for name in ("problems", "solutions")
    )
    written = text_traces(solutions, "the written solutions")
    public = find_traces(problems, written)
    return traces + [trace for trace in written if trace not in public]


def require_no_traces(files, traces):
    """Raise ReleaseError if a file (dict from names to bytes) holds a trace of a solution."""
    for name, content in tqdm(files.items(), "searching for solutions", leave=False):
        if found := find_traces(text_of(name, content), traces):
            raise ReleaseError(
                f"{name} holds {len(found)} traces of solutions, such as {found[0].text[:80]!r} of "
                f"{found[0].origin}: take them out, or between the markers of a solution"
            )
