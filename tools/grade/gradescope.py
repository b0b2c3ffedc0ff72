"""Pack the grader as an autograder for Gradescope, and run it there.

    python -m tools.grade.gradescope /autograder

The folder that it is given has Gradescope's layout: `source` is the unpacked zip, `submission`
holds what a student uploaded, and `results/results.json` is where Gradescope looks for the marks.
That file is written after every question, so that a run that is stopped leaves what it has found.
"""

import argparse
import json
from pathlib import Path

from tools.common import NOTEBOOK, ROOT, clear_exit, room_files, write_atomically, zip_bytes
from tools.grade.entry import Entry, choose_notebook, grade_entry, make_reference
from tools.grade.report import Result, gradescope_json
from tools.grade.sandbox import SandboxError, require_working

PROGRAMS = ("setup.sh", "run_autograder")  # in tools/gradescope
STAFF_FILE = "tools/requirements.txt"
STAFF_PACKAGES = ("pypandoc", "pypdf")
# What runs on Gradescope: this, the process of a submission, and what notebooks import.
RUN_THERE = (
    "checking.py",
    "data_files.py",
    "tools/__init__.py",
    "tools/common.py",
    "tools/notebook.py",
    "tools/questions.py",
    "tools/reference.py",
    "tools/grade",
)
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

    key_lines: lines of `tools.reference.answer_key`.
    """
    files = {name: (Path(__file__).with_name(name)).read_bytes() for name in PROGRAMS}
    files |= {name: (ROOT / name).read_bytes() for name in room_files(*RUN_THERE)}
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
