"""Grade a folder of submissions.

    python -m tools.grade submissions/ -o results/
    python -m tools.grade submissions/ -o results/ --term 2026 --re-execute
    python -m tools.grade --gradescope-zip autograder.zip

A submission is a notebook, or a folder with one; a PDF is looked for beside it. Each runs in
processes of its own with limits, and is judged on problems that it has never seen. The results are
results.csv (a row a student), feedback/ (a page a student), gradescope/ (a results.json a student)
and written_answers/ (a page a question, for whoever marks them). Needs Linux or macOS.
"""

import argparse
import os
import statistics
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

import checking
from tools.common import (
    LARGEST_SEED,
    PARTIALLY_TRAINED,
    clear_exit,
    require_different_files,
    require_writable,
    whole_number,
)
from tools.grade.entry import Entry, choose_notebook, choose_pdf, grade_entry, make_reference
from tools.grade.gradescope import write_autograder
from tools.grade.judge import judge
from tools.grade.re_execute import CELL_SECONDS, UnsafeError, re_execute, require_safe_user
from tools.grade.report import Result, write_results
from tools.grade.sandbox import SandboxError, require_working
from tools.grade.submission import UNI, Submission
from tools.notebook import PLACEHOLDER_UNIS, NotebookError
from tools.reference import add_key_arguments, key_inputs, read_key

problem_seed = whole_number(0, LARGEST_SEED // 2)  # each problem has a seed of its own, above it


class GradeError(ValueError):
    """The grader cannot start; the message says why."""


def name_of(path, notebook):
    """The student's name: the uni in the name of the notebook, or else the file's or folder's."""
    found = UNI.search(notebook.name) if notebook else None
    if found and found[1].lower() not in PLACEHOLDER_UNIS:
        return found[1]
    return path.name if path.is_dir() else path.stem


def find_entries(folder):
    """Entries of a folder of submissions, by the name of the student.

    Raises GradeError if there are none.
    """
    folder, entries = Path(folder), {}  # by path
    if not folder.is_dir():
        raise GradeError(f"{folder}: found no such folder; expected one with submissions")
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.startswith((".", "__MACOSX")):
            continue
        if path.is_dir():
            notebook, remark = choose_notebook(path)
            pdf = choose_pdf(notebook, path)
        elif path.suffix.lower() == ".ipynb" and path.is_file():
            notebook, remark, pdf = path, "", choose_pdf(path, None)
        else:
            continue
        entries[path] = Entry(name_of(path, notebook), notebook, pdf, remark)
    if not entries:
        raise GradeError(f"{folder}: found no notebooks and no folders; expected submissions")
    tell_namesakes_apart(entries)
    return sorted(entries.values(), key=lambda entry: entry.student)


def tell_namesakes_apart(entries):
    """Add to each name that several entries have that of the file or folder, and a remark to each.

    Whose the name is, nobody knows: a notebook may bear another student's uni.

    entries: dict from paths to Entries, which are changed in place.
    """
    while shared := {
        n: k for n, k in Counter(e.student for e in entries.values()).items() if k > 1
    }:
        for path, entry in entries.items():
            if (count := shared.get(entry.student)) is not None:
                remark = f"{count} submissions are named {entry.student}: this is {path.name}"
                entry.remark = "; ".join(filter(None, [entry.remark, remark]))
                entry.student = f"{entry.student} ({path.name})"


def ignored_files(folder):
    """Names of the files in a folder of submissions that are no part of any."""
    kept = (".ipynb", ".pdf")
    paths = sorted(Path(folder).iterdir())
    return [p.name for p in paths if p.is_symlink() or p.is_file() and p.suffix.lower() not in kept]


def described(error):
    """A line about an exception that no submission should raise."""
    return f"{type(error).__name__}: {error}"[:300]


def grade_all(entries, reference, jobs, after=lambda entry, result: None):
    """Results of all entries, in their order, with a progress bar.

    after: is called with each entry and its result, in the thread that made it; if it fails, the
        result gets a warning.
    """

    def work(entry):
        try:
            result = grade_entry(entry, reference)
        except Exception as error:  # no submission stops the others
            result = Result(entry.student, remarks=["it could not be judged: look at it yourself"])
            result.warnings.append(described(error))
            result.grades = judge(Submission(), reference)
        try:
            after(entry, result)
        except Exception as error:  # the marks are given already
            result.warnings.append(f"after it was judged, {described(error)}")
        return result

    pool = ThreadPoolExecutor(jobs)
    try:
        return list(tqdm(pool.map(work, entries), "grading", len(entries), leave=False))
    finally:
        pool.shutdown(cancel_futures=True)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    positive = whole_number(1)
    add("submissions", nargs="?", help="folder of submissions")
    add("-o", "--output", default="results", help="folder for the results (default: %(default)s)")
    add_key_arguments(parser)
    add("--seed", type=problem_seed, default=0, help="of the problems (default: %(default)s)")
    add("--jobs", type=positive, default=os.cpu_count(), help="submissions at a time (%(default)s)")
    add("--re-execute", action="store_true", help="also run each notebook from top to bottom")
    add("--cell-seconds", type=positive, default=CELL_SECONDS, help="limit a cell (%(default)s)")
    add("--gradescope-zip", metavar="FILE", help="write an autograder for Gradescope instead")
    arguments = parser.parse_args()
    if not (arguments.submissions or arguments.gradescope_zip):
        parser.error("name a folder of submissions, or --gradescope-zip FILE")
    return arguments


def require_results_folder(output, submissions):
    """Raise GradeError unless results can be written to `output`, apart from the submissions."""
    if output.is_relative_to(submissions):
        raise GradeError(f"{output}: in the folder of submissions; expected another one after -o")
    place = next(path for path in (output, *output.parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise GradeError(
            f"{output}: found {place}, in which nothing can be written; expected a folder for the "
            "results after -o, or the name of a new one"
        )


def write_gradescope_zip(arguments):
    """Write the autograder. Raises OSError and the errors of `read_key`."""
    path = arguments.gradescope_zip
    require_different_files([("--gradescope-zip", path)], key_inputs(arguments))
    require_writable(path)
    key_lines, _ = read_key(arguments)
    write_autograder(path, key_lines, arguments.notebook, arguments.seed)
    print(f"{path}: upload it to Gradescope as the autograder")


def grade_folder(arguments):
    """Grade the submissions and write the results. Raises all errors that end the tool."""
    submissions, output = Path(arguments.submissions).resolve(), Path(arguments.output).resolve()
    entries = find_entries(submissions)
    require_results_folder(output, submissions)
    if arguments.re_execute:
        require_safe_user()
    key_lines, model = read_key(arguments)
    reference = make_reference(key_lines, arguments.notebook, arguments.seed)
    if note := require_working():
        print(f"note: {note}")
    if ignored := ignored_files(submissions):
        print(f"ignored: {', '.join(ignored)}")
    with tempfile.TemporaryDirectory() as folder:
        model_path = Path(folder) / PARTIALLY_TRAINED.name
        model_path.write_bytes(model)

        def after(entry, result):
            if arguments.re_execute and entry.notebook:
                files = checking.__file__, arguments.data, model_path
                result.warnings += re_execute(entry.notebook, files, arguments.cell_seconds)

        results = grade_all(entries, reference, arguments.jobs, after)
    write_results(output, results, reference.answers)
    median = statistics.median(result.marks for result in results)
    print(f"{len(results)} submissions; median {median:g} of {results[0].out_of:g} marks")
    print(f"{arguments.output}: results.csv, feedback/, gradescope/, written_answers/")


@clear_exit(GradeError, SandboxError, UnsafeError, NotebookError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    if arguments.gradescope_zip:
        write_gradescope_zip(arguments)
    else:
        grade_folder(arguments)


if __name__ == "__main__":
    main()
