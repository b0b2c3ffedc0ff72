"""The zip for students: all that they need, and nothing of the solutions."""

import copy
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from importlib.metadata import packages_distributions

import nbformat
import numpy as np
import pytest

from tests.commands import nbgrader, run_tool
from tools.common import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT, SENTENCES, room_files
from tools.notebook import (
    EXPERIMENT,
    cell_of,
    code_cells,
    final_figures,
    notebook_bytes,
    printed,
)
from tools.pdf.typeset import markdown_to_pdf
from tools.questions import QUESTIONS
from tools.reference import answer_key
from tools.release import __main__ as release
from tools.release.__main__ import ReleaseError, require_no_traces, student_readme, student_version
from tools.release.leaks import find_traces, notebook_traces, text_of, traces_of_solutions


def contents_of(release):
    """Contents of the zip of a release, by name without the folder hw1."""
    with zipfile.ZipFile(release) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        return {name.removeprefix("hw1/"): archive.read(name) for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where one release was made; its zip is unpacked there, in hw1."""
    folder = tmp_path_factory.mktemp("release")
    assert run_tool(release, "-o", folder / "hw1.zip")[0] == 0
    with zipfile.ZipFile(folder / "hw1.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def files(folder):
    """Contents of the zip, by name."""
    return contents_of(folder / "hw1.zip")


@pytest.fixture(scope="module")
def student(files):
    """The students' notebook."""
    return nbformat.reads(files[NOTEBOOK.name].decode(), as_version=4)


@pytest.fixture(scope="module")
def key_lines(saved_notebook):
    return printed(cell_of(saved_notebook, "print_gradients")).splitlines()


@pytest.fixture(scope="module")
def traces(saved_notebook, key_lines):
    return traces_of_solutions(saved_notebook, key_lines)


def is_solution(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def run_python(folder, *arguments):
    """The standard output of a Python process in the students' folder, which has to succeed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


# The students' notebook


def test_each_stub_names_its_question(student):
    for question in QUESTIONS:
        cell = cell_of(student, question.grade_id)
        if question.is_written:
            assert cell.source == "YOUR ANSWER HERE"
        elif is_solution(cell):
            assert f'raise NotImplementedError("{question.number}: {question.title}' in cell.source


def test_nothing_of_a_run_is_left(saved_notebook, files):
    notebook = copy.deepcopy(saved_notebook)
    notebook.metadata.widgets = {"state": {}}
    code_cells(notebook)[0].metadata.execution = {"shell.execute_reply": "2026-09-08"}
    assert notebook_bytes(student_version(notebook)) == files[NOTEBOOK.name]


@pytest.mark.slow
def test_an_nbgrader_course_makes_the_same_cells(student, tmp_path):
    source = tmp_path / "source" / "hw1"
    source.mkdir(parents=True)
    (source / NOTEBOOK.name).write_bytes(NOTEBOOK.read_bytes())
    nbgrader(tmp_path, "generate_assignment", "hw1")
    generated = nbformat.read(tmp_path / "release" / "hw1" / NOTEBOOK.name, as_version=4)
    for ours, theirs in zip(student.cells, generated.cells, strict=True):
        if ours.cell_type == "code" and is_solution(ours):  # nbgrader's stub names no question
            ours = copy.deepcopy(ours)
            ours.source = re.sub(r'Error\(".*"\)', "Error()", ours.source)
            assert ours.source == theirs.source
        else:
            assert ours == theirs


RUN_CELLS = """
import json, sys
cells = json.load(open(sys.argv[1]))["cells"]
namespace = {"__name__": "__main__"}
for cell in cells:
    if cell["cell_type"] == "code" and "experiment" not in cell["metadata"].get("tags", []):
        try:
            exec("".join(cell["source"]), namespace)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
"""  # what a student sees of the cells that take no long time


def test_a_student_reaches_the_first_stub_and_with_the_solutions_the_key(
    saved_notebook, student, folder, key_lines
):
    printed = run_python(folder / "hw1", "-c", RUN_CELLS, NOTEBOOK.name)
    assert "GradientCheckError: " in printed and "grad_GLoVe is not written yet" in printed
    filled = copy.deepcopy(student)
    for reference, cell in zip(saved_notebook.cells, filled.cells, strict=True):
        if is_solution(reference):
            cell.source = reference.source
    nbformat.write(filled, folder / "filled.ipynb")
    printed = run_python(folder / "hw1", "-c", RUN_CELLS, "../filled.ipynb")
    assert "Error" not in printed and "WRONG" not in printed
    assert len(re.findall(r" right\b", printed)) >= 13
    assert "\n".join(key_lines) in printed


# The students' other files


def test_its_modules_and_commands_need_no_other_file_of_ours(folder, files):
    modules = [name[:-3].replace("/", ".") for name in files if name.endswith(".py")]
    names = [name.removesuffix(".__init__") for name in modules if "__main__" not in name]
    code = f"import sys, {', '.join(names)}\nfor m in list(sys.modules.values()):\n"
    code += "    print(getattr(m, '__file__', None))\n"
    assert str(ROOT / "tools") not in run_python(folder / "hw1", "-c", code)
    assert "--written" in run_python(folder / "hw1", "-m", "tools.pdf", "--help")
    assert files["tools/handed_out.ipynb"] == files[NOTEBOOK.name]


@pytest.mark.slow
def test_a_student_makes_a_pdf(folder, tmp_path):
    hw1 = shutil.copytree(folder / "hw1", tmp_path / "hw1")
    (hw1 / "hw1_code_abc1234.ipynb").write_bytes(NOTEBOOK.read_bytes())
    arguments = ["hw1_code_abc1234.ipynb", "--written", "written/problems.pdf"]
    run_python(hw1, "-m", "tools.pdf", *arguments)
    text = text_of("a.pdf", (hw1 / "hw1_code_abc1234.pdf").read_bytes())
    assert "2.1.3" in text and "superincreasing" in text


def test_students_install_what_they_import_in_the_versions_of_the_staff(files):
    sources = "\n".join(text.decode() for name, text in files.items() if name.endswith(".py"))
    modules = set(re.findall(r"^(?:import|from) (\w+)", sources, re.MULTILINE))
    owners = packages_distributions()
    imported = {owners[module][0].replace("_", "-") for module in modules & owners.keys()}
    lines = files["tools/requirements.txt"].decode().splitlines()
    assert lines[0] == "-r ../requirements.txt"
    for_pdf = {re.match(r"[\w-]+", line)[0] for line in lines[1:]}
    others = set(re.findall(r"^[\w-]+", files["requirements.txt"].decode(), re.MULTILINE))
    assert for_pdf <= imported <= for_pdf | others | {"beautifulsoup4"}  # which jupyter needs
    staff = (ROOT / "tools" / "requirements.txt").read_text(encoding="utf-8")
    assert set(lines) <= set(staff.splitlines())


def test_no_file_names_a_file_of_ours_that_is_not_in_the_zip(files):
    ours = room_files("tools", "tests", "written")
    absent = {name.rpartition("/")[2] for name in ours} - {n.rpartition("/")[2] for n in files}
    found = []
    for name, content in files.items():
        if name.endswith((".py", ".md", ".ipynb", ".txt")) and name != SENTENCES.name:
            text = text_of(name, content)
            found += [f"{name}: {other}" for other in absent if re.search(rf"\b{other}\b", text)]
            for mention in re.findall(r"\b(?:tools|tests)[./][\w./]*\w|written/\w+", text):
                module = mention.replace(".", "/")  # or something in a module
                names = mention, module, module.rpartition("/")[0] + ".py"
                if not any(path.startswith(names) for path in files):
                    found.append(f"{name}: {mention}")
    assert found == []


def test_the_readme_names_what_exists(files, student, saved_notebook):
    readme = files["README.md"].decode()
    table = readme.split("## What is in this folder")[1]
    for name in re.findall(r"`([^`]+)`", table):
        assert any(path.startswith(name) for path in files), name
    for name in files:
        assert f"`{name}`" in readme or name.startswith("tools/") or name == "README.md", name
    sources = "".join(cell.source for cell in student.cells) + files["checking.py"].decode()
    for message in ("is not written yet", "DataFileError", "NotImplementedError", "right", "WRONG"):
        assert message in readme and message in sources
    (limits,) = re.findall(r"are between ([\d.]+) and ([\d.]+) nats", readme)
    finals = final_figures(printed(cell_of(saved_notebook, "train"))).values()
    assert len(finals) == 3
    assert all(float(limits[0]) < final < float(limits[1]) for final in finals)


def test_the_readme_has_what_the_course_says_and_names_no_file_that_is_missing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tools.release.__main__.COURSE", tmp_path / "course.md")
    plain = student_readme([SENTENCES.name, "LICENSE-DATA"])
    assert SENTENCES.name in plain and "LICENSE-DATA" in plain and "<!--" not in plain
    assert not re.search(rf"{SENTENCES.name}|LICENSE-DATA", student_readme([]))
    (tmp_path / "course.md").write_text("## The course\n\nDue on Friday.\n")
    head = student_readme([]).partition("## Set up")[0]
    assert head.startswith("# Assignment 1") and "\n\n## The course\n\nDue on Friday.\n\n" in head


# Leaks


def test_no_line_of_a_solution_is_in_any_file(files, saved_notebook, key_lines):
    # Not by means of tools.release.leaks, on which the release itself relies.
    lines = set()
    for cell in saved_notebook.cells:
        if cell.cell_type == "code" and is_solution(cell):
            solution = cell.source.split("### BEGIN SOLUTION\n")[1].split("### END")[0]
            lines |= {re.sub(r"\s|#.*", "", line) for line in solution.splitlines()}
    lines = {line for line in lines if re.search(r"[-+*@/]|\.sum|\.reshape", line)}
    values = {line.split()[-1] for line in key_lines} - {"0.000000e+00"}
    assert len(lines) >= 10 and len(values) >= 20
    for name, content in files.items():
        text = re.sub(r"\s", "", content.decode("latin-1"))
        assert not [line for line in lines | values if line in text], name


def test_each_solution_is_searched_for_and_found_in_other_dress(traces):
    origins = Counter(trace.origin for trace in traces)
    for question in QUESTIONS:
        name = question.grade_id
        if name not in ("print_gradients", "train"):  # one call each, no secret
            assert origins[f"the solution in the cell {name}"]
        assert question.is_written == bool(origins[f"the rubric of question {question.number}"])
    assert origins["the written solutions"] > 40
    assert sum("the printed" in origin for origin in origins) >= 20
    for trace in traces:
        spaced = re.sub(r"([-+*@/(),])", r" \1  ", trace.text)
        is_code = "code" if trace.wanted == re.sub(r"\s", "", trace.text) else ""
        shown = spaced if is_code else f"*{spaced.upper()}*".replace(" ", "\n")
        content = f"Some text.\n\nAnd now: {shown}\n".encode()
        assert find_traces({"a": content}, [trace]) == [("a", trace)]


def solution(text, new_cell=nbformat.v4.new_markdown_cell):
    """A notebook with one solution."""
    metadata = {"nbgrader": {"solution": True, "grade_id": "q"}}
    return nbformat.v4.new_notebook(cells=[new_cell(text, metadata=metadata)])


def test_short_sentences_and_other_numbers_are_no_traces(traces):
    assert notebook_traces(solution("Neither is sharp. On our corpus: it is 8534.")) == []
    long = "This sentence is long enough, and nobody else writes it."
    assert [trace.text for trace in notebook_traces(solution(long))] == [long]
    code = "a = b.c\nd = e @ f  # short\nreturn print_gradients()  # a comment that is long enough"
    texts = [trace.text for trace in notebook_traces(solution(code, nbformat.v4.new_code_cell))]
    assert texts == ["e @ f", "a comment that is long enough"]
    numbers = " ".join(map(str, range(100_000)))  # of a text with numbers, whatever they are
    assert find_traces({"a": f"{numbers} 0.5 0.0 0.000000e+00 3.14159".encode()}, traces) == []


def in_notebook(content, leak):
    notebook = nbformat.reads(content.decode(), as_version=4)
    notebook.cells[8].metadata["note"] = {"of the author": [leak]}
    return nbformat.writes(notebook).encode()


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        (NOTEBOOK.name, in_notebook),
        (PARTIALLY_TRAINED.name, lambda old, leak: pickle.dumps(pickle.loads(old) | {"a": leak})),
        ("written/problems.pdf", lambda old, leak: markdown_to_pdf(f"# Problems\n\n{leak}\n")),
        ("checking.py", lambda old, leak: old + leak.encode()),
    ],
)
def test_a_leak_is_found_in_each_kind_of_file(files, traces, name, plant):
    texts = [trace.text for trace in traces if "written" in trace.origin]
    leak = max((text for text in texts if not re.search(r"[$\\`|]", text)), key=len)
    require_no_traces({name: plant(files[name], "Nothing of a secret is here.")}, traces)
    with pytest.raises(ReleaseError, match=rf"{name} holds \d+ traces of solutions"):
        require_no_traces({name: plant(files[name], leak)}, traces)


# What cannot be released


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("### BEGIN SOLUTION", "", "question 2.2.2: found no line ### BEGIN SOLUTION"),
        ("### END SOLUTION", "", "nbgrader stopped: "),
        ('"back_propagate"', '"other"', "question 2.2.2: found no cell"),
    ],
)
def test_a_notebook_that_is_not_marked_is_refused(saved_notebook, old, new, message):
    damaged = copy.deepcopy(saved_notebook)
    cell = cell_of(damaged, "back_propagate")
    cell.update(nbformat.from_dict(json.loads(re.sub(old, new, json.dumps(cell)))))
    with pytest.raises(ReleaseError, match=message):
        student_version(damaged)


def refused(*arguments):
    """The line in which the command says why it stops."""
    status, _, errors = run_tool(release, *arguments)
    assert status == 1
    return errors.splitlines()[-1]


TEXTS = [  # before and after it was tokenized, and a word that it does not have
    (
        "What a day! It was so long , and so cold.",
        "what a day ! it was so long , and so cold .",
        "i",
    ),
    (
        "«E\u0301TE\u0301», DIT JOSE\u0301;\u00a0il n\u2019est\tpas la\u00ad.",
        "« été » , dit josé ; il n ' est pas la .",
        "point",
    ),
    ("इब्राहीम हिन्दी में पढ़ता है।", "इब्राहीम हिन्दी में पढ़ता है ।", "किताब"),
]


@pytest.mark.parametrize(("text", "words", "other"), TEXTS)
def test_the_text_of_the_data_is_the_one_that_holds_their_windows(text, words, other):
    words = words.split()
    vocab = ["[MASK]", *dict.fromkeys(words)]
    indices = [vocab.index(word) for word in words]
    windows = np.array([indices[i : i + 4] for i in range(len(indices) - 3)], np.int32)
    data = {"vocab": vocab} | {f"{split}_inputs": windows for split in ("train", "valid", "test")}
    assert release.window_not_in(f"{other}\n{text}", data) is None
    assert release.window_not_in(re.sub(r"\s", "\n", text), data) in " ".join(words)
    changed = data | {"vocab": [*vocab[:4], other, *vocab[5:]]}
    assert other in release.window_not_in(text, changed)


def own_data(folder):
    """Data files of another text, in a folder."""
    random = np.random.RandomState(0)
    vocab = ["[MASK]", *(f"{letter}{number}" for letter in "abcdef" for number in range(5))]
    windows = random.randint(1, len(vocab), (600, 4), np.int32)
    splits = zip(("train_inputs", "valid_inputs", "test_inputs"), np.split(windows, [400, 500]))
    (folder / DATA.name).write_bytes(pickle.dumps({"vocab": vocab, **dict(splits)}))
    lines = [" ".join(vocab[index] for index in window) for window in windows]
    (folder / SENTENCES.name).write_text("\n".join([*lines, "other words 8534 . 9.971212"]))


def test_own_data_are_released_with_their_own_text_or_none(tmp_path):
    own_data(tmp_path)
    arguments = ["--data", tmp_path / DATA.name, "--term", "2026"]
    output = tmp_path / "hw1.zip"
    line = refused("-o", output, *arguments, "--sentences", SENTENCES)
    assert f"{SENTENCES}: found no" in line and "expected the text of which the data" in line

    for has_text in (True, False):
        text = (tmp_path / SENTENCES.name).read_bytes()
        if not has_text:
            (tmp_path / SENTENCES.name).write_bytes(SENTENCES.read_bytes())
        status, printed, _ = run_tool(release, "-o", output, *arguments)
        said = f"with{'' if has_text else 'out'} the text {tmp_path / SENTENCES.name}"
        assert status == 0 and said in printed
        with zipfile.ZipFile(output) as archive:
            assert archive.read(f"hw1/{DATA.name}") == (tmp_path / DATA.name).read_bytes()
            assert (f"hw1/{SENTENCES.name}" in archive.namelist()) == has_text
            assert not has_text or archive.read(f"hw1/{SENTENCES.name}") == text
            assert (SENTENCES.name in archive.read("hw1/README.md").decode()) == has_text
            assert "hw1/LICENSE-DATA" not in archive.namelist()


def notebook_with(name, text):
    """Bytes of the reference notebook with more text in a cell."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cell_of(notebook, name).source += text
    return nbformat.writes(notebook).encode()


def shorter_windows():
    data = pickle.loads(DATA.read_bytes())
    return pickle.dumps({k: v if k == "vocab" else v[:200, :3] for k, v in data.items()})


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        (
            "--notebook",
            lambda: notebook_with(
                "back_propagate", "\nModel.back_propagate = lambda m, *_: m.params"
            ),
            "fails its own check: output_bias",
        ),
        (
            "--notebook",
            lambda: notebook_with("print_gradients", "\n# loss_derivative.T  @ S"),
            "hw1_code.ipynb holds 1 traces of solutions, such as 'loss_derivative.T @ S' of ",
        ),
        ("--data", lambda: b"\x80\x04not a pickle", "found "),
        ("--data", shorter_windows, "output_bias of the partially trained model: found 1004"),
        ("--sentences", lambda: None, "No such file"),
        ("--sentences", lambda: b"\xff\xfe", "expected the text of which the data were made"),
    ],
)
def test_what_cannot_be_released_is_refused_in_one_line(option, content, message, tmp_path):
    path, content = tmp_path / "bad", content()
    if content is not None:
        path.write_bytes(content)
    output = tmp_path / "hw1.zip"
    assert message in refused("-o", output, option, path)
    assert not output.exists()


def test_what_is_released_is_not_overwritten(tmp_path):
    notebook = tmp_path / NOTEBOOK.name
    notebook.write_bytes(NOTEBOOK.read_bytes())
    arguments = ["-o", tmp_path / "hw1.zip", "--notebook", notebook]
    assert "would be overwritten" in refused(*arguments, "--staff", tmp_path)
    assert "expected a name that ends in .zip" in refused("-o", notebook, "--notebook", notebook)
    assert list(tmp_path.iterdir()) == [notebook]
    assert notebook.read_bytes() == NOTEBOOK.read_bytes()


# For the staff


@pytest.mark.slow
def test_a_release_is_the_same_again_but_for_the_model_of_a_term_whose_key_the_staff_see(
    saved_notebook, files, key_lines, data, tmp_path
):
    quick = copy.deepcopy(saved_notebook)
    for cell in code_cells(quick):
        if EXPERIMENT in cell.metadata.get("tags", []):
            cell.source = "pass"
    nbformat.write(quick, tmp_path / "quick.ipynb")
    arguments = ["-o", "hw1.zip", "--term", "2026", "--notebook", "quick.ipynb", "--staff", "staff"]
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tools.release", *arguments]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    again = contents_of(tmp_path / "hw1.zip")
    other = {NOTEBOOK.name, "tools/handed_out.ipynb", PARTIALLY_TRAINED.name}
    assert {name for name in files.keys() | again if files.get(name) != again.get(name)} == other
    assert again[NOTEBOOK.name] == notebook_bytes(student_version(quick))
    executed = nbformat.read(tmp_path / "staff" / NOTEBOOK.name, as_version=4)
    key = answer_key(data, pickle.loads(again[PARTIALLY_TRAINED.name]))
    assert printed(cell_of(executed, "print_gradients")).splitlines() == key != key_lines
