"""Make the zip for students: the notebook without its solutions, and all that they need.

    python -m tools.release -o hw1.zip
    python -m tools.release -o hw1.zip --term 2026 --key key.txt --staff staff

Solutions become stubs that name their question, answers become "YOUR ANSWER HERE", outputs go.
Before the zip is written, all its files are searched for expressions of the solutions, sentences
and figures of the answers, and printed gradients; if one is found, nothing is written.

With --term the zip holds a partially trained model of that term's own, so the printed gradients of
other terms are no help. The same term makes the same bytes again. --staff writes a folder for the
staff: the reference notebook, run from top to bottom on the files of this release, so that it
prints the gradients of this term; the run takes two minutes. Students must not get it, nor the key.
"""

import argparse
import ast
import copy
import logging
import pickle
import shlex
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
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
from tools import make_pdf
from tools.answer_key import answer_key, partially_trained_of
from tools.command_line import clear_exit
from tools.files import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT, SENTENCES, write_atomically
from tools.leaks import figure_traces, find_traces, notebook_traces, pdf_text, text_of, text_traces
from tools.make_data import PICKLE_PROTOCOL
from tools.notebook import clean, execute
from tools.questions import QUESTIONS
from tools.run_notebook import NotebookError, read_notebook
from tools.zip_file import zip_bytes

FOLDER = "hw1"  # in the zip
README = Path(__file__).with_name("student_readme.md")
REQUIREMENTS = "tools/requirements.txt"
COPIED = ("requirements.txt", "LICENSE", "written/problems.pdf")
CHECKER, PDF_MAKER = "checking.py", "tools/make_pdf.py"


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


def notebook_bytes(notebook):
    return (nbformat.writes(notebook) + "\n").encode()


# The other files


def imported_names(path):
    """Names of the modules that a Python file may import: "a.b" and "a.b.c" for `a.b import c`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def with_imports(programs):
    """Paths, relative to the package, of programs and all its modules that they import."""
    found, to_visit = set(), [ROOT / name for name in programs]
    while to_visit:
        path = to_visit.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        to_visit.append(path.parent / "__init__.py")
        for name in imported_names(path):
            to_visit.append(ROOT / (name.replace(".", "/") + ".py"))
            to_visit.append(ROOT / name.replace(".", "/") / "__init__.py")
    templates = {path.with_suffix(".typ") for path in found}
    found |= {path for path in templates if path.is_file()}
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


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
    names = [*COPIED, *with_imports([CHECKER, PDF_MAKER])]
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


def write_staff_folder(folder, reference, files):
    """Write the reference notebook with the outputs of a run on the files of a release.

    files: dict from names to bytes, as `student_files` returns it.
    Raises ReleaseError if a cell fails, or if `folder` is a file.
    """
    if folder.is_file():
        raise ReleaseError(f"{folder}: found a file; expected a folder, or the name of a new one")
    folder.mkdir(parents=True, exist_ok=True)
    for name in [*with_imports([CHECKER]), DATA.name, PARTIALLY_TRAINED.name]:
        write_atomically(folder / name, files[name])
    notebook = copy.deepcopy(reference)
    try:
        execute(notebook, folder)
    except CellExecutionError as error:
        raise ReleaseError(
            f"the reference notebook stopped in {folder}: {error.ename}: {error.evalue}"
        ) from error
    clean(notebook)
    write_atomically(folder / NOTEBOOK.name, notebook_bytes(notebook))


def read_reference(path):
    """Node of the reference notebook. Raises ReleaseError."""
    try:
        return read_notebook(path)
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read ({error.strerror})") from error
    except NotebookError as error:
        raise ReleaseError(f"{error}, the reference notebook") from error


def read_data(arguments):
    """The data as `checking.load_data` returns them; partially trained model; bytes of both files.

    Raises checking.DataFileError and OSError.
    """
    data = checking.load_data(arguments.data)
    if arguments.term:
        model = partially_trained_of(arguments.term, data)
        model_bytes = pickle.dumps(model, PICKLE_PROTOCOL)
    else:
        model = checking.load_partially_trained(arguments.partially_trained, data["vocab"])
        model_bytes = arguments.partially_trained.read_bytes()
    return data, model, arguments.data.read_bytes(), model_bytes


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("-o", "--output", required=True, type=Path, help="the zip for students")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--term", help="make a partially trained model for a term, such as 2026")
    model.add_argument(
        "--partially-trained", type=Path, default=PARTIALLY_TRAINED, help="default: %(default)s"
    )
    add("--notebook", type=Path, default=NOTEBOOK, help="the reference; default: %(default)s")
    add("--data", type=Path, default=DATA, help="default: %(default)s")
    add("--sentences", type=Path, help="the text of --data; other data are released without it")
    add("--key", type=Path, metavar="FILE", help="write the answer key, for staff")
    add("--staff", type=Path, metavar="FOLDER", help="write the executed reference, for staff")
    return parser.parse_args()


def key_command(arguments):
    """The command that prints the answer key of a term."""
    command = ["python", "-m", "tools.answer_key", "--term", arguments.term]
    if arguments.data.resolve() != DATA:
        command += ["--data", str(arguments.data)]
    return shlex.join(command)


@clear_exit(ReleaseError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    logging.disable()  # nbgrader logs what it also raises
    reference = read_reference(arguments.notebook)
    sentences = arguments.sentences or (SENTENCES if arguments.data.resolve() == DATA else None)
    sentences_bytes = sentences.read_bytes() if sentences else None
    data, model, data_bytes, model_bytes = read_data(arguments)
    files = student_files(reference, data_bytes, model_bytes, sentences_bytes)
    key_lines = answer_key(data, model)
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
