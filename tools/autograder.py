"""Pack the grader as an autograder for Gradescope, and run it there.

    python -m tools.autograder /autograder

The folder that it is given has Gradescope's layout: `source` is the unpacked zip, `submission`
holds what a student uploaded, and `results/results.json` is where Gradescope looks for the marks.
That file is written after every question, so that a run that is stopped leaves what it has found.
"""

import argparse
import json
from pathlib import Path

from tools.command_line import clear_exit
from tools.files import NOTEBOOK, ROOT, write_atomically
from tools.grading import Entry, choose_notebook, grade_entry, make_reference
from tools.imports import with_imports
from tools.results import Result, gradescope_json
from tools.sandbox import SandboxError, require_working
from tools.zip_file import zip_bytes

PROGRAMS = ("setup.sh", "run_autograder")  # in tools/gradescope
STAFF_FILE = "tools/requirements.txt"
STAFF_PACKAGES = ("pypandoc", "pypdf")
# What runs on Gradescope: this, the process of a submission, and what notebooks import.
RUN_THERE = ("tools/autograder.py", "tools/student_process.py", "checking.py")
KEY = "answer_key.txt"
SETTINGS = "settings.json"


def requirements():
    """Lines for pip: the students' packages, and those of the staff's that the grader imports."""
    students, staff = ((ROOT / name).read_text() for name in ("requirements.txt", STAFF_FILE))
    return students + "".join(
        line for line in staff.splitlines(keepends=True) if line.startswith(STAFF_PACKAGES)
    )


def autograder_files(key_lines, notebook=NOTEBOOK, seed=0):
    """Contents of the zip: a dict from names to bytes.

    key_lines: lines of `tools.answer_key.answer_key`.
    """
    files = {name: (ROOT / "tools" / "gradescope" / name).read_bytes() for name in PROGRAMS}
    files |= {name: (ROOT / name).read_bytes() for name in with_imports(RUN_THERE)}
    files["requirements.txt"] = requirements().encode()
    files[NOTEBOOK.name] = Path(notebook).read_bytes()
    files[KEY] = "\n".join([*key_lines, ""]).encode()
    files[SETTINGS] = json.dumps({"seed": seed}).encode()
    return files


def write_autograder(path, key_lines, notebook=NOTEBOOK, seed=0):
    """Write the zip. Raises OSError."""
    files = autograder_files(key_lines, notebook, seed)
    write_atomically(path, zip_bytes(files, PROGRAMS))


def run_autograder(base):
    """Judge the submission in `base` and write its results.json; returns the Result."""
    base = Path(base)
    results = base / "results" / "results.json"
    results.parent.mkdir(exist_ok=True)

    def save(result):
        write_atomically(results, gradescope_json(result).encode())

    save(Result("submission"))
    if note := require_working():
        print(f"note: {note}")
    settings = json.loads((ROOT / SETTINGS).read_text())
    reference = make_reference((ROOT / KEY).read_text().splitlines(), NOTEBOOK, settings["seed"])
    notebook, remark = choose_notebook(base / "submission")
    result = grade_entry(Entry("submission", notebook, remark=remark), reference, save)
    save(result)
    return result


@clear_exit(SandboxError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", help="folder with Gradescope's layout")
    result = run_autograder(parser.parse_args().base)
    print(f"{result.marks:g} of {result.out_of:g}")


if __name__ == "__main__":
    main()
