"""Grade submissions: notebooks, or folders with a notebook.

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
    require_writable,
    write_atomically,
)
from tools.grade.gradescope import autograder_zip, results_json
from tools.grade.judge import totals
from tools.grade.sandbox import SandboxError, choose_sandbox
from tools.grade.submission import (
    CELL_SECONDS,
    JUDGED,
    find_submissions,
    grade,
    make_grader,
    write_result,
)
from tools.notebook import NotebookError
from tools.reference import add_key_arguments, read_key

# More than there are processors, since one that sleeps must not keep the others waiting.
AT_A_TIME = 2 * (os.cpu_count() or 1)


def expect(is_right, where, found, expected):
    """Raise OSError unless an argument is right."""
    if not is_right:
        raise OSError(f"{where}: found {found}; expected {expected}")


def grader_of(arguments):
    """A context with the Grader for the arguments of a command line."""
    sandbox = choose_sandbox(arguments.unsafe)
    key_lines, model = read_key(arguments)
    data = arguments.data, checking.load_data(arguments.data)
    seconds = CELL_SECONDS if arguments.re_execute else None
    return make_grader(sandbox, arguments.notebook, data, model, key_lines, seconds)


def grade_all(arguments):
    """Grade a folder; each result is written when it is known. Prints what was done."""
    folder, output = arguments.submissions, arguments.output
    expect(folder.is_dir(), folder, "no such folder", "one with submissions")
    found, others = find_submissions(folder)
    expect(found, folder, "no notebooks and no folders", "submissions")
    is_apart = not output.resolve().is_relative_to(folder.resolve())
    expect(is_apart, output, "a place in the folder of submissions", "another folder after -o")
    (output / JUDGED).mkdir(parents=True, exist_ok=True)
    if others:
        print(f"ignored: {', '.join(path.name for path in others)}")
    with grader_of(arguments) as grader, ThreadPoolExecutor(AT_A_TIME) as pool:

        def work(path):
            write_result(output / JUDGED, grade(path, grader))

        try:
            list(tqdm(pool.map(work, found), "grading", len(found), leave=False))
        finally:
            pool.shutdown(cancel_futures=True)
    print(f"{len(found)} submissions were judged, in {grader.sandbox}")
    report(arguments)


def grade_one(arguments):
    """Grade one submission and write its result."""
    submission, output = arguments.submission, arguments.output
    expect(submission.exists(), submission, "nothing there", "a submission")
    if not output.is_dir():
        require_writable(output)
    with grader_of(arguments) as grader:
        result = grade(submission, grader)
    write_result(output, result)
    if arguments.gradescope:
        write_atomically(arguments.gradescope, results_json(result).encode())


def report(arguments):
    """Make the report and print where it is."""
    from tools.grade.report import write_report  # needs packages that Gradescope does without

    output = arguments.output
    found = list((output / JUDGED).glob("*.json"))
    expect(found, output / JUDGED, "no results", "those of `one` or `all`")
    results = write_report(output, arguments.notebook)
    median = statistics.median(totals(result)[0] for result in results)
    print(f"{len(results)} results; median {median:g} marks given automatically")
    print(f"{output}: results.csv, feedback/, written_answers/")


def write_zip(arguments):
    """Write the autograder."""
    path = arguments.output
    expect(path.suffix == ".zip", path, "another kind of file", "a name that ends in .zip")
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
        add_key_arguments(added)
        return added.add_argument

    every = command("all", grade_all, "grade a folder of submissions")
    every("submissions", type=Path, help="folder of submissions")
    every("-o", "--output", type=Path, default="results", help="folder (default: %(default)s)")
    one = command("one", grade_one, "grade one submission: a notebook, or a folder with one")
    one("submission", type=Path)
    one("-o", "--output", type=Path, required=True, help="JSON file, or a folder for it")
    one("--gradescope", metavar="FILE", help="also write Gradescope's results.json")
    for add in (every, one):
        add("--re-execute", action="store_true", help="also run each notebook from top to bottom")
        add("--unsafe", action="store_true", help="do without a sandbox where there is none")
    command("report", report, "make the report again from the results")(
        "output", type=Path, metavar="results", help="folder of the results"
    )
    command("zip", write_zip, "write an autograder for Gradescope")(
        "output", type=Path, metavar="autograder.zip"
    )
    return parser.parse_args()


@clear_exit(SandboxError, NotebookError, checking.DataFileError)
def main():
    arguments = parse_arguments()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
