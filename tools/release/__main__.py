"""Make the zip for students: the notebook without its solutions, and all that they need.

    python -m tools.release -o hw1.zip
    python -m tools.release -o hw1.zip --term 2026 --staff staff

Solutions become stubs that name their question, answers become "YOUR ANSWER HERE", outputs go.
Before the zip is written, the reference solution has to pass its own checks on the files of this
release, and all files are searched for expressions of the solutions, sentences of the answers and
printed gradients. If a check fails or a trace is found, nothing is written.

With --term the zip holds a partially trained model of that term's own, so the printed gradients of
other terms are no help; the same term gives the same model again. --staff writes a folder for the
staff: the reference notebook, run from top to bottom on the files of this release, so that it
prints the gradients of this term. Students must not get it.

The text goes into the zip if the data were made from it: the file of --sentences, or else
raw_sentences.txt beside the data. So does a file LICENSE-DATA beside the data.
"""

import copy
import logging
from pathlib import Path

import nbgrader.preprocessors as nbgrader
import numpy as np
from nbgrader.nbgraderformat import ValidationError

import checking
from tools.common import (
    DATA,
    NOTEBOOK,
    PARTIALLY_TRAINED,
    ROOT,
    SENTENCES,
    clear_exit,
    command_parser,
    require_writable,
    room_files,
    write_atomically,
    zip_bytes,
)
from tools.notebook import (
    HANDED_OUT,
    NotebookError,
    cell_of,
    clean,
    grade_id,
    notebook_bytes,
    read_notebook,
    run,
)
from tools.questions import QUESTIONS
from tools.reference import add_key_arguments, read_key
from tools.release.leaks import find_traces, letters_and_digits, traces_of_solutions

FOLDER = "hw1"  # in the zip
STAFF_FILES = ("checking.py", DATA.name, PARTIALLY_TRAINED.name)  # beside the notebook
README = Path(__file__).with_name("student_readme.md")
COURSE = ROOT / "written" / "course.md"  # deadline and policies, for a place in the README
COURSE_PLACE = "<!-- course -->\n"
DATA_LICENCE = "LICENSE-DATA"
OPTIONAL = {SENTENCES.name, DATA_LICENCE}
COPIED = (
    *("requirements.txt", "LICENSE", "written/problems.pdf", "checking.py", "tools/__init__.py"),
    *("tools/common.py", "tools/notebook.py", "tools/questions.py", "tools/pdf"),
)
REQUIREMENTS = "tools/requirements.txt"
# Lines of it that students need: the notebook's packages, and those of tools/pdf.
STUDENT_PACKAGES = ("-r", "markdown-it-py", "pypandoc-binary", "pypdf", "typst")


class ReleaseError(ValueError):
    """No release can be made; the message says why, and what to do."""


# The notebook


class ClearNamedSolutions(nbgrader.ClearSolutions):
    """nbgrader's preprocessor, with stubs that name the question."""

    def preprocess_cell(self, cell, resources, cell_index):
        names = [f"{q.number}: {q.title}" for q in QUESTIONS if q.grade_id == grade_id(cell)]
        message = f'"{names[0]} (not written yet)"' if names else ""
        stub = f"# YOUR CODE HERE\nraise NotImplementedError({message})"
        self.code_stub = {"python": stub}
        return super().preprocess_cell(cell, resources, cell_index)


PREPROCESSORS = (  # those of `nbgrader generate_assignment` that need no database, in its order
    nbgrader.LockCells,
    ClearNamedSolutions,
    nbgrader.ClearOutput,
    nbgrader.CheckCellMetadata,
    nbgrader.ClearHiddenTests,
    nbgrader.ClearMarkScheme,
    nbgrader.ComputeChecksums,
    nbgrader.CheckCellMetadata,
)


def student_version(reference):
    """The students' notebook node, made from the reference notebook's, which stays as it is.

    Raises ReleaseError unless each question has its cell, and each solution is marked as nbgrader
    needs it.
    """
    notebook = copy.deepcopy(reference)
    clean(notebook)
    try:
        for preprocessor in PREPROCESSORS:
            notebook, _ = preprocessor().preprocess(notebook, {})
    except (RuntimeError, ValidationError) as error:
        raise ReleaseError(f"nbgrader stopped: {error}") from error
    for question in QUESTIONS:
        cell = cell_of(reference, question.grade_id)
        if cell is None:
            raise ReleaseError(
                f"question {question.number}: found no cell with nbgrader's grade_id "
                f"{question.grade_id!r}; release the reference notebook, not a student's"
            )
        is_code_to_write = cell.cell_type == "code" and cell.metadata.nbgrader.get("solution")
        if is_code_to_write and "### BEGIN SOLUTION" not in cell.source:
            raise ReleaseError(
                f"question {question.number}: found no line ### BEGIN SOLUTION in its cell; put "
                "it before the solution, and ### END SOLUTION behind it"
            )
    return notebook


# The other files


def student_readme(data_files):
    """Text of the README, with what the course has written about deadlines and policies.

    A line about a file that may be missing, and is missing, is left out.
    """
    course = COURSE.read_text(encoding="utf-8") + "\n" if COURSE.is_file() else ""
    lines = README.read_text(encoding="utf-8").splitlines(keepends=True)
    absent = OPTIONAL - set(data_files)
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
    packages = (ROOT / REQUIREMENTS).read_text(encoding="utf-8").splitlines(keepends=True)
    files[REQUIREMENTS] = "".join(p for p in packages if p.startswith(STUDENT_PACKAGES)).encode()
    files["README.md"] = student_readme(data_files).encode()
    return files


def window_not_in(text, data, n_windows=1000):
    """A window of the data that stands in no line of a text, as str; None if none was found.

    Of n_windows random windows all have to be in the text of which the data were made, whatever
    spaces, punctuation and capitals it had before it was tokenized.

    Args:
        text: str with a sentence a line.
        data: dict as `checking.load_data` returns it.
    """
    lines = "\n".join(letters_and_digits(line) for line in text.splitlines())
    windows = np.vstack([data[f"{split}_inputs"] for split in ("train", "valid", "test")])
    rows = np.random.RandomState(0).randint(len(windows), size=n_windows)
    for window in windows[rows]:
        words = [data["vocab"][index] for index in window]
        if letters_and_digits("".join(words)) not in lines:
            return " ".join(words)
    return None


def choose_text(arguments):
    """The text of the data: a dict from its name to bytes, or an empty one, and a line about it.

    Raises ReleaseError if the text that is asked for is not that of the data, OSError.
    """
    path = text_path(arguments)
    if not (arguments.sentences or path.is_file()):
        return {}, f"without a text: there is no {path}"
    content = path.read_bytes()
    text = content.decode("utf-8-sig", errors="replace")
    window = window_not_in(text, checking.load_data(arguments.data))
    if window is None:
        return {SENTENCES.name: content}, f"with the text {path}"
    problem = f"found no {window!r} in its lines, a window of {arguments.data}"
    if arguments.sentences:
        raise ReleaseError(f"{path}: {problem}; expected the text of which the data were made")
    return {}, f"without the text {path}: {problem}"


def require_no_traces(files, traces):
    """Raise ReleaseError if a file (dict from names to bytes) holds a trace of a solution."""
    found = find_traces(files, traces)
    if found:
        name, trace = found[0]
        n_traces = sum(other == name for other, _ in found)
        raise ReleaseError(
            f"{name} holds {n_traces} traces of solutions, such as {trace.text[:80]!r} of "
            f"{trace.origin}: take them out, or between the markers of a solution"
        )


def write_staff_folder(folder, reference, files):
    """Write the reference notebook with the outputs of a run on the files of a release.

    files: dict from names to bytes, as `student_files` returns it.
    Raises NotebookError if a cell fails, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in STAFF_FILES:
        write_atomically(folder / name, files[name])
    notebook = copy.deepcopy(reference)
    run(notebook, folder)
    clean(notebook)
    write_atomically(folder / NOTEBOOK.name, notebook_bytes(notebook))


# The command


def parse_arguments():
    parser = command_parser(__doc__)
    add = parser.add_argument
    add("-o", "--output", required=True, type=Path, help="the zip for students")
    add_key_arguments(parser)
    add("--sentences", type=Path, help="the text of which the data were made")
    add("--staff", type=Path, metavar="FOLDER", help="write the executed reference, for staff")
    return parser.parse_args()


def text_path(arguments):
    return arguments.sentences or arguments.data.with_name(SENTENCES.name)


def require_outputs(arguments):
    """Raise OSError if the zip cannot be written, ReleaseError if files would be overwritten."""
    if arguments.output.suffix != ".zip":
        raise ReleaseError(f"{arguments.output}: expected a name that ends in .zip after -o")
    require_writable(arguments.output)
    read = arguments.notebook, arguments.data, arguments.partially_trained
    if arguments.staff and arguments.staff.resolve() in [path.resolve().parent for path in read]:
        raise ReleaseError(
            f"{arguments.staff}: has files of the same names, which would be overwritten: name "
            "another folder after --staff"
        )


@clear_exit(ReleaseError, NotebookError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    logging.disable()  # nbgrader logs what it also raises
    require_outputs(arguments)
    reference = read_notebook(arguments.notebook)
    key_lines, model = read_key(arguments)
    text, about_text = choose_text(arguments)
    licence = arguments.data.with_name(DATA_LICENCE)
    licences = {DATA_LICENCE: licence.read_bytes()} if licence.is_file() else {}
    data_files = {DATA.name: arguments.data.read_bytes(), PARTIALLY_TRAINED.name: model}
    files = student_files(reference, data_files | text | licences)
    traces = traces_of_solutions(reference, key_lines)
    require_no_traces(files, traces)

    zipped = zip_bytes({f"{FOLDER}/{name}": content for name, content in files.items()})
    write_atomically(arguments.output, zipped)
    print(f"{arguments.output}: {len(files)} files, without any of {len(traces)} solution traces")
    print(f"{arguments.output}: {about_text}")
    if arguments.staff:
        write_staff_folder(arguments.staff, reference, files)
        print(f"{arguments.staff}: the reference notebook with this release's outputs, for staff")


if __name__ == "__main__":
    main()
