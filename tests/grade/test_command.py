"""How the grader finds submissions, what comes after the marks, and its command line."""

import sys
from pathlib import Path

import nbformat
import pytest

import checking
from tools import grade, re_execute
from tools.common import DATA, PARTIALLY_TRAINED
from tools.grade import find_entries, grade_all
from tools.grade.entry import Entry
from tools.grade.report import Result


def notebook_file(path, *cells):
    path.parent.mkdir(exist_ok=True)
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=list(cells))))
    return path


def cell_that_printed(text, source="pass"):
    output = nbformat.v4.new_output("stream", text=text)
    return nbformat.v4.new_code_cell(source, outputs=[output])


# Names


def names_and_remarks(folder):
    return {entry.student: entry.remark for entry in find_entries(folder)}


def test_a_notebook_with_the_uni_of_another_student_takes_no_name_away(tmp_path):
    for folder in ("anton", "zoe", "zoe again"):
        notebook_file(tmp_path / folder / "hw1_code_zoe1.ipynb")
    notebook_file(tmp_path / "zoe" / "draft.ipynb")
    notebook_file(tmp_path / "hw1_code_max2.ipynb")
    found = names_and_remarks(tmp_path)
    assert list(found) == ["max2", "zoe1 (anton)", "zoe1 (zoe again)", "zoe1 (zoe)"]
    assert found["zoe1 (anton)"] == "3 submissions are named zoe1: this is anton"
    assert found["zoe1 (zoe)"] == (
        "hw1_code_zoe1.ipynb is judged; there are also draft.ipynb; "
        "3 submissions are named zoe1: this is zoe"
    )
    assert found["max2"] == ""


def test_a_name_that_another_submission_would_get_is_told_apart_too(tmp_path):
    for folder in ("a", "b"):
        notebook_file(tmp_path / folder / "hw1_code_zoe1.ipynb")
    (tmp_path / "zoe1 (a)").mkdir()
    assert len(names_and_remarks(tmp_path)) == 3


def test_a_placeholder_is_nobodys_uni(tmp_path):
    notebook_file(tmp_path / "anton" / "hw1_code_uni.ipynb")
    notebook_file(tmp_path / "zoe" / "hw1_code_YourUni.ipynb")
    notebook_file(tmp_path / "hw1_code_youruni.ipynb")
    assert list(names_and_remarks(tmp_path)) == ["anton", "hw1_code_youruni", "zoe"]


# After the marks


def test_what_fails_afterwards_leaves_the_marks(monkeypatch):
    monkeypatch.setattr(
        grade, "grade_entry", lambda entry, reference: Result(entry.student, remarks=["judged"])
    )

    def after(entry, result):
        raise FileNotFoundError("no kernel")

    (result,) = grade_all([Entry("x")], None, 1, after)
    assert result.remarks == ["judged"]
    assert result.warnings == ["after it was judged, FileNotFoundError: no kernel"]


def changed(saved, fresh):
    pair = [nbformat.v4.new_notebook(cells=[cell_that_printed(text)]) for text in (saved, fresh)]
    return re_execute.differences(*pair)


@pytest.mark.parametrize(
    "saved, fresh",
    [
        ("final test cross-entropy: 1.965", "final test cross-entropy: 1.980"),
        ("hid_bias[0] 1.234567e-03", "hid_bias[0] 1.234568e-03"),
        ("hid_bias[0] 0.000000e+00", "hid_bias[0] 0.000000e+00"),
    ],
)
def test_rounding_errors_are_no_difference(saved, fresh):
    assert changed(saved, fresh) == []


@pytest.mark.parametrize(
    "saved, fresh",
    [
        ("final test cross-entropy: 1.965", "final test cross-entropy: 1.990"),
        ("hid_bias[0] 1.234567e-03", "hid_bias[0] 2.469134e-03"),
        ("hid_bias[0] 1.234567e-09", "hid_bias[0] 0.000000e+00"),
        ("hid_bias[0] 0.000000e+00", "hid_bias[0] 1.234567e-09"),
    ],
)
def test_other_figures_are_a_difference(saved, fresh):
    (line,) = changed(saved, fresh)
    assert line.endswith(f"prints {fresh.split()[-1]}, {saved.split()[-1]} was saved")


FILES = checking.__file__, DATA, PARTIALLY_TRAINED


def test_what_programs_of_a_cell_print_does_not_mix_with_the_notebook(tmp_path):
    source = "import os\nos.system('echo hi')\nos.write(1, b'there')\nprint(1.5)"
    path = notebook_file(tmp_path / "x.ipynb", cell_that_printed("1.5", source))
    assert re_execute.re_execute(path, FILES) == []


def test_a_run_that_gives_no_notebook_is_one_remark(tmp_path, monkeypatch):
    path = notebook_file(tmp_path / "x.ipynb")
    monkeypatch.setattr(re_execute, "run_notebook", lambda *arguments: (b"hi", ""))
    (line,) = re_execute.re_execute(path, FILES)
    assert line.startswith("re-executed: ") and "found no Jupyter notebook" in line


# The command


def run_grade(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["grade", *map(str, arguments)])
    grade.main()


def test_notebooks_are_run_again_with_the_model_of_the_term(tmp_path, monkeypatch):
    notebook_file(tmp_path / "in" / "hw1_code_zoe1.ipynb")
    models = []
    monkeypatch.setattr(grade, "require_safe_user", lambda: None)
    monkeypatch.setattr(grade, "read_key", lambda arguments: ([], b"model of the term"))
    monkeypatch.setattr(
        grade, "re_execute", lambda path, files, _: models.append(Path(files[2]).read_bytes()) or []
    )
    command = [tmp_path / "in", "-o", tmp_path / "out", "--term", "2026", "--re-execute"]
    run_grade(monkeypatch, *command)
    assert models == [b"model of the term"]


def test_folders_are_looked_at_before_the_key_is_computed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grade, "read_key", lambda arguments: pytest.fail("too early"))
    (tmp_path / "empty").mkdir()
    notebook = notebook_file(tmp_path / "in" / "hw1_code_zoe1.ipynb")
    for arguments, message in (
        ([tmp_path / "missing"], "found no such folder"),
        ([tmp_path / "empty"], "found no notebooks"),
        ([tmp_path / "in", "-o", tmp_path / "in" / "x"], "in the folder of submissions"),
        ([tmp_path / "empty" / ".." / "in", "-o", notebook], "in the folder of submissions"),
        ([tmp_path / "in", "-o", tmp_path / "file" / "x"], "in which nothing can be written"),
        ([tmp_path / "in", "-o", tmp_path / "file"], "in which nothing can be written"),
        (["--gradescope-zip", tmp_path / "none" / "x"], "cannot be written"),
        (["--gradescope-zip", tmp_path / "in"], "cannot be written"),
        (["--gradescope-zip", notebook, "--notebook", notebook], "it is the notebook"),
    ):
        (tmp_path / "file").write_text("")
        with pytest.raises(SystemExit) as stopped:
            run_grade(monkeypatch, *arguments)
        assert stopped.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
        assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_smallest_and_the_largest_seed_make_problems(seed):
    assert grade.make_reference([], seed=grade.problem_seed(str(seed))).trials
