"""The grader against submissions of all kinds, and what it writes."""

import base64
import csv
import dataclasses
import io
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import numpy as np
import pytest
from markupsafe import escape

import checking
import tools.grade.__main__ as command
from tests.commands import nbgrader, run_tool
from tests.grade.submissions import CASES, FULL, SOLUTIONS, as_handed_out, solved, with_output
from tools.common import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT
from tools.grade import sandbox, submission
from tools.grade.gradescope import autograder_zip, results_json
from tools.grade.judge import Calls, compare
from tools.grade.report import TABLE, answer_html, feedback_page, remarks_of, write_report
from tools.grade.submission import (
    JUDGED,
    choose_notebook,
    differences,
    find_submissions,
    grade,
    make_grader,
    name_of,
    write_result,
)
from tools.notebook import cell_of, grade_id
from tools.reference import answer_key
from tools.rubric import RUBRIC

QUICK = [case for case in CASES if not case.is_slow][::3]
OTHERS = sorted((case for case in CASES if case not in QUICK), key=lambda case: not case.is_slow)
UNI = "hw1_code_abc1234.ipynb"


@pytest.fixture(scope="module")
def files(data):
    """The arguments of `make_grader` that say what is right."""
    key = answer_key(data, checking.load_partially_trained(PARTIALLY_TRAINED))
    return NOTEBOOK, (DATA, data), PARTIALLY_TRAINED.read_bytes(), key


@pytest.fixture(scope="module")
def grader(files):
    with make_grader(sandbox.choose_sandbox(), *files) as made:
        yield made


def grade_cases(cases, grader):
    """Results of the cases, none of which can reach the network or the others in the folder."""
    with TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as server:
        # Others cannot enter tmp_path, so that in there a broken sandbox would do no harm.
        folder = Path(name)
        folder.chmod(0o777)
        server.settimeout(0)
        wanted = {"FOLDER": folder, "PORT": server.getsockname()[1], "NOTEBOOK": NOTEBOOK}

        def work(numbered):
            number, case = numbered
            path = folder / f"hw1_code_s{number:03}.ipynb"
            path.write_bytes(case.content(**wanted))
            path.chmod(0o666)
            return grade(path, grader)

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(work, enumerate(cases)))
        with pytest.raises(BlockingIOError):  # nobody has connected
            server.accept()
    return results


@pytest.mark.parametrize(
    "cases", [QUICK, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["some", "the others"]
)
def test_marks_and_remarks(cases, grader):
    """In one test, since whoever waits does so beside the others."""
    wrong = {}
    for case, result in zip(cases, grade_cases(cases, grader)):
        marks = {q["number"]: q["marks"] for q in result["questions"] if not q["is_written"]}
        remarks = remarks_of(result)
        if marks != case.deserved or not re.search(case.says, remarks):
            wrong[case.name] = marks, remarks
    assert not wrong


def put(folder, name, notebook):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook))
    return path


@pytest.fixture(scope="module")
def perfect(grader, tmp_path_factory):
    return grade(put(tmp_path_factory.mktemp("perfect"), UNI, solved()), grader)


# Comparison


def test_a_multiple_of_the_right_values_earns_half():
    right = np.random.RandomState(0).randn(4, 3)
    for factor, part, remark in (
        *[(1.0, 1.0, "right"), (1 + 1e-7, 1.0, "right"), (2.0, 0.5, "2"), (1 + 1e-3, 0.5, "1.001")],
        *[(-1.0, 0.5, "opposite sign"), (1 / 7, 0.5, "1 / B"), (0.0, 0.0, "values are all 0")],
        *[(np.nan, 0.0, "NaN or infinite"), (np.inf, 0.0, "NaN or infinite")],
    ):
        found, said = compare(factor * right, right, {"B": 7})
        assert found == part and remark in said, factor
        assert compare(factor * right + [[1], [1], [1], [1.01]], right, {"B": 7})[0] == 0


def test_rounding_errors_in_a_part_that_should_be_zero_are_right():
    right, zeros = np.array([[1.0, 0.0]]), (slice(None), [1])
    assert compare(np.array([[1.0, 1e-9]]), right, {}, zeros) == (1.0, "right")
    assert compare(np.array([[1.0, 1e-3]]), right, {}, zeros) == (0.0, "not 0")


def test_the_network_of_a_problem_hides_nothing(grader):
    """Entries that a wrong formula could leave alone are not 0: an independent look."""
    for problem, right in grader.reference.right["back_propagate"]:
        for name, value in right.items():
            if name != "word_embedding_weights":
                assert np.mean(value != 0) > 0.99, (problem, name)


# The sandbox


def in_bubblewrap(folder, *program):
    words = sandbox.command(sandbox.BUBBLEWRAP, folder, 0)
    words = [*words[: words.index("--", 1)], *program]
    return subprocess.run(words, capture_output=True, text=True)


@pytest.mark.skipif(sandbox.bubblewrap() is None, reason="there is no bubblewrap")
def test_a_course_in_the_folder_of_the_environment_stays_hidden(monkeypatch, tmp_path):
    """As after `python -m venv .`"""
    for name in ("bin", "lib", "tools"):
        (tmp_path / name).mkdir()
    shutil.copy(NOTEBOOK, tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    run = in_bubblewrap(tmp_path / "lib", "ls", tmp_path)
    assert run.stdout.split() == ["bin", "lib"], run.stderr


@pytest.mark.skipif(sandbox.bubblewrap() is None, reason="there is no bubblewrap")
def test_nobody_makes_a_file_system_in_a_user_namespace(monkeypatch, tmp_path):
    """It would take memory beyond the limit."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert in_bubblewrap(tmp_path, "true").returncode == 0
    assert "unshare failed" in in_bubblewrap(tmp_path, "unshare", "--user", "true").stderr


@pytest.mark.skipif(sandbox.bubblewrap() is None, reason="there is no bubblewrap")
def test_no_place_can_be_written_to(tmp_path):
    """Not even by root; that `inside` becomes another user comes on top of this."""
    for place in ("/", "/dev", "/dev/shm", "/sandbox"):
        assert in_bubblewrap(tmp_path, "mkdir", f"{place}/x").returncode == 1
        assert in_bubblewrap(tmp_path, "ls", place).returncode == 0


def test_without_a_sandbox_it_refuses(monkeypatch):
    may_be_unsafe = os.geteuid() != 0
    monkeypatch.setattr(sandbox, "bubblewrap", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(sandbox.SandboxError, match="bubblewrap is not installed.*--unsafe"):
        sandbox.choose_sandbox()
    if may_be_unsafe:
        assert sandbox.choose_sandbox(is_unsafe=True) == sandbox.NONE


def test_results_say_that_there_was_no_sandbox(grader, tmp_path, monkeypatch):
    monkeypatch.setattr(
        submission, "run", lambda _, *arguments: sandbox.run(grader.sandbox, *arguments)
    )
    unsafe = dataclasses.replace(grader, sandbox=sandbox.NONE)
    result = grade(put(tmp_path, UNI, {"cells": [], "nbformat": 4}), unsafe)
    assert result["staff"] == ["it was run without bubblewrap, with no sandbox"]


def test_what_a_process_sends_is_read_as_plain_values():
    class Evil:
        def __reduce__(self):
            return pytest.fail, ("it was unpickled",)

    stream = io.BytesIO()
    np.save(stream, np.array([Evil()], dtype=object))
    calls = Calls()
    calls.add({"problem": 0, "name": "grad_W"}, base64.b64encode(stream.getvalue()))
    assert calls.values == {(0, "grad_W"): "no array"}
    forged = [b'{"a": 1}\tx', b"[1]", b"null", b"[" * 10**5, b"\xff", b'{"b": "%01000000d"}' % 0]
    assert sandbox.lines_in(b"\n".join(forged)) == [({"a": 1}, b"x")]
    assert len(sandbox.lines_in(b"{}\n" * 10**5)) <= sandbox.MAX_LINES


# Finding


def test_submissions_are_the_files_and_folders_of_students_and_the_named_notebook_is_judged(
    tmp_path,
):
    for name in (
        *("a.zip", "b/hw1/hw1_code_ab1.ipynb", "c.ipynb", "c.pdf", "list.csv"),
        *(".x.ipynb", "__MACOSX/c.ipynb", "x/.hidden.ipynb"),
    ):
        put(tmp_path, name, {})
    (tmp_path / "hw1_code_link.ipynb").symlink_to(NOTEBOOK)
    found, others = find_submissions(tmp_path)
    assert [path.name for path in found] == ["a.zip", "b", "c.ipynb", "x"]
    assert [path.name for path in others] == ["list.csv"]
    chosen, remark = choose_notebook(tmp_path)
    assert chosen == tmp_path / "b" / "hw1" / "hw1_code_ab1.ipynb"
    assert remark == "hw1_code_ab1.ipynb is judged; there are also c.ipynb"


def test_names_are_kept_whole():
    for name, student in {
        "hw1_code_anna-lena.ipynb": "anna-lena",
        "hw1_code_Žofie.李.ipynb": "Žofie.李",
        "hw1_code_final_abc1234.ipynb": "final_abc1234",
        "smith_77_1234_hw1_code_js55 (2).ipynb": "js55",
        "hw1_code_uni.ipynb": "hw1_code_uni",
        "Untitled.ipynb": "Untitled",
    }.items():
        assert name_of(Path(name), Path(name)) == student


def test_a_zip_a_pipe_and_nothing_get_a_result(grader, tmp_path):
    with zipfile.ZipFile(tmp_path / "zoe.zip", "w") as archive:
        archive.writestr("hw1/hw1_code_zoe.ipynb", json.dumps(solved()))
    (tmp_path / "nobody").mkdir()
    os.mkfifo(tmp_path / "pipe.ipynb")
    for name, says in {
        "zoe.zip": "zoe.zip: found no Jupyter notebook",
        "nobody": "no notebook was found",
        "pipe.ipynb": "no file that can be read",
    }.items():
        result = grade(tmp_path / name, grader)
        assert any(says in remark for remark in result["remarks"]), result["remarks"]
        assert sum(question["marks"] for question in result["questions"]) == 0


# Table


def table_of(folder):
    return {row["student"]: row for row in csv.DictReader(io.StringIO(read(folder / TABLE)))}


def read(path):
    return path.read_text(encoding="utf-8")


def with_name(result, name):
    return result | {"submission": name, "student": name}


def test_what_a_human_typed_stays(perfect, tmp_path):
    (tmp_path / JUDGED).mkdir()
    for name in ("anna", "ben"):
        write_result(tmp_path / JUDGED, with_name(perfect, name))
    write_report(tmp_path)
    rows = table_of(tmp_path)
    assert rows["anna"]["2.1.1 [1]"] == "" and rows["anna"]["2.1.3 [6]"] == "6"
    # As a spreadsheet in Europe saves it: marks of a written and of an automatic question, a
    # comment, and a student who was ill.
    rows["anna"] |= {"2.1.1 [1]": "0,5", "2.2.1 [8]": "7", "comment": "nice"}
    rows["ben"]["2.1.3 [6]"] = "6,0"
    rows["ill"] = {"submission": "ill", "student": "ill", "2.3 [8]": "8"}
    with (tmp_path / TABLE).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [*rows["ben"], "comment"], delimiter=";")
        writer.writeheader()
        writer.writerows(rows.values())
    worse = json.loads(json.dumps(perfect))
    for question in worse["questions"]:
        question["marks"] = 0
    for name in ("anna", "ben"):
        write_result(tmp_path / JUDGED, with_name(worse, name))
    for _ in range(2):
        write_report(tmp_path)
        rows = table_of(tmp_path)
        assert list(rows) == ["anna", "ben", "ill"]
        anna = rows["anna"]
        assert (anna["2.1.1 [1]"], anna["2.2.1 [8]"], anna["comment"]) == ("0,5", "7", "nice")
        assert anna["2.1.3 [6]"] == anna["automatic"] == "0"  # judged again
        assert rows["ben"]["2.1.3 [6]"] == "0"  # nobody typed that
        assert rows["ill"]["2.3 [8]"] == "8"


def test_names_cannot_harm_a_spreadsheet_a_folder_or_a_page(perfect, tmp_path):
    (tmp_path / JUDGED).mkdir()
    students = ["=1+1", "李明", "王芳", "ann b", "ann_b", "a" * 300, "..", "x\udcff", "zoe", "Zoe"]
    students += ["<script>ivo"]
    for student in students:
        write_result(tmp_path / JUDGED, with_name(perfect, student))
    write_report(tmp_path)
    assert len(list((tmp_path / "feedback").iterdir())) == len(students)
    assert not re.search(r"(^|,)=", read(tmp_path / TABLE), re.MULTILINE)
    assert "2 submissions are named zoe" in table_of(tmp_path)["zoe"]["remarks"]
    pages = [read(path) for path in tmp_path.glob("*/*.html")]
    assert sum("&lt;script&gt;ivo" in page for page in pages) == 1 + len(RUBRIC)
    assert not any("<script" in page for page in pages)


# Pages


def test_answers_stand_below_the_rubric_with_their_pictures(grader, tmp_path):
    photo = b"a photo"
    notebook = solved()
    # Signs that stand in handed-out text too are part of the answer.
    cell_of(notebook, "q2_1_2").source = "First line.\n\n$$\n\\sqrt{1723}\n$$\n\nLast line."
    cell = cell_of(notebook, "q2_3")
    cell.source = "My answer: ![x](attachment:a.png), $\\frac{1}{2}$ <script>alert(1)</script>"
    encoded = base64.b64encode(photo).decode()
    cell.attachments = {"a.png": {"image/png": encoded}}
    shown = nbformat.v4.new_output("display_data", {"image/jpeg": encoded})
    notebook.cells.append(nbformat.v4.new_code_cell("Image('photo.jpg')", outputs=[shown]))
    (tmp_path / JUDGED).mkdir()
    for name in ("hw1_code_anna.ipynb", "hw1_code_ben.ipynb"):
        write_result(tmp_path / JUDGED, grade(put(tmp_path, name, notebook), grader))
    write_report(tmp_path)
    page = read(tmp_path / "written_answers" / "2.1.2.html")
    assert page.count("<msqrt>") == 2 and "<p>Last line.</p>" in page
    page = read(tmp_path / "written_answers" / "2.3.html")
    for point in RUBRIC["2.3"]:
        assert page.count(escape(point)) == 1
    assert page.count("My answer") == 2 and page.count("<mfrac>") == 2
    pictures = re.findall('src="(pictures/.*?)"', page)
    contents = [(tmp_path / "written_answers" / name).read_bytes() for name in pictures]
    assert contents.count(photo) == 4  # and plots, at least four each
    assert sum(content.startswith(b"\x89PNG") for content in contents) == len(contents) - 4 >= 8
    assert "default-src 'none'" in page and "<script" not in page
    assert page.count((tmp_path / "hw1_code_anna.ipynb").as_uri()) == 1


@pytest.mark.parametrize(
    "source, shown",
    [
        ("$\\text{</math><b>}$", "&lt;/math&gt;&lt;b&gt;"),
        ("<img src=http://x>", "&lt;img src=http://x&gt;"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("`$x$` costs $ 5", "<code>$x$</code> costs $ 5"),
        ("$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$", "<mtr>"),
        ("\\begin{align} a &= b \\end{align}", "<mtable"),
        ("$\\frac{$", "<code>\\frac{</code>"),
        ("a" * 30_000, "(cut here)"),
        (f"![](data:image/png;base64,{'A' * 30_000})", 'src="30022-characters"'),
        ("see ![](attachment:none.png)", '<img src="" alt="">'),
        ("in the text $$a^2$$ and $b\\n+ c$", "<msup>"),
        ("x\ud800y", "x?y"),
    ],
)
def test_answers_are_shown_and_do_nothing(source, shown):
    assert shown in answer_html({"source": source}, lambda url: f"{len(url)}-characters")


def test_feedback_gives_nothing_away(grader, tmp_path):
    """A student who printed nothing sees neither the key nor what is for staff."""
    result = grade(put(tmp_path, UNI, as_handed_out(solved())), grader)
    page = feedback_page(result | {"staff": ["secret"]})
    assert "2.2.3" in page and "secret" not in page
    for value in grader.reference.key.values():
        assert not value or f"{value:.4e}"[:6] not in page


# Running again


@pytest.mark.parametrize(
    "saved, fresh, allowed, n_lines",
    [
        *[(1.965, 1.980, 0.02, 0), (1.965, 1.990, 0.02, 1), (1.965, np.nan, 0.02, 1)],
        *[(1.234567e-3, 1.234568e-3, 0, 0), (1.234567e-9, 0.0, 0, 1)],
        *[(0.0, 0.0, 0, 0), (0.0, 1e-9, 0, 1)],
    ],
)
def test_only_rounding_errors_are_no_difference(saved, fresh, allowed, n_lines):
    assert len(differences({"test": saved}, {"test": fresh}, allowed)) == n_lines
    assert len(differences({"test": saved}, {}, allowed)) == 1


@pytest.mark.slow
def test_a_notebook_that_is_run_again_is_compared_and_locked_in(files, tmp_path):
    notebook = solved()
    notebook.cells = [c for c in notebook.cells if "experiment" not in c.metadata.get("tags", [])]
    victim = put(tmp_path, "hw1_code_victim.ipynb", {})
    with_output(notebook, "print_gradients", r"(?m)^(hid_bias\[\d+\] -?)\d", r"\g<1>9")
    for code in (
        f"open({str(victim)!r}, 'w').write('x')",
        f"print(open({str(victim)!r}).read())",
        "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
        "open('note.txt', 'w').write('of my own'); import scipy.special",
    ):
        notebook.cells.append(nbformat.v4.new_code_cell(code))
    with make_grader(sandbox.choose_sandbox(), *files, cell_seconds=20) as grader:
        lines = grade(put(tmp_path, UNI, notebook), grader)["staff"]
    errors = [re.search(r"(\w+Error)?$", line)[0] for line in lines]
    assert errors == ["FileNotFoundError", "FileNotFoundError", "OSError", ""]
    assert re.search(r"hid_bias.* was saved, and 3 more differ", lines[-1])
    assert victim.read_text() == "{}"


# Gradescope


def test_students_do_not_see_what_is_for_staff(perfect):
    content = json.loads(results_json(perfect | {"staff": ["look at this"]}))
    visible = [test for test in content["tests"] if test["visibility"] == "visible"]
    (hidden,) = [test for test in content["tests"] if test["visibility"] == "hidden"]
    assert {test["number"]: test["score"] for test in visible} == FULL
    assert "look at this" in hidden["output"] and "look" not in json.dumps(visible)
    assert content["score"] == 32 and content["stdout_visibility"] == "hidden"


@pytest.fixture
def autograder():
    """Gradescope's folders, with the zip unpacked; a place where other users may look."""
    base = Path("/tmp") / f"autograder-{os.getpid()}"
    for name in ("source", "submission", "results", "bin"):
        (base / name).mkdir(parents=True)
    content = autograder_zip(NOTEBOOK, DATA, PARTIALLY_TRAINED.read_bytes())
    (base / "autograder.zip").write_bytes(content)
    subprocess.run(["unzip", "-q", base / "autograder.zip", "-d", base / "source"], check=True)
    shutil.copy(base / "source" / "run_autograder", base / "run_autograder")
    yield base
    shutil.rmtree(base)


@pytest.mark.slow
def test_the_unpacked_zip_sets_itself_up_and_grades_as_the_grader_does(autograder):
    python = autograder / "bin" / "python3"  # "makes" an environment: this one
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || ln -s {sys.prefix} "$3"\n')
    python.chmod(0o755)
    environment = {"PATH": f"{autograder}/bin:{os.environ['PATH']}", "PIP_DRY_RUN": "1"}
    case = next(case for case in CASES if case.name == "a sign slip in 2.2.1")
    (autograder / "submission" / UNI).write_bytes(case.content())
    for program in ("source/setup.sh", "run_autograder"):
        run = subprocess.run(
            [autograder / program], env=os.environ | environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
    assert not (autograder / "source").stat().st_mode & 0o077  # the key is in there
    content = json.loads((autograder / "results" / "results.json").read_text())
    found = {test["number"]: test["score"] for test in content["tests"] if "number" in test}
    assert found == case.deserved


def test_it_grades_without_the_packages_of_the_reports():
    code = "import sys, tools.grade.__main__; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "tools.grade.submission" in run.stdout
    assert not {"jinja2", "latex2mathml", "markdown_it"} & set(run.stdout.split())


# The command line


def test_the_commands_grade_one_and_all(tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    put(folder, "anna/hw1_code_anna.ipynb", solved())
    (folder / "ben").mkdir()
    (folder / "list.csv").write_text("")
    status, printed, _ = run_tool(command, "all", folder, "-o", output)
    assert status == 0 and "ignored: list.csv" in printed
    assert "2 results; median 16 marks" in printed
    put(folder, "ben/hw1_code_ben.ipynb", solved())
    run_tool(command, "one", folder / "ben", "-o", output / JUDGED)
    run_tool(command, "report", output)
    assert {row["automatic"] for row in table_of(output).values()} == {"32"}


def test_errors_are_one_line_and_come_early(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    notebook = put(folder, UNI, {})
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(command, "read_key", lambda arguments: pytest.fail("too early"))
    for arguments, message in (
        (["all", tmp_path / "missing"], "found no such folder"),
        (["all", tmp_path / "empty"], "found no notebooks"),
        (["all", folder, "-o", folder / "x"], "a place in the folder of submissions"),
        (["all", folder, "-o", tmp_path / "file"], "Not a directory"),
        (["one", tmp_path / "missing", "-o", tmp_path / "x.json"], "found nothing there"),
        (["one", notebook, "-o", tmp_path / "none" / "x.json"], "cannot be written"),
        (["report", tmp_path / "empty"], "found no results"),
        (["zip", notebook], "expected a name that ends in .zip"),
    ):
        status, _, errors = run_tool(command, *arguments)
        (line,) = errors.splitlines()
        assert status == 1 and message in line


# nbgrader


@pytest.mark.slow
def test_nbgrader_grades_a_correct_and_an_empty_notebook(data, tmp_path):
    from nbgrader.api import Gradebook  # takes seconds

    source, released = (tmp_path / step / "hw1" for step in ("source", "release"))
    source.mkdir(parents=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    experiments = [c for c in notebook.cells if "experiment" in c.metadata.get("tags", [])]
    notebook.cells = [c for c in notebook.cells if c not in experiments or grade_id(c) == "train"]
    nbformat.write(notebook, source / NOTEBOOK.name)
    for name in ("checking.py", PARTIALLY_TRAINED.name):
        shutil.copy(ROOT / name, source)
    few = {k: v[:2000] if isinstance(v, np.ndarray) else v for k, v in data.items()}
    (source / DATA.name).write_bytes(pickle.dumps(few, 4))  # so that training is short
    (tmp_path / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'course'\n"
        "c.ExecutePreprocessor.timeout = 600\n"
    )
    nbgrader(tmp_path, "generate_assignment", "hw1")
    assert "BEGIN SOLUTION" not in read(released / NOTEBOOK.name)
    for student in ("correct", "empty"):
        shutil.copytree(released, tmp_path / "submitted" / student / "hw1")
    given = nbformat.read(released / NOTEBOOK.name, as_version=4)
    for name, code in (SOLUTIONS | {"print_gradients": "print_gradients()"}).items():
        cell_of(given, name).source = code
    nbformat.write(given, tmp_path / "submitted" / "correct" / "hw1" / NOTEBOOK.name)
    nbgrader(tmp_path, "autograde", "hw1")
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as book:
        scores = {found.student.id: found.score for found in book.assignment_submissions("hw1")}
    marked = [c.metadata.nbgrader for c in notebook.cells if c.metadata.get("nbgrader")]
    automatic = sum(mark.points for mark in marked if mark.grade and not mark.solution)
    assert scores == {"correct": automatic, "empty": 0}
