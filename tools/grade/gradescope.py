"""The autograder for Gradescope: the zip that is uploaded there, and its results.json."""

import json
from pathlib import Path

from tools.common import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT, room_files, zip_bytes
from tools.grade.judge import automatic, totals

PROGRAMS = ("setup.sh", "run_autograder")  # beside this file
RUN_THERE = (
    *("requirements.txt", "checking.py", "tools/__init__.py", "tools/common.py"),
    *("tools/notebook.py", "tools/questions.py", "tools/reference.py", "tools/grade"),
)


def autograder_zip(notebook, data, partially_trained):
    """Bytes of the zip, which needs the students' packages and bubblewrap; it makes no reports.

    notebook, data: paths of the reference and of data.pk. partially_trained: bytes.
    """
    files = {name: Path(__file__).with_name(name).read_bytes() for name in PROGRAMS}
    files |= {name: (ROOT / name).read_bytes() for name in room_files(*RUN_THERE)}
    files[NOTEBOOK.name] = Path(notebook).read_bytes()
    files[DATA.name] = Path(data).read_bytes()
    files[PARTIALLY_TRAINED.name] = partially_trained
    return zip_bytes(files, PROGRAMS)


def results_json(result):
    """Text of Gradescope's results.json.

    What is for staff is in a test of its own, which students do not see.
    """
    tests, staff = [], [*result["staff"]]
    for question in automatic(result):
        lines = [f"{i['name']}: {i['marks']:g}; {i['remark']}" for i in question["items"]]
        staff += [f"{question['number']}: {line}" for line in question["staff"]]
        tests.append(
            {
                "name": f"{question['number']} {question['title']}",
                "number": question["number"],
                "score": question["marks"],
                "max_score": question["out_of"],
                "output": "\n".join([*lines, *question["remarks"]]),
                "output_format": "text",
                "visibility": "visible",
            }
        )
    if staff:
        hidden = {"name": "For staff", "output": "\n".join(staff), "visibility": "hidden"}
        tests.append(hidden | {"output_format": "text", "score": 0, "max_score": 0})
    content = {
        "score": totals(result)[0],
        "output": "\n".join(result["remarks"]) or "The written answers are marked by hand.",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(content, indent=1) + "\n"
