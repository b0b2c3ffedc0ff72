"""The grader against submissions of all kinds, and what it writes."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from submissions import (
    LOOPS,
    PERFECT,
    SLEEPS,
    SUBMISSIONS,
    cell_of,
    reference,
    without_outputs,
)

import checking
from tools.common import NOTEBOOK, PARTIALLY_TRAINED
from tools.grade import GradeError, find_entries, grade_all, sandbox
from tools.grade.entry import Entry, choose_notebook, grade_entry, make_reference
from tools.grade.gradescope import write_autograder
from tools.grade.judge import HOME, SMALL
from tools.grade.re_execute import re_execute
from tools.grade.report import csv_table, feedback_page, markdown_to_html, write_results
from tools.grade.submission import FUNCTIONS, parse, read_submission
from tools.pdf.typeset import markdown_to_pdf
from tools.questions import QUESTIONS, RUBRIC
from tools.reference import answer_key

CASES = {case.name: case for case in SUBMISSIONS}
WAS_HERE = Path("/tmp/was_here")


@pytest.fixture(scope="module")
def key_lines(data):
    return answer_key(data, checking.load_partially_trained(PARTIALLY_TRAINED))


@pytest.fixture(scope="module")
def judge_of(key_lines):
    """The grader's reference."""
    return make_reference(key_lines)


def write(folder, case, name="hw1_code_abc1234.ipynb"):
    path = Path(folder) / name
    path.write_bytes(case.content())
    return path


def remarks_of(result):
    """All that the grader says about a submission, in one text."""
    lines = [*result.remarks, *result.warnings]
    for grade in result.grades:
        lines += [*grade.remarks, *(item.remark for item in grade.items)]
    return "\n".join(lines)


def marks_of(result):
    return {grade.number: grade.marks for grade in result.automatic}


def test_there_are_enough_submissions_of_each_kind():
    kinds = Counter(case.kind for case in SUBMISSIONS)
    assert len(CASES) == len(SUBMISSIONS) >= 30
    assert set(kinds) == {"right", "half done", "wrong", "broken", "hostile"}
    assert min(kinds.values()) >= 5


def grade_folder(cases, judge_of, folder):
    """Results by the name of the case; all are graded in one batch, as for a course."""
    for number, case in enumerate(cases):
        write(folder, case, f"hw1_code_s{number:03}.ipynb")
    results = grade_all(find_entries(folder), judge_of, jobs=2)
    return {case.name: result for case, result in zip(cases, results, strict=True)}


def check(cases, judge_of, folder):
    wrong = {}
    for name, result in grade_folder(cases, judge_of, folder).items():
        says = remarks_of(result)
        if marks_of(result) != CASES[name].marks or not re.search(CASES[name].says, says):
            wrong[name] = marks_of(result), CASES[name].marks, says
    assert wrong == {}
    assert not WAS_HERE.exists()


def test_some_submissions_of_each_kind_get_the_marks_that_they_deserve(judge_of, tmp_path):
    by_kind = {}
    for case in SUBMISSIONS:
        by_kind.setdefault(case.kind, []).append(case)
    some = [case for cases in by_kind.values() for case in cases[:: len(cases) // 4]]
    check([case for case in some if not case.limits], judge_of, tmp_path)


@pytest.mark.slow
def test_every_submission_gets_the_marks_that_it_deserves(judge_of, tmp_path):
    check([case for case in SUBMISSIONS if not case.limits], judge_of, tmp_path)


@pytest.mark.parametrize("limits", [LOOPS, SLEEPS])
def test_what_does_not_end_is_stopped(limits, judge_of, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "LIMITS", sandbox.Limits(**limits))
    check([case for case in SUBMISSIONS if case.limits == limits], judge_of, tmp_path)


def test_no_two_sizes_of_a_problem_are_equal():
    for sizes in (*SMALL, HOME):
        numbers = list(vars(sizes).values())
        V, N, D, H, B = numbers
        assert len({*numbers, N * V, N * D, B * N}) == 8


def run_variant(tmp_path, monkeypatch, solution, **changes):
    """The Outcome of a solution, a function f(), in a changed version of the program.

    changes: for each piece of the program what replaces it.
    """
    text = sandbox.PROGRAM.read_text(encoding="utf-8")
    changes["arrays, arguments = arguments_of(call, namespace)"] = "arrays, arguments = {}, []"
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    variant = tmp_path / "student_process.py"
    variant.write_text(text)
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "PROGRAM", variant)
        call = {"function": "f", "V": 2, "N": 1, "arrays": {}, "count": False, "names": ["x"]}
        request = {"task": "submission", "helpers": [], "solution": solution, "calls": [call]}
        return sandbox.run(request)


NO_HOOK = {"    refuse_other_actions()": "    pass"}
NO_KERNEL = {"restrict_files()})": "False})"}


@pytest.mark.parametrize("changes", [NO_HOOK, NO_KERNEL])
def test_without_rights_files_stay_closed(changes, tmp_path, monkeypatch):
    """The kernel and the hook refuse files, each on its own."""
    solution = f"def f(): open({str(NOTEBOOK)!r})"
    (error,) = run_variant(tmp_path, monkeypatch, solution, **changes).values("error")
    assert error.startswith("raised PermissionError")


def test_the_kernel_refuses_new_processes_too(tmp_path, monkeypatch):
    solution = "def f():\n    import os\n    if os.fork() == 0: os._exit(0)"
    (error,) = run_variant(tmp_path, monkeypatch, solution, **NO_HOOK).values("error")
    assert error.startswith("raised BlockingIOError")


def test_a_folder_whose_name_only_begins_like_a_library_stays_closed(tmp_path, monkeypatch):
    readable = {'"/dev/null", "/dev/urandom"]': f'"/dev/null", {str(tmp_path / "li")!r}]'}
    (tmp_path / "library").write_text("secret")
    solution = f"def f(): open({str(tmp_path / 'library')!r})"
    (error,) = run_variant(tmp_path, monkeypatch, solution, **readable).values("error")
    assert "may not open files" in error


def test_random_numbers_are_the_same_at_each_run(tmp_path, monkeypatch):
    solution = "import random\ndef f(): return np.array([random.random(), np.random.rand()])"
    first, second = (run_variant(tmp_path, monkeypatch, solution) for _ in range(2))
    assert "data" in first.values("values")[0]["x"]
    assert first.values("values") == second.values("values")


def test_it_is_said_when_the_kernel_does_not_restrict_files(tmp_path, monkeypatch):
    assert "Landlock" not in sandbox.require_working()
    program = sandbox.PROGRAM.read_text(encoding="utf-8")
    variant = tmp_path / "student_process.py"
    variant.write_text(program.replace("restrict_files()})", "False})"))
    monkeypatch.setattr(sandbox, "PROGRAM", variant)
    assert "Landlock" in sandbox.require_working()


# What takes long


def test_a_notebook_in_pieces_is_read_in_little_time(judge_of, tmp_path):
    notebook = reference()
    piece = "    x = [" + "0, " * 200 + "]"
    notebook.cells[3:3] = [nbformat.v4.new_code_cell(piece) for _ in range(900)]
    notebook.cells.insert(3, nbformat.v4.new_code_cell("if True:\n    pass"))
    path = tmp_path / "hw1_code_x.ipynb"
    path.write_text(nbformat.writes(notebook))
    start = time.monotonic()
    submission = read_submission(path, judge_of)
    assert time.monotonic() - start < 15
    assert submission.written == set(FUNCTIONS)


def test_a_line_of_many_spaces_is_read_in_little_time():
    start, spaces = time.monotonic(), " " * 20_000
    with pytest.raises(SyntaxError):
        parse(f"x = (\n{spaces}={spaces}#")
    assert time.monotonic() - start < 5


def test_a_formula_that_takes_long_stays_as_it_is(monkeypatch):
    assert "<math" in markdown_to_html("$x$")
    monkeypatch.setattr("tools.grade.report.PANDOC_SECONDS", 1e-3)
    assert markdown_to_html("$x$ < y") == "<pre>$x$ &lt; y</pre>"


def test_a_long_answer_is_cut():
    assert markdown_to_html("a" * 30_000).count("a") == 20_000


# A folder of submissions


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Submissions in the layouts that course software exports."""
    folder = tmp_path_factory.mktemp("submissions")
    write(folder, CASES["the reference"], "hw1_code_abc1234.ipynb")
    write(folder, CASES["lost ids"], "smith_77_1234_hw1_code_js55.ipynb")
    for student in ("nobody", "broken", "late"):
        (folder / student / "hw1").mkdir(parents=True)
    write(folder / "broken" / "hw1", CASES["half a file"], "hw1_code_br9.ipynb")
    write(folder / "late" / "hw1", CASES["the factor 2 forgotten"], "Untitled.ipynb")
    (folder / "nobody" / "notes.txt").write_text("I am sorry")
    (folder / "list.csv").write_text("a,b\n")
    return folder


def test_submissions_are_found_in_files_and_folders(folder):
    entries = find_entries(folder)
    assert [entry.student for entry in entries] == [
        "abc1234",
        "br9",
        "js55",
        "late",
        "nobody",
    ]
    assert entries[-1].notebook is None


def test_two_submissions_of_one_student_are_both_graded_and_said(judge_of, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, CASES["the reference"])
    entries = find_entries(tmp_path)
    assert [entry.student for entry in entries] == ["abc1234 (a)", "abc1234 (b)"]
    for entry, folder in zip(entries, "ab"):
        assert entry.remark == f"2 submissions are named abc1234: this is {folder}"


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_submissions_is_one_error(name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(GradeError, match=name):
        find_entries(tmp_path / name)


def test_results_are_the_same_at_every_run(folder, judge_of, tmp_path):
    entries = find_entries(folder)
    written = []
    for run, jobs in (("first", 1), ("second", 2)):
        results = grade_all(entries, judge_of, jobs)
        write_results(tmp_path / run, results, judge_of.answers)
        files = sorted(path for path in (tmp_path / run).rglob("*") if path.is_file())
        written.append({str(p.relative_to(tmp_path / run)): p.read_bytes() for p in files})
    assert written[0] == written[1]
    assert len(written[0]) == 1 + 2 * len(entries) + 4


def test_the_table_has_a_row_a_student_and_a_column_a_question(folder, judge_of):
    results = grade_all(find_entries(folder), judge_of, 2)
    rows = list(csv.DictReader(csv_table(results).splitlines()))
    assert [row["student"] for row in rows] == [result.student for result in results]
    by_name = {row["student"]: row for row in rows}
    assert by_name["abc1234"]["automatic"] == by_name["abc1234"]["out of"] == "32"
    assert by_name["abc1234"]["2.1.1 [1]"] == ""  # a human's
    assert by_name["late"]["2.1.3 [6]"] == "0"
    assert "not hw1_code_<uni>.ipynb" in by_name["late"]["remarks"]
    assert by_name["nobody"]["automatic"] == "0"
    assert "no notebook" in by_name["nobody"]["remarks"]


def test_staff_is_told_where_to_look(judge_of, tmp_path):
    case = CASES["printed gradients of somebody else"]
    result = grade_entry(Entry("x", write(tmp_path, case)), judge_of)
    (row,) = csv.DictReader(csv_table([result]).splitlines())
    assert "2.2.3: hid_bias is printed, but the code does not compute it" in row["remarks"]
    assert "2.2.4: final figures are printed, but back_propagate and" in row["remarks"]
    assert "2.2.3: hid_bias is printed" not in feedback_page(result)


def test_feedback_gives_no_answer_away(judge_of, key_lines, tmp_path):
    """A student who printed nothing sees neither the key nor a right value."""
    case = CASES["written but never run"]
    page = feedback_page(grade_entry(Entry("x", write(tmp_path, case)), judge_of))
    for line in key_lines:
        assert line.split()[-1] not in page or float(line.split()[-1]) == 0
    for answer in judge_of.answers.values():
        assert answer[:40] not in page


def test_written_answers_stand_beside_the_rubric(judge_of, tmp_path):
    notebook = reference()
    cell_of(notebook, "q2_1_1").source = "It has $2Vd + 2V$ <script>alert(1)</script>"
    path = tmp_path / "hw1_code_x.ipynb"
    path.write_text(json.dumps(notebook))
    result = grade_entry(Entry("x", path), judge_of)
    write_results(tmp_path, [result], judge_of.answers)
    page = (tmp_path / "written_answers" / "2.1.1.html").read_text()
    assert "It has" in page and "<math" in page
    assert "default-src 'none'" in page  # so the script is not run
    for point in RUBRIC["2.1.1"]:
        assert point in page


def test_the_points_of_the_rubric_add_up():
    for question in QUESTIONS:
        if question.is_written:
            marks = [int(point.split(":")[0]) for point in RUBRIC[question.number]]
            assert sum(marks) == question.marks


@pytest.mark.parametrize("has_ids", [True, False])
def test_answers_are_found_with_and_without_ids(has_ids, judge_of, tmp_path):
    notebook = reference()
    for question, cell in ((q, cell_of(notebook, i)) for q, i in ANSWER_CELLS.items()):
        cell.source = f"My answer to {question}"
    if not has_ids:
        for cell in notebook.cells:
            cell.metadata.pop("nbgrader", None)
    path = tmp_path / "hw1_code_x.ipynb"
    path.write_text(json.dumps(notebook))
    answers = grade_entry(Entry("x", path), judge_of).answers
    assert answers == {question: f"My answer to {question}" for question in ANSWER_CELLS}


def test_an_answer_may_begin_with_a_heading(judge_of, tmp_path):
    notebook = reference()
    cell_of(notebook, "q2_1_1").source = "# My answer\n\nIt is large"
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    path = tmp_path / "hw1_code_x.ipynb"
    path.write_text(json.dumps(notebook))
    answers = grade_entry(Entry("x", path), judge_of).answers
    assert answers["2.1.1"] == "# My answer\n\nIt is large"
    assert "My answer" not in answers["2.1.2"]


ANSWER_CELLS = {"2.1.1": "q2_1_1", "2.1.2": "q2_1_2", "2.1.4": "q2_1_4", "2.3": "q2_3"}


# PDFs


def pdf_of(lines):
    markdown = "# Printed\n\n```\n" + "\n".join(lines) + "\n```\n"
    return markdown_to_pdf(markdown, title="A submission", footer="hw1")


def test_printed_gradients_in_the_pdf_are_compared(judge_of, key_lines, tmp_path):
    path = write(tmp_path, CASES["the reference"])
    pdf = path.with_suffix(".pdf")
    wrong = [re.sub(r"\d\.", "9.", line) for line in key_lines]
    for content, says in (
        (pdf_of(key_lines), []),
        (pdf_of(["nothing"]), ["no printed gradients in its text"]),
        (pdf_of(wrong), ["not those of the key", "not those of the notebook"]),
        (b"%PDF-1.7 nothing", ["cannot be read"]),
        (b"", ["cannot be read"]),
    ):
        pdf.write_bytes(content)
        warnings = grade_entry(Entry("x", path, pdf), judge_of).warnings
        assert len(warnings) == len(says), warnings
        assert all(text in warning for text, warning in zip(says, warnings))


# Gradescope


@pytest.fixture
def gradescope(key_lines):
    """Gradescope's folders, with the zip unpacked; a place where the user nobody may look."""
    base = Path("/tmp") / f"autograder-{os.getpid()}"
    shutil.rmtree(base, ignore_errors=True)
    for name in ("source", "submission", "results"):
        (base / name).mkdir(parents=True)
    write_autograder(base / "autograder.zip", key_lines)
    subprocess.run(["unzip", "-q", base / "autograder.zip", "-d", base / "source"], check=True)
    shutil.copy(base / "source" / "run_autograder", base / "run_autograder")
    yield base
    shutil.rmtree(base)


def marks_on_gradescope(base):
    content = json.loads((base / "results" / "results.json").read_text())
    return {test["number"]: test["score"] for test in content["tests"]}


def test_the_zip_has_the_same_bytes_each_time(key_lines, tmp_path):
    for name in ("a.zip", "b.zip"):
        write_autograder(tmp_path / name, key_lines)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    archive = zipfile.ZipFile(tmp_path / "a.zip")
    assert archive.getinfo("run_autograder").external_attr >> 16 == 0o100755


@pytest.mark.parametrize(
    "name",
    [
        "the reference",
        "os._exit",
        pytest.param("the mask forgotten", marks=pytest.mark.slow),
        pytest.param("half a file", marks=pytest.mark.slow),
    ],
)
def test_the_unpacked_zip_grades_as_the_grader_does(name, gradescope):
    write(gradescope / "submission", CASES[name])
    run = [sys.executable, "-m", "tools.grade.gradescope", str(gradescope)]
    subprocess.run(run, cwd=gradescope / "source", check=True, capture_output=True)
    assert marks_on_gradescope(gradescope) == CASES[name].marks


def test_partial_results_are_there_when_the_autograder_is_killed(gradescope):
    case = CASES["an endless loop"]
    write(gradescope / "submission", case)
    run = [sys.executable, "-m", "tools.grade.gradescope", str(gradescope)]
    process = subprocess.Popen(run, cwd=gradescope / "source")
    results = gradescope / "results" / "results.json"
    for _ in range(600):
        time.sleep(0.1)
        if results.exists() and len(marks_on_gradescope(gradescope)) == len(PERFECT):
            break
    process.kill()
    process.wait()
    content = json.loads(results.read_text())
    assert [test["number"] for test in content["tests"]] == list(PERFECT)
    assert content["tests"][0]["output"] == "not judged yet"


@pytest.mark.slow
def test_the_zip_sets_itself_up_and_runs(gradescope):
    """As on Gradescope: setup.sh once, then run_autograder, as root if the tests are."""
    write(gradescope / "submission", CASES["the sign of the derivative"])
    subprocess.run(["bash", gradescope / "source" / "setup.sh"], check=True, capture_output=True)
    start = time.monotonic()
    subprocess.run(["bash", gradescope / "run_autograder"], check=True, capture_output=True)
    assert time.monotonic() - start < 60  # of the 600 s that Gradescope gives
    assert marks_on_gradescope(gradescope) == CASES["the sign of the derivative"].marks


# The command line


def run_tool(*arguments):
    command = [sys.executable, "-m", "tools.grade", *map(str, arguments)]
    folder = NOTEBOOK.parent
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_command_grades_a_folder(folder, tmp_path):
    run = run_tool(folder, "-o", tmp_path / "results")
    assert run.returncode == 0, run.stderr
    assert "5 submissions" in run.stdout
    assert (tmp_path / "results" / "feedback" / "abc1234.html").is_file()
    assert "32" in (tmp_path / "results" / "results.csv").read_text()


def test_errors_are_one_line(tmp_path):
    run = run_tool(tmp_path / "missing")
    assert run.returncode == 1
    assert len(run.stderr.strip().splitlines()) == 1
    assert "missing" in run.stderr


@pytest.mark.slow
def test_a_hundred_submissions_take_less_than_a_second_each(judge_of, tmp_path):
    """Three hundred in five minutes, then; a figure that a busy machine may double."""
    cases = [case for case in SUBMISSIONS if case.kind in ("half done", "wrong")]
    for number in range(100):
        write(tmp_path, cases[number % len(cases)], f"hw1_code_s{number:03}.ipynb")
    start = time.monotonic()
    results = grade_all(find_entries(tmp_path), judge_of, jobs=2)
    assert time.monotonic() - start < 100
    marks = [marks_of(result) for result in results]
    assert marks == [cases[number % len(cases)].marks for number in range(100)]


# A new run of the whole notebook


def short(notebook):
    """The notebook without its experiments, which take long."""
    notebook.cells = [c for c in notebook.cells if "experiment" not in c.metadata.get("tags", [])]
    return notebook


@pytest.mark.slow
def test_a_new_run_is_compared_with_what_was_saved(data, tmp_path):
    files = checking.__file__, NOTEBOOK.with_name("data.pk"), PARTIALLY_TRAINED
    notebook = short(reference())
    path = tmp_path / "hw1_code_x.ipynb"
    path.write_text(json.dumps(notebook))
    assert re_execute(path, files) == []
    cell_of(notebook, "print_gradients").outputs[0].text = "hid_bias[0] 1.000000e+00\n"
    cell_of(notebook, "grad_GLoVe").source = "while True: pass"
    path.write_text(json.dumps(notebook))
    before = path.read_bytes()
    says = "\n".join(re_execute(path, files, cell_seconds=5))
    assert "(while True: pass): interrupted" in says
    assert re.search(r"prints \d+ figures, 1 were saved", says)
    assert path.read_bytes() == before
    path.write_text(json.dumps(without_outputs(notebook)))
    assert re_execute(path, files, cell_seconds=5) != []


# Odd files


def test_links_and_leftovers_are_nobodys_submission(folder, tmp_path):
    (tmp_path / "linked").symlink_to(folder)
    (tmp_path / "hw1_code_link1.ipynb").symlink_to(NOTEBOOK)
    os.mkfifo(tmp_path / "hw1_code_pipe1.ipynb")
    student = tmp_path / "student"
    (student / "__MACOSX").mkdir(parents=True)
    write(student, CASES["the reference"])
    write(student / "__MACOSX", CASES["an empty file"], "._hw1_code_abc1234.ipynb")
    (student / "hw1_code_zzz9.ipynb").symlink_to(NOTEBOOK)
    (student / "hw1_code_x.pdf").mkdir()
    (entry,) = find_entries(tmp_path)
    assert entry.notebook == student / "hw1_code_abc1234.ipynb"
    assert entry.pdf is None


def test_the_right_one_of_several_notebooks_is_judged(tmp_path):
    for name in ("hw1_code_ab1.ipynb", "hw1_code_ab2.ipynb", "hw1_code_ab2_copy.ipynb", "z.ipynb"):
        write(tmp_path, CASES["the reference"], name)
    chosen, remark = choose_notebook(tmp_path)
    assert chosen.name == "hw1_code_ab2.ipynb"
    assert remark == (
        "hw1_code_ab2.ipynb is judged; there are also hw1_code_ab1.ipynb, hw1_code_ab2_copy.ipynb,"
        " z.ipynb"
    )
    for path in tmp_path.iterdir():
        if path != chosen:
            path.unlink()
    assert choose_notebook(tmp_path) == (chosen, "")


def test_names_of_all_kinds_get_a_page_each(judge_of, tmp_path):
    students = ["李明", "王芳", "ann b", "ann_b", "a" * 300, "..", "x\udcff", "=1+1", "a/b"]
    results = [grade_entry(Entry(student), judge_of) for student in students]
    write_results(tmp_path, results, judge_of.answers)
    assert len(list((tmp_path / "feedback").iterdir())) == len(students)
    assert len(list((tmp_path / "gradescope").iterdir())) == len(students)
    assert "\n=" not in (tmp_path / "results.csv").read_text()


def test_what_a_student_writes_stays_in_its_frame(judge_of, tmp_path):
    notebook = reference()
    evil = '</div></iframe><meta http-equiv="refresh" content="0;url=x">$x$\ud800'
    cell_of(notebook, "q2_1_1").source = evil
    path = tmp_path / "hw1_code_x.ipynb"
    path.write_text(json.dumps(notebook))
    write_results(tmp_path, [grade_entry(Entry("x", path), judge_of)], judge_of.answers)
    page = (tmp_path / "written_answers" / "2.1.1.html").read_text()
    outside = re.sub(r'srcdoc="[^"]*"', "", page)
    assert "refresh" in page and "refresh" not in outside
    assert outside.count("</iframe>") == outside.count("<iframe sandbox ") == 1


def test_one_submission_that_breaks_the_grader_stops_no_other(folder, judge_of, monkeypatch):
    import tools.grade

    real = tools.grade.grade_entry

    def breaks(entry, reference):
        if entry.student == "late":
            raise ZeroDivisionError("a bug")
        return real(entry, reference)

    monkeypatch.setattr(tools.grade, "grade_entry", breaks)
    results = {result.student: result for result in grade_all(find_entries(folder), judge_of, 2)}
    assert results["late"].marks == 0 and "a bug" in results["late"].warnings[0]
    assert results["abc1234"].marks == 32


def test_results_do_not_go_into_the_folder_of_submissions(folder):
    run = run_tool(folder, "-o", folder / "results")
    assert run.returncode == 1
    assert "in the folder of submissions" in run.stderr
