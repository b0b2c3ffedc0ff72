"""Grade submissions: notebooks, zips, or folders with a notebook.

    python -m tools.grade all submissions/ -o results/
    python -m tools.grade one submissions/abc1234 -o results/judged/
    python -m tools.grade report results/
    python -m tools.grade zip autograder.zip

`all` judges each submission in a folder as `one` does, and makes the report. The result of one is a
JSON file. The report is made from the results that are there: results.csv, in which marks that
somebody has typed stay, feedback/ with a page a student, and written_answers/ with a page a
question. `zip` makes the same grader for Gradescope.
"""

import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

import checking
from tools.common import (
    clear_exit,
    command_parser,
    require_different_files,
    require_writable,
    whole_number,
    write_atomically,
)
from tools.grade.gradescope import autograder_zip, results_json
from tools.grade.report import JUDGED, totals, write_report, write_result
from tools.grade.sandbox import SandboxError, choose_sandbox
from tools.grade.submission import CELL_SECONDS, find_submissions, grade, make_grader
from tools.notebook import NotebookError
from tools.reference import add_key_arguments, key_inputs, read_key


class GradeError(ValueError):
    """The grader cannot start; the message says why."""


def grader_of(arguments):
    """A context with the Grader for the arguments of a command line."""
    sandbox = choose_sandbox(arguments.unsafe)
    key_lines, model = read_key(arguments)
    data = arguments.data, checking.load_data(arguments.data)
    seconds = CELL_SECONDS if arguments.re_execute else None
    return make_grader(sandbox, arguments.notebook, data, model, key_lines, seconds)


def make_results_folder(output, submissions):
    """Make the folder of results; raise GradeError if it cannot be, or lies in the submissions."""
    if output.resolve().is_relative_to(submissions.resolve()):
        raise GradeError(f"{output}: in the folder of submissions; expected another one after -o")
    try:
        (output / JUDGED).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GradeError(
            f"{output}: a place in which nothing can be written ({error.strerror}); expected a "
            "folder for the results after -o, or the name of a new one"
        ) from error


def grade_all(arguments):
    """Grade a folder; each result is written when it is known. Prints what was done."""
    folder, output = Path(arguments.submissions), Path(arguments.output)
    if not folder.is_dir():
        raise GradeError(f"{folder}: found no such folder; expected one with submissions")
    found, others = find_submissions(folder)
    if not found:
        raise GradeError(f"{folder}: found no notebooks and no folders; expected submissions")
    make_results_folder(output, folder)
    if others:
        print(f"ignored: {', '.join(path.name for path in others)}")
    with grader_of(arguments) as grader:

        def work(path):
            write_result(output / JUDGED, grade(path, grader))

        pool = ThreadPoolExecutor(arguments.jobs)
        try:
            list(tqdm(pool.map(work, found), "grading", len(found), leave=False))
        finally:
            pool.shutdown(cancel_futures=True)
    print(f"{len(found)} submissions were judged, in {grader.sandbox}")
    report(arguments)


def grade_one(arguments):
    """Grade one submission and write its result."""
    submission, output = Path(arguments.submission), Path(arguments.output)
    if not submission.exists():
        raise GradeError(f"{submission}: found nothing there; expected a submission")
    if not output.is_dir():
        require_writable(output)
    gradescope = arguments.gradescope and Path(arguments.gradescope)
    if gradescope:  # should it be stopped, this is what remains
        write_atomically(gradescope, results_json().encode())
    with grader_of(arguments) as grader:
        result = grade(submission, grader)
    write_result(output, result)
    if gradescope:
        write_atomically(gradescope, results_json(result).encode())


def report(arguments):
    """Make the report and print where it is."""
    output = Path(arguments.output)
    if not list((output / JUDGED).glob("*.json")):
        raise GradeError(f"{output / JUDGED}: found no results; expected those of `one` or `all`")
    results = write_report(output, arguments.notebook)
    median = statistics.median(totals(result)[0] for result in results)
    print(f"{len(results)} results; median {median:g} marks given automatically")
    print(f"{output}: results.csv, feedback/, written_answers/")


def write_zip(arguments):
    """Write the autograder."""
    path = arguments.output
    require_different_files([("zip", path)], key_inputs(arguments))
    require_writable(path)
    _, model = read_key(arguments)
    write_atomically(path, autograder_zip(arguments.notebook, arguments.data, model))
    print(f"{path}: upload it to Gradescope as the autograder")


def parse_arguments():
    parser = command_parser(__doc__)
    parser.prog = "python -m tools.grade"
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name, function, text):
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=function)
        return added

    every = command("all", grade_all, "grade a folder of submissions")
    every.add_argument("submissions", help="folder of submissions")
    every.add_argument("-o", "--output", default="results", help="folder (default: %(default)s)")
    # More than there are processors, since one that sleeps must not keep the others waiting.
    jobs = 2 * (os.cpu_count() or 1)
    every.add_argument("--jobs", type=whole_number(1), default=jobs, help="at a time (%(default)s)")
    one = command("one", grade_one, "grade one submission")
    one.add_argument("submission", help="a notebook, a zip, or a folder with a notebook")
    one.add_argument("-o", "--output", required=True, help="JSON file, or a folder for it")
    one.add_argument("--gradescope", metavar="FILE", help="also write Gradescope's results.json")
    for added in (every, one):
        add = added.add_argument
        add("--re-execute", action="store_true", help="also run each notebook from top to bottom")
        add("--unsafe", action="store_true", help="do without a sandbox where there is none")
    made = command("report", report, "make the report again from the results")
    made.add_argument("output", metavar="results", help="folder of the results")
    packed = command("zip", write_zip, "write an autograder for Gradescope")
    packed.add_argument("output", metavar="autograder.zip")
    for added in (every, one, made, packed):
        add_key_arguments(added)
    return parser.parse_args()


@clear_exit(GradeError, SandboxError, NotebookError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
