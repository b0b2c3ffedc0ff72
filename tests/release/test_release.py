"""The zip for students: all that they need, and nothing of the solutions."""

import ast
import copy
import io
import os
import pickle
import re
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
from nbgrader import utils
from nbgrader.nbgraderformat import MetadataValidator

import checking
from tools import release
from tools.common import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT, SENTENCES, zip_bytes
from tools.data.parameters import partially_train
from tools.notebook import EXPERIMENT, NotebookError, code_cells
from tools.pdf.typeset import markdown_to_pdf
from tools.questions import QUESTIONS
from tools.reference import answer_key, partially_trained_of
from tools.release.leaks import find_traces, text_of
from tools.release.students_zip import (
    ReleaseError,
    require_no_traces,
    student_files,
    student_version,
    traces_of_solutions,
    write_staff_folder,
)

TRACES_IN_WORDS = {  # what a leak could look like, not as it stands in the notebook
    "code": "x = 2*(R.T  @  W)",
    "comment": "The sigmoid: S = sigmoid(A), whose derivative is S * (1 - S).",
    "sentence": "with two dimensions ...\n\nMost other words crowd in the middle,\nwhere days, "
    "numbers, and verbs overlap",
    "formula": r"$\partial L/\partial b_i=2\sum_jR_{ij}$ and $\partial L/\partial\tilde b_i"
    r"=2\sum_jR_{ji}$, as one sees",
    "figure": "The smallest loss was 23932.",
    "written": "Symmetry halves the work\nbut does *not* change its order.",
}


@pytest.fixture(scope="module")
def key_lines(data):
    model = checking.load_partially_trained(PARTIALLY_TRAINED, data["vocab"])
    return answer_key(data, model)


@pytest.fixture(scope="module")
def files(saved_notebook):
    """Contents of the zip, by name."""
    contents = (path.read_bytes() for path in (DATA, PARTIALLY_TRAINED, SENTENCES))
    return student_files(saved_notebook, *contents)


@pytest.fixture(scope="module")
def student(files):
    """The students' notebook."""
    return nbformat.reads(files[NOTEBOOK.name].decode(), as_version=4)


@pytest.fixture(scope="module")
def traces(saved_notebook, key_lines):
    return traces_of_solutions(saved_notebook, key_lines)


@pytest.fixture(scope="module")
def unzipped(files, tmp_path_factory):
    """The folder that a student gets from the zip."""
    folder = tmp_path_factory.mktemp("student")
    with zipfile.ZipFile(io.BytesIO(zip_bytes(files))) as archive:
        archive.extractall(folder)
    return folder


def is_solution(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def cell_of(notebook, grade_id):
    (cell,) = [
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    ]
    return cell


# The students' notebook


def test_only_solutions_and_outputs_are_gone(saved_notebook, student):
    for before, after in zip(saved_notebook.cells, student.cells, strict=True):
        assert (before.id, before.cell_type) == (after.id, after.cell_type)
        assert before.metadata.get("tags") == after.metadata.get("tags")
        if not is_solution(before):
            assert before.source == after.source
        if after.cell_type == "code":
            assert after.outputs == []
            assert after.execution_count is None
    nbformat.validate(student)


def test_each_stub_names_its_question_where_the_solution_was(saved_notebook, student):
    for question in QUESTIONS:
        before, after = (cell_of(nb, question.grade_id) for nb in (saved_notebook, student))
        if question.is_written:
            assert after.source == "YOUR ANSWER HERE"
        elif is_solution(before):
            begin, rest = re.split("### BEGIN(?s:.*)### END SOLUTION", before.source)
            indent = begin.rpartition("\n")[2]
            stub = f'# YOUR CODE HERE\n{indent}raise NotImplementedError("{question.number}: '
            assert after.source.startswith(begin + stub)
            assert after.source.endswith(rest)
            ast.parse(after.source)


def test_nbgrader_accepts_the_students_notebook(student):
    MetadataValidator().validate_nb(student)
    marked = [cell for cell in student.cells if "nbgrader" in cell.metadata]
    assert len(marked) >= len(QUESTIONS)
    for cell in marked:
        assert cell.metadata.nbgrader.checksum == utils.compute_checksum(cell)
        assert cell.metadata.deletable is False
        assert cell.metadata.get("editable", True) is not cell.metadata.nbgrader.locked


@pytest.mark.slow
def test_an_nbgrader_course_makes_the_same_cells(student, tmp_path):
    source = tmp_path / "source" / "hw1"
    source.mkdir(parents=True)
    (source / NOTEBOOK.name).write_bytes(NOTEBOOK.read_bytes())
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "hw1"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    generated = nbformat.read(tmp_path / "release" / "hw1" / NOTEBOOK.name, as_version=4)
    for ours, theirs in zip(student.cells, generated.cells, strict=True):
        if ours.cell_type == "code" and is_solution(ours):  # nbgrader's stub names no question
            ours = copy.deepcopy(ours)
            ours.source = re.sub(r'Error\(".*"\)', "Error()", ours.source)
            assert ours.source == theirs.source
        else:
            assert ours == theirs


def run_cells(notebook):
    """Run the cells that define and check things, in the folder where we are."""
    namespace = {"__name__": "hw1_code"}
    for cell in code_cells(notebook):
        if EXPERIMENT not in cell.metadata.get("tags", []):
            exec(compile(cell.source, f"<cell {cell.id}>", "exec"), namespace)


def test_the_students_notebook_runs_to_the_first_stub(student, unzipped, monkeypatch, capsys):
    monkeypatch.chdir(unzipped)
    with pytest.raises(checking.GradientCheckError, match="grad_GLoVe is not written yet"):
        run_cells(student)
    assert "The loop and np.bincount agree." in capsys.readouterr().out


def test_with_the_solutions_filled_in_it_passes_all_checks(
    saved_notebook, student, unzipped, key_lines, monkeypatch, capsys
):
    monkeypatch.chdir(unzipped)
    filled = copy.deepcopy(student)
    for reference, cell in zip(saved_notebook.cells, filled.cells, strict=True):
        if is_solution(reference):
            cell.source = reference.source
    run_cells(filled)
    printed = capsys.readouterr().out
    assert len(re.findall(" right$", printed, re.MULTILINE)) == 13
    assert "\n".join(key_lines) in printed


# What must not be in the zip


def telling_lines(saved_notebook):
    """Lines of the solutions in code, without comments and spaces.

    A line with no operator but commas, dots and a call's parentheses is too general to be one.
    """
    for cell in saved_notebook.cells:
        if cell.cell_type == "code" and is_solution(cell):
            solution = cell.source.split("### BEGIN SOLUTION\n")[1].split("### END")[0]
            for line in solution.splitlines():
                line = re.sub(r"\s|#.*", "", line)
                if re.search(r"[-+*@/]|\.sum|\.reshape", line):
                    yield line


def test_no_line_of_a_solution_is_in_any_file(files, saved_notebook, key_lines):
    # Not by means of tools.release.leaks, on which the release itself relies.
    lines = set(telling_lines(saved_notebook))
    assert len(lines) >= 15
    values = {line.split()[-1] for line in key_lines} - {"0.000000e+00"}
    assert len(values) >= 20
    reference = NOTEBOOK.read_text(encoding="utf-8")
    assert all(line in re.sub(r"\s", "", reference) for line in lines)
    assert all(value in reference for value in values)
    for name, content in files.items():
        text = re.sub(r"\s", "", content.decode("latin-1"))
        assert not [line for line in lines | values if line in text], name


def test_the_search_finds_nothing_in_the_zip(files, traces):
    require_no_traces(files, traces)


def test_each_solution_is_searched_for(traces):
    origins = {trace.origin for trace in traces}
    for question in QUESTIONS:
        if question.grade_id not in ("print_gradients", "train"):  # one call each, no secret
            assert f"the solution in the cell {question.grade_id}" in origins
    assert "the written solutions" in origins
    assert sum(origin.startswith("the printed hid_bias[") for origin in origins) >= 3


def test_the_reference_and_the_written_solutions_are_full_of_traces(traces):
    notebook = text_of(NOTEBOOK.name, NOTEBOOK.read_bytes())
    in_notebook = set(find_traces(notebook, traces))
    assert {trace for trace in traces if "written" not in trace.origin} <= in_notebook
    for name in ("solutions.md", "solutions.pdf"):
        text = text_of(name, (ROOT / "written" / name).read_bytes())
        assert len(find_traces(text, traces)) > 60


def planted(name, content, text):
    """A file of the zip with a text planted in it, whole and readable."""
    if name.endswith(".ipynb"):
        notebook = nbformat.reads(content.decode(), as_version=4)
        notebook.cells[8].metadata["note"] = {"of the author": [text]}
        return nbformat.writes(notebook).encode()
    if name.endswith(".pk"):
        return pickle.dumps(pickle.loads(content) | {"note": text})
    if name.endswith(".pdf"):
        return markdown_to_pdf(f"# Problems\n\n{text}\n")
    return content + f"\n{text}\n".encode()


@pytest.mark.parametrize("kind", TRACES_IN_WORDS)
@pytest.mark.parametrize("name", [NOTEBOOK.name, "README.md", PARTIALLY_TRAINED.name, "LICENSE"])
def test_a_planted_trace_is_found(files, traces, name, kind):
    content = planted(name, files[name], TRACES_IN_WORDS[kind])
    with pytest.raises(ReleaseError, match=f"{name} holds"):
        require_no_traces({name: content}, traces)


def test_a_planted_trace_is_found_in_a_pdf(traces):
    name = "written/problems.pdf"
    content = planted(name, b"", TRACES_IN_WORDS["sentence"])
    with pytest.raises(ReleaseError, match=name):
        require_no_traces({name: content}, traces)
    require_no_traces({name: planted(name, b"", "Nothing to see here, and no secret.")}, traces)


@pytest.mark.parametrize("form", ["{:.6e}", "{:.7f}", "{:+.6e}"])
def test_a_printed_gradient_is_found_in_any_form(traces, key_lines, form):
    (line,) = [line for line in key_lines if line.startswith("loss_derivative[0, 45]")]
    text = f"I have {form.format(float(line.split()[-1]))} there."
    with pytest.raises(ReleaseError, match="loss_derivative"):
        require_no_traces({"notes.md": text.encode()}, traces)


def test_outputs_and_solutions_in_the_notebook_are_found(saved_notebook, student, traces):
    key_cell = cell_of(saved_notebook, "print_gradients")
    with_output = copy.deepcopy(student)
    cell_of(with_output, "print_gradients").outputs = key_cell.outputs
    with pytest.raises(ReleaseError, match="printed"):
        require_no_traces({"a.ipynb": nbformat.writes(with_output).encode()}, traces)


# What the zip holds


def test_it_has_all_that_the_readme_names(files):
    readme = files["README.md"].decode()
    table = readme.split("## What is in this folder")[1]
    for name in re.findall(r"`([^`]+)`", table):
        assert any(path == name or path.startswith(name) for path in files) or name == "make_pdf"
    for name in files:
        assert f"`{name}`" in readme or name.startswith("tools/") or name == "README.md", name
    assert not [name for name in files if re.search("solution|key|corpus|release|test|grad", name)]


@pytest.mark.parametrize(
    "message",
    ["This is Python", "Not installed: ", "Not found in the folder", "Get the files of the "]
    + ["is not written yet", "WRONG", "GradientCheckError"],
)
def test_the_readme_explains_messages_that_exist(files, student, message):
    assert message in files["README.md"].decode()
    sources = [cell.source for cell in student.cells]
    sources += [files[name].decode() for name in ("checking.py", "data_files.py")]
    assert any(message in source for source in sources)


def test_the_readme_tells_a_range_that_the_reference_is_in(files, saved_notebook):
    (limits,) = re.findall(
        r"final cross-entropies are between ([\d.]+) and ([\d.]+)", files["README.md"].decode()
    )
    printed = "".join(output.text for output in cell_of(saved_notebook, "train").outputs)
    finals = re.findall(r"final \w+ +cross-entropy: ([\d.]+)", printed)
    assert len(finals) == 3
    assert all(float(limits[0]) < float(final) < float(limits[1]) for final in finals)


def test_its_modules_need_no_other_module_of_ours(files, unzipped):
    modules = [name[:-3].replace("/", ".") for name in files if name.endswith(".py")]
    code = (
        f"import sys, {', '.join(modules)}\n"
        "files = (getattr(module, '__file__', None) for module in sys.modules.values())\n"
        "print(*filter(None, files), sep='\\n')\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=unzipped,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line for line in run.stdout.splitlines() if line.startswith(str(unzipped))}
    assert imported == {str(unzipped / name) for name in files if name.endswith(".py")}
    assert str(ROOT / "tools") not in run.stdout


def test_students_install_what_making_a_pdf_needs_in_the_versions_of_the_staff(files):
    lines = files["tools/requirements.txt"].decode().splitlines()
    assert lines[0] == "-r ../requirements.txt"
    assert {re.split("[=>]", line)[0] for line in lines} >= {"pypdf", "pypandoc-binary", "typst"}
    staff = (ROOT / "tools" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert set(lines) <= {line.partition(" #")[0] for line in staff}


def test_making_a_pdf_explains_itself_in_the_students_folder(unzipped):
    run = subprocess.run(
        [sys.executable, "-m", "tools.make_pdf", "--help"],
        cwd=unzipped,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--written" in run.stdout


@pytest.mark.slow
def test_a_student_makes_a_pdf(unzipped):
    (unzipped / "hw1_code_abc1234.ipynb").write_bytes(NOTEBOOK.read_bytes())
    command = [sys.executable, "-m", "tools.make_pdf", "hw1_code_abc1234.ipynb"]
    command += ["--written", "written/problems.pdf"]
    run = subprocess.run(command, cwd=unzipped, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    text = text_of("a.pdf", (unzipped / "hw1_code_abc1234.pdf").read_bytes())
    assert "2.1.3" in text and "superincreasing" in text


def test_another_text_needs_no_file_of_ours(saved_notebook):
    random = np.random.RandomState(0)
    data = {"vocab": ["[MASK]", *"abcdefghijk"]}
    for split in ("train", "valid", "test"):
        data[f"{split}_inputs"] = random.randint(1, 12, (1000, 4), np.int32)
    model = partially_train(data, n_steps=10)
    contents = pickle.dumps(data), pickle.dumps(model)
    files = student_files(saved_notebook, *contents)
    assert (files["data.pk"], files["partially_trained.pk"]) == contents
    assert SENTENCES.name not in files
    assert SENTENCES.name not in files["README.md"].decode()
    require_no_traces(files, traces_of_solutions(saved_notebook, answer_key(data, model)))


# Notebooks that cannot be released


def without_markers(notebook):
    cell = cell_of(notebook, "grad_GLoVe")
    cell.source = re.sub("### (BEGIN|END) SOLUTION", "", cell.source)


def without_an_end(notebook):
    cell = cell_of(notebook, "back_propagate")
    cell.source = cell.source.replace("### END SOLUTION", "")


def without_a_cell(notebook):
    notebook.cells.remove(cell_of(notebook, "q2_1_4"))


def without_metadata(notebook):
    del cell_of(notebook, "compute_loss_derivative").metadata["nbgrader"]


def not_marked_as_solution(notebook):
    cell_of(notebook, "back_propagate").metadata["nbgrader"] |= {"solution": False, "locked": True}


def two_cells_of_one_name(notebook):
    cell = cell_of(notebook, "check_GLoVe")
    notebook.cells.append(copy.deepcopy(cell))


def solution_in_another_cell(notebook):
    cell_of(notebook, "check_GLoVe").source += "\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_markers, r"question 2.1.3: found 0 lines ### BEGIN SOLUTION"),
        (without_an_end, r"question 2.2.2: found 1 lines ### BEGIN SOLUTION and 0"),
        (without_a_cell, r"question 2.1.4: found no cell"),
        (without_metadata, r"question 2.2.1: found no cell"),
        (not_marked_as_solution, "nbgrader stopped: Solution region detected"),
        (two_cells_of_one_name, "nbgrader stopped"),
        (solution_in_another_cell, "nbgrader stopped: Solution region detected"),
    ],
)
def test_a_notebook_that_is_not_marked_is_refused(saved_notebook, damage, message):
    damaged = copy.deepcopy(saved_notebook)
    damage(damaged)
    with pytest.raises(ReleaseError, match=message):
        student_version(damaged)


def test_a_solution_that_is_not_python_is_refused(saved_notebook):
    damaged = copy.deepcopy(saved_notebook)
    cell = cell_of(damaged, "print_gradients")
    cell.source = cell.source.replace("print_gradients()", "print_gradients(")
    with pytest.raises(ReleaseError, match="line 'print_gradients.', which is not Python"):
        traces_of_solutions(damaged, [])


# The command


def run_release(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["release", *map(str, arguments)])
    release.main()


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--notebook", None, "No such file"),
        ("--notebook", b"{}", "cannot be read as a notebook"),
        ("--notebook", b"PK\3\4 not JSON", "cannot be read as a notebook"),
        ("--data", None, "cannot be read"),
        ("--data", b"\x80\x04not a pickle", "cannot be loaded"),
        ("--partially-trained", None, "cannot be read"),
        ("--sentences", None, "No such file"),
    ],
)
def test_a_bad_file_is_one_clear_line(option, content, message, tmp_path, monkeypatch, capsys):
    path, output = tmp_path / "bad", tmp_path / "hw1.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        run_release(monkeypatch, "-o", output, option, path)
    assert stopped.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and message in line
    assert not output.exists()


def test_a_leak_stops_the_release(saved_notebook, tmp_path, monkeypatch, capsys):
    leaky, output = tmp_path / "leaky.ipynb", tmp_path / "hw1.zip"
    notebook = copy.deepcopy(saved_notebook)
    notebook.cells[25].source += "\n\nSo the gradient of $W$ is `2 * (R.T@W)`."
    nbformat.write(notebook, leaky)
    with pytest.raises(SystemExit):
        run_release(monkeypatch, "-o", output, "--notebook", leaky)
    error = capsys.readouterr().err.splitlines()[-1]
    assert "hw1_code.ipynb holds 1 traces" in error
    assert "'2 * (R.T @ W)' of the solution in the cell grad_GLoVe" in error
    assert not output.exists()


def test_what_it_reads_or_writes_is_not_overwritten(tmp_path, monkeypatch, capsys):
    """The worst of these would publish the answer key."""
    own = {"--notebook": NOTEBOOK, "--data": DATA, "--partially-trained": PARTIALLY_TRAINED}
    own["--sentences"] = SENTENCES
    paths = {option: tmp_path / path.name for option, path in own.items()}
    for option, path in paths.items():
        path.write_bytes(own[option].read_bytes())
    output, inputs = tmp_path / "hw1.zip", [text for pair in paths.items() for text in pair]
    cases = [["-o", path] for path in paths.values()]
    cases += [["-o", output, "--key", path] for path in [output, *paths.values()]]
    cases += [["-o", output, "--staff", folder] for folder in [output, tmp_path]]
    for case in cases:
        with pytest.raises(SystemExit) as stopped:
            run_release(monkeypatch, *inputs, *case)
        assert stopped.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "would be overwritten, but it is " in line and case[-2] in line
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in own.values()}
    for option, path in paths.items():
        assert path.read_bytes() == own[option].read_bytes()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "a cell stops with ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "a cell stops with Kernel died"),
        ("import time; time.sleep(60)", "a cell stops with A cell timed out"),
    ],
)
def test_a_reference_that_does_not_run_is_one_clear_error(
    files, source, message, tmp_path, monkeypatch
):
    monkeypatch.setattr("tools.notebook.CELL_TIMEOUT", 2)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    with pytest.raises(NotebookError, match=message) as caught:
        write_staff_folder(tmp_path / "staff", notebook, files)
    assert str(tmp_path / "staff") in str(caught.value)
    assert not (tmp_path / "staff" / NOTEBOOK.name).exists()


@pytest.mark.slow
def test_the_same_term_makes_the_same_bytes_anywhere(data, tmp_path):
    zips = []
    for number, (umask, hash_seed) in enumerate([(0o022, "1"), (0o077, "2")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [
            sys.executable,
            "-m",
            "tools.release.students_zip",
            "-o",
            "hw1.zip",
            "--term",
            "2026",
        ]
        subprocess.run(
            [*command, "--key", "key.txt"],
            cwd=folder,
            umask=umask,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        zips.append((folder / "hw1.zip").read_bytes())
    assert zips[0] == zips[1]

    with zipfile.ZipFile(io.BytesIO(zips[0])) as archive:
        assert all(name.startswith("hw1/") for name in archive.namelist())
        model = pickle.loads(archive.read("hw1/partially_trained.pk"))
    expected = partially_trained_of("2026", data)
    for name in checking.PARAMETERS:
        assert np.array_equal(model[name], expected[name])
    assert (folder / "key.txt").read_text().splitlines() == answer_key(data, expected)


@pytest.mark.slow
def test_the_staff_get_a_notebook_that_prints_the_key_of_the_term(
    saved_notebook, tmp_path, monkeypatch, capsys
):
    quick = copy.deepcopy(saved_notebook)
    for cell in code_cells(quick):
        if EXPERIMENT in cell.metadata.get("tags", []):
            cell.source = "pass"
    nbformat.write(quick, tmp_path / "quick.ipynb")
    run_release(
        monkeypatch,
        *["-o", tmp_path / "hw1.zip", "--notebook", tmp_path / "quick.ipynb"],
        *["--term", "2026", "--key", tmp_path / "key.txt", "--staff", tmp_path / "staff"],
    )
    executed = nbformat.read(tmp_path / "staff" / NOTEBOOK.name, as_version=4)
    printed = "".join(out.text for out in cell_of(executed, "print_gradients").outputs)
    assert printed == (tmp_path / "key.txt").read_text()
    saved = "".join(out.text for out in cell_of(saved_notebook, "print_gradients").outputs)
    assert printed != saved
    assert "answer key" in capsys.readouterr().out
