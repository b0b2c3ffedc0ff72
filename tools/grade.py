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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

import checking
from tools.answer_key import answer_key, partially_trained_of
from tools.autograder import write_autograder
from tools.command_line import clear_exit
from tools.files import DATA, NOTEBOOK, PARTIALLY_TRAINED
from tools.grading import Entry, choose_notebook, choose_pdf, grade_entry, make_reference
from tools.judge import judge
from tools.re_execute import CELL_SECONDS, UnsafeError, re_execute, require_safe_user
from tools.results import Result, write_results
from tools.sandbox import SandboxError, require_working
from tools.submission import UNI, Submission


class GradeError(ValueError):
    """The grader cannot start; the message says why."""


def find_entries(folder):
    """Entries of a folder of submissions, by the name of the student.

    Raises GradeError if there are none.
    """
    folder, entries = Path(folder), {}
    if not folder.is_dir():
        raise GradeError(f"{folder}: found no such folder; expected one with submissions")
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.startswith((".", "__MACOSX")):
            continue
        if path.is_dir():
            notebook, remark = choose_notebook(path)
            entry = Entry(path.name, notebook, choose_pdf(notebook, path), remark)
        elif path.suffix.lower() == ".ipynb" and path.is_file():
            entry = Entry(path.stem, path, choose_pdf(path, None))
        else:
            continue
        if entry.notebook and (uni := UNI.search(entry.notebook.name)):
            entry.student = uni[1]
        name = entry.student
        while entry.student in entries:
            entry.student = (
                f"{name} ({path.name})" if entry.student == name else entry.student + "'"
            )
            entry.remark = f"another submission is also named {name}"
        entries[entry.student] = entry
    if not entries:
        raise GradeError(f"{folder}: found no notebooks and no folders; expected submissions")
    return [entries[student] for student in sorted(entries)]


def ignored_files(folder):
    """Names of the files in a folder of submissions that are no part of any."""
    kept = (".ipynb", ".pdf")
    paths = sorted(Path(folder).iterdir())
    return [p.name for p in paths if p.is_symlink() or p.is_file() and p.suffix.lower() not in kept]


def key_lines_of(arguments):
    """The lines of the answer key of a term, or of the partially trained model that was given."""
    data = checking.load_data(arguments.data)
    if arguments.term:
        return answer_key(data, partially_trained_of(arguments.term, data))
    model = checking.load_partially_trained(arguments.partially_trained, data["vocab"])
    return answer_key(data, model)


def grade_all(entries, reference, jobs, after=lambda entry, result: None):
    """Results of all entries, in their order, with a progress bar.

    after: is called with each entry and its result, in the thread that made it.
    """

    def work(entry):
        try:
            result = grade_entry(entry, reference)
            after(entry, result)
        except Exception as error:  # no submission stops the others
            result = Result(entry.student, remarks=["it could not be judged: look at it yourself"])
            result.warnings.append(f"{type(error).__name__}: {error}"[:300])
            result.grades = judge(Submission(), reference)
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
    add("submissions", nargs="?", help="folder of submissions")
    add("-o", "--output", default="results", help="folder for the results (default: %(default)s)")
    add("--term", help="the term of the release, if it had one")
    add("--seed", type=int, default=0, help="of the problems (default: %(default)s)")
    add("--jobs", type=int, default=os.cpu_count(), help="submissions at a time (%(default)s)")
    add("--notebook", default=NOTEBOOK, help="reference notebook (default: %(default)s)")
    add("--data", default=DATA, help="default: %(default)s")
    add("--partially-trained", default=PARTIALLY_TRAINED, help="default: %(default)s")
    add("--re-execute", action="store_true", help="also run each notebook from top to bottom")
    add("--cell-seconds", type=int, default=CELL_SECONDS, help="limit a cell (%(default)s)")
    add("--gradescope-zip", metavar="FILE", help="write an autograder for Gradescope instead")
    arguments = parser.parse_args()
    if not (arguments.submissions or arguments.gradescope_zip):
        parser.error("name a folder of submissions, or --gradescope-zip FILE")
    if arguments.jobs < 1:
        parser.error("--jobs: expected at least 1")
    return arguments


@clear_exit(GradeError, SandboxError, UnsafeError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    key_lines = key_lines_of(arguments)
    if arguments.gradescope_zip:
        write_autograder(arguments.gradescope_zip, key_lines, arguments.notebook, arguments.seed)
        print(f"{arguments.gradescope_zip}: upload it to Gradescope as the autograder")
        return
    submissions, output = Path(arguments.submissions).resolve(), Path(arguments.output).resolve()
    if output.is_relative_to(submissions):
        raise GradeError(f"{output}: in the folder of submissions; expected another one after -o")
    if arguments.re_execute:
        require_safe_user()
    entries = find_entries(submissions)
    reference = make_reference(key_lines, arguments.notebook, arguments.seed)
    if note := require_working():
        print(f"note: {note}")
    if ignored := ignored_files(submissions):
        print(f"ignored: {', '.join(ignored)}")

    def after(entry, result):
        if arguments.re_execute and entry.notebook:
            files = checking.__file__, arguments.data, arguments.partially_trained
            result.warnings += re_execute(entry.notebook, files, arguments.cell_seconds)

    results = grade_all(entries, reference, arguments.jobs, after)
    write_results(arguments.output, results, reference.answers)
    median = statistics.median(result.marks for result in results)
    print(f"{len(results)} submissions; median {median:g} of {results[0].out_of:g} marks")
    print(f"{arguments.output}: results.csv, feedback/, gradescope/, written_answers/")


if __name__ == "__main__":
    main()
