"""Make the zip for students: the notebook without its solutions, and all that they need.

    python -m tools.release.students_zip -o hw1.zip
    python -m tools.release.students_zip -o hw1.zip --term 2026 --key key.txt --staff staff

Solutions become stubs that name their question, answers become "YOUR ANSWER HERE", outputs go.
Before the zip is written, all its files are searched for expressions of the solutions, sentences
and figures of the answers, and printed gradients; if one is found, nothing is written.

With --term the zip holds a partially trained model of that term's own, so the printed gradients of
other terms are no help. The same term makes the same bytes again. --staff writes a folder for the
staff: the reference notebook, run from top to bottom on the files of this release, so that it
prints the gradients of this term; the run takes two minutes. Students must not get it, nor the key.
"""

import argparse
import copy
import logging
import shlex
from pathlib import Path

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

import checking
from tools.common import (
    DATA,
    NOTEBOOK,
    PARTIALLY_TRAINED,
    ROOT,
    SENTENCES,
    clear_exit,
    require_different_files,
    require_writable,
    room_files,
    write_atomically,
    zip_bytes,
)
from tools.notebook import NotebookError, clean, notebook_bytes, read_notebook, run
from tools.pdf import __main__ as make_pdf
from tools.questions import QUESTIONS
from tools.reference import add_key_arguments, key_inputs, read_key
from tools.release.leaks import (
    figure_traces,
    find_traces,
    notebook_traces,
    pdf_text,
    text_of,
    text_traces,
)

FOLDER = "hw1"  # in the zip
README = Path(__file__).with_name("student_readme.md")
REQUIREMENTS = "tools/requirements.txt"
COPIED = ("requirements.txt", "LICENSE", "written/problems.pdf")
STUDENT_FILES = (
    "checking.py",
    "data_files.py",
    "tools/__init__.py",
    "tools/common.py",
    "tools/notebook.py",
    "tools/questions.py",
    "tools/pdf",
)


class ReleaseError(ValueError):
    """No release can be made; the message says why, and what to do."""


# The notebook


MESSAGES = {
    question.grade_id: f'"{question.number}: {question.title} (not written yet)"'
    for question in QUESTIONS
}


class ClearNamedSolutions(ClearSolutions):
    """nbgrader's preprocessor, with stubs that name the question."""

    def preprocess_cell(self, cell, resources, cell_index):
        message = MESSAGES.get(cell.metadata.get("nbgrader", {}).get("grade_id"), "")
        self.code_stub = {"python": f"# YOUR CODE HERE\nraise NotImplementedError({message})"}
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
    """Text of tools/requirements.txt for students: the notebook's, and what makes the PDF."""
    return "\n".join(["-r ../requirements.txt", *make_pdf.PACKAGES.values(), ""])


def student_files(reference, data, partially_trained, sentences=None):
    """Contents of the zip: a dict from a name to bytes.

    Args:
        reference: node of the reference notebook.
        data, partially_trained, sentences: bytes of the three files; sentences may be missing.
    """
    readme = README.read_text(encoding="utf-8").splitlines(keepends=True)
    names = [*COPIED, *room_files(*STUDENT_FILES)]
    files = {name: (ROOT / name).read_bytes() for name in names}
    files[REQUIREMENTS] = student_requirements().encode()
    files[NOTEBOOK.name] = notebook_bytes(student_version(reference))
    files[DATA.name] = data
    files[PARTIALLY_TRAINED.name] = partially_trained
    if sentences is not None:
        files[SENTENCES.name] = sentences
    kept = (line for line in readme if sentences is not None or SENTENCES.name not in line)
    files["README.md"] = "".join(kept).encode()
    return files


# The search for solutions


def traces_of_solutions(reference, key_lines):
    """List of all `Trace` of the reference notebook, the answer key and the written solutions.

    What the solutions of the written problems repeat from the problems is no secret.
    Raises ReleaseError if a solution is not Python.
    """
    try:
        traces = list(notebook_traces(reference))
    except SyntaxError as error:
        raise ReleaseError(
            f"a solution has the line {error.text.strip()!r}, which is not Python ({error.msg}): "
            "mend it, and put whole statements between the markers"
        ) from error
    for line in key_lines:
        traces += figure_traces(line.split()[-1], f"the printed {line.split()[0]}")
    problems, solutions = (
        [
            (ROOT / "written" / f"{name}.md").read_text(encoding="utf-8"),
            pdf_text((ROOT / "written" / f"{name}.pdf").read_bytes()),
        ]
        for name in ("problems", "solutions")
    )
    written = [t for text in solutions for t in text_traces(text, "the written solutions")]
    public = find_traces("\n".join(problems), written)
    return traces + [trace for trace in written if trace not in public]


def require_no_traces(files, traces):
    """Raise ReleaseError if a file (dict from names to bytes) holds a trace of a solution."""
    for name, content in tqdm(files.items(), "searching for solutions", leave=False):
        if found := find_traces(text_of(name, content), traces):
            raise ReleaseError(
                f"{name} holds {len(found)} traces of solutions, such as {found[0].text[:80]!r} of "
                f"{found[0].origin}: take them out, or between the markers of a solution"
            )


# The command


def staff_names():
    """Names of the files in the folder for the staff, the notebook last."""
    return ["checking.py", "data_files.py", DATA.name, PARTIALLY_TRAINED.name, NOTEBOOK.name]


def write_staff_folder(folder, reference, files):
    """Write the reference notebook with the outputs of a run on the files of a release.

    files: dict from names to bytes, as `student_files` returns it.
    Raises NotebookError if a cell fails, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in staff_names()[:-1]:
        write_atomically(folder / name, files[name])
    notebook = copy.deepcopy(reference)
    run(notebook, folder)
    clean(notebook)
    write_atomically(folder / NOTEBOOK.name, notebook_bytes(notebook))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("-o", "--output", required=True, type=Path, help="the zip for students")
    add_key_arguments(parser)
    add("--sentences", type=Path, help="the text of --data; other data are released without it")
    add("--key", type=Path, metavar="FILE", help="write the answer key, for staff")
    add("--staff", type=Path, metavar="FOLDER", help="write the executed reference, for staff")
    return parser.parse_args()


def key_command(arguments):
    """The command that prints the answer key of a term."""
    command = ["python", "-m", "tools.reference", "--term", arguments.term]
    if arguments.data.resolve() != DATA:
        command += ["--data", str(arguments.data)]
    if arguments.notebook.resolve() != NOTEBOOK:
        command += ["--notebook", str(arguments.notebook)]
    return shlex.join(command)


def require_outputs(arguments, sentences):
    """Raise an error if a file cannot be written, or would overwrite another one.

    Raises SameFileError, ReleaseError and OSError.
    """
    staff = arguments.staff
    outputs = [("-o", arguments.output), ("--key", arguments.key), ("--staff", staff)]
    outputs += [("--staff", staff / name) for name in (staff_names() if staff else ())]
    require_different_files(outputs, [*key_inputs(arguments), ("the text", sentences)])
    for path in (arguments.output, arguments.key):
        if path is not None:
            require_writable(path)
    if staff is not None and staff.exists() and not staff.is_dir():
        raise ReleaseError(f"{staff}: found a file; expected a folder, or the name of a new one")


@clear_exit(ReleaseError, NotebookError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    logging.disable()  # nbgrader logs what it also raises
    sentences = arguments.sentences or (SENTENCES if arguments.data.resolve() == DATA else None)
    require_outputs(arguments, sentences)
    reference = read_notebook(arguments.notebook)
    sentences_bytes = sentences.read_bytes() if sentences else None
    key_lines, model_bytes = read_key(arguments)
    files = student_files(reference, arguments.data.read_bytes(), model_bytes, sentences_bytes)
    traces = traces_of_solutions(reference, key_lines)
    require_no_traces(files, traces)

    zipped = zip_bytes({f"{FOLDER}/{name}": content for name, content in files.items()})
    write_atomically(arguments.output, zipped)
    print(f"{arguments.output}: {len(files)} files, without any of {len(traces)} solution traces")
    if arguments.key:
        write_atomically(arguments.key, "\n".join([*key_lines, ""]).encode())
        print(f"{arguments.key}: the answer key, for staff")
    elif arguments.term:
        print(f"the answer key, for staff:  {key_command(arguments)}")
    if arguments.staff:
        write_staff_folder(arguments.staff, reference, files)
        print(f"{arguments.staff}: the reference notebook with this release's outputs, for staff")


if __name__ == "__main__":
    main()
