"""The notebook: its form, its saved outputs, and one run of all of it in a new kernel."""

import ast
import copy
import json
import os
import pickle
import re
import shutil
import statistics
import subprocess
import sys
import textwrap

import nbformat
import numpy as np
import pytest

from checking import PARAMETERS
from tools.common import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT, SENTENCES
from tools.data.corpus import load_grammar
from tools.data.quality import same_class_share
from tools.data.windows import make_data, read_sentences
from tools.drawing import LEARNING, picture_of
from tools.notebook import EXPERIMENT, cell_of, code_cells, grade_id, printed, run
from tools.questions import QUESTIONS
from tools.reference import partially_train

POINTS = {  # of the handout, by the grade_id of the cell that earns them
    **{"q2_1_1": 1, "q2_1_2": 6, "check_GLoVe": 6, "q2_1_4": 3, "check_loss_derivative": 8},
    **{"check_gradients": 8, "print_gradients": 8, "train": 2, "q2_3": 8},
}
IDENTIFIERS = """
    calculate_log_co_occurrence loss_GLoVe grad_GLoVe train_GLoVe Params Activations Model train
    check_gradients print_gradients tsne_plot_GLoVe_representation plot_2d_GLoVe_representation
""".split()
METHODS = """
    random_init indicator_matrix sample_input_mask compute_activations compute_loss
    compute_loss_derivative back_propagate evaluate tsne_plot_representation display_nearest_words
    word_distance
""".split()
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")
# Rounding errors grow in training, so these differ from processor to processor.
VARIES = {"cell-61f", "cell-61i", "cell-66", "cell-67", "cell-70c", "cell-84c"}


def is_experiment(cell):
    return EXPERIMENT in cell.metadata.get("tags", [])


def lines_of(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


# Its form


def test_it_is_short(saved_notebook):
    cells = code_cells(saved_notebook)
    lengths = [len(lines_of(cell)) for cell in cells]
    assert sum(lengths) < 600
    assert statistics.median(lengths) <= 7
    longer = [cell for cell, length in zip(cells, lengths) if length > 25]
    assert ["class Model:" in cell.source for cell in longer] == [True, False]
    assert grade_id(longer[1]) == "back_propagate"  # with the reference solution in it
    lines = [line for cell in cells for line in lines_of(cell)]
    assert max(map(len, lines)) <= 79
    assert sum(len(line) > 72 for line in lines) <= 0.15 * len(lines)
    texts = [cell.source for cell in saved_notebook.cells if cell.cell_type == "markdown"]
    assert len(" ".join(texts).split()) <= 3290


def test_its_code_is_formatted_for_79_columns():
    command = ["-m", "ruff", "format", "--check", "--line-length", "79", NOTEBOOK]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_cells_are_marked_for_nbgrader_with_the_points_of_the_handout(saved_notebook):
    marked = [cell for cell in saved_notebook.cells if "nbgrader" in cell.metadata]
    ids = [grade_id(cell) for cell in marked]
    assert len(ids) == len(set(ids))
    nbgrader = {grade_id(cell): cell.metadata.nbgrader for cell in marked}
    graded = {name: data.points for name, data in nbgrader.items() if data.grade}
    assert graded == POINTS
    for cell in marked:
        assert cell.metadata.nbgrader.schema_version == 3
        if cell.metadata.nbgrader.solution and cell.cell_type == "code":
            assert cell.source.count("### BEGIN SOLUTION") == 1
            assert cell.source.count("### END SOLUTION") == 1
    unmarked = [cell for cell in saved_notebook.cells if cell not in marked]
    assert not any("SOLUTION" in cell.source for cell in unmarked)


def names(statements, context):
    """Names of the variables that some statements read (`ast.Load`) or assign (`ast.Store`)."""
    nodes = [node for statement in statements for node in ast.walk(statement)]
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, context)}


def test_the_gap_of_back_propagate_is_the_four_arrays_of_the_handout(saved_notebook):
    source = cell_of(saved_notebook, "back_propagate").source
    before, solution, after = re.split(r" *### (?:BEGIN|END) SOLUTION", source)
    gap = "hid_to_output_weights_grad output_bias_grad embed_to_hid_weights_grad hid_bias_grad"
    assert set(gap.split()) <= names(ast.parse(textwrap.dedent(solution)).body, ast.Store)
    # What is given needs none of the four, so each can be judged where another is missing.
    *given, _ = ast.parse(before + after).body[0].body
    assert not names(given, ast.Load) & set(gap.split())


def test_the_table_of_questions_agrees_with_the_headings(saved_notebook):
    text = "\n".join(cell.source for cell in saved_notebook.cells if cell.cell_type == "markdown")
    found = re.findall(r"^(##+) (\d\.\d(?:\.\d)?) (.*) \[(\d+) marks?\]", text, re.MULTILINE)
    headings = {(level, number): (title, int(marks)) for level, number, title, marks in found}
    cells, names = saved_notebook.cells, list(map(grade_id, saved_notebook.cells))
    for question in QUESTIONS:
        level, number = question.heading.split()
        assert headings.pop((level, number)) == (question.title, question.marks)
        place = names.index(question.grade_id)
        assert question.is_written == (cells[place].cell_type == "markdown")
        if question.is_written:  # its place can be seen, in a cell that students are handed out
            assert f"> **Your answer to {number}**" in cells[place - 1].source
    assert headings == {
        ("##", "2.1"): ("GLoVe word representations", 16),
        ("##", "2.2"): ("A masked language model", 26),
    }
    assert [question.marks for question in QUESTIONS] == [1, 6, 6, 3, 8, 8, 8, 2, 8]


# Its saved outputs


def test_outputs_are_those_of_one_clean_run(saved_notebook):
    cells = code_cells(saved_notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        streams = [output for output in cell.outputs if output.output_type == "stream"]
        pictures = [output for output in cell.outputs if output.output_type == "display_data"]
        assert len(streams) + len(pictures) == len(cell.outputs), cell.id
        assert all(output.name == "stdout" for output in streams), cell.id
        for picture in pictures:
            assert picture.metadata["image/png"]["alt"], cell.id
        assert not re.search(r"0x[0-9a-f]{6,}|Warning|\x1b|\r", printed(cell)), cell.id
        assert max(map(len, printed(cell).splitlines()), default=0) <= 79, cell.id


def saved_gradients(saved_notebook):
    return printed(cell_of(saved_notebook, "print_gradients")).splitlines()


def test_printed_gradients_show_every_tensor_and_a_zero(saved_notebook):
    lines = saved_gradients(saved_notebook)
    rows = [re.fullmatch(r"(\w+)\[([\d, ]+)\] (-?\d\.\d{6}e[+-]\d\d)", line) for line in lines]
    assert all(rows) and len(rows) >= 20
    assert {row[1] for row in rows} == {"loss_derivative", *PARAMETERS}
    assert any(row[1] == "word_embedding_weights" and row[2].startswith("0,") for row in rows)
    assert any(float(row[3]) == 0 for row in rows)


# Runs


def test_cells_without_experiments_define_all_that_the_handout_names(
    saved_notebook, monkeypatch, capsys
):
    monkeypatch.chdir(ROOT)
    namespace = {"__name__": "hw1_code"}
    for cell in code_cells(saved_notebook):
        if not is_experiment(cell):
            exec(compile(ast.parse(cell.source), f"<{cell.id}>", "exec"), namespace)
    assert set(IDENTIFIERS) <= set(namespace)
    assert all(callable(getattr(namespace["Model"], name)) for name in METHODS)
    assert "WRONG" not in capsys.readouterr().out


def figures(text):
    return np.array([float(number) for number in NUMBER.findall(text)])


@pytest.mark.slow
def test_a_run_in_a_new_kernel_prints_the_saved_figures(saved_notebook, fresh_run):
    fresh, _ = fresh_run
    nbformat.validate(fresh)
    for saved, new in zip(code_cells(saved_notebook), code_cells(fresh), strict=True):
        assert len(saved.outputs) == len(new.outputs), saved.id
        if grade_id(saved) == "print_gradients":
            assert printed(saved) == printed(new)
        elif saved.id not in VARIES:
            assert NUMBER.sub("#", printed(saved)) == NUMBER.sub("#", printed(new)), saved.id
            tolerance = 0.05 if is_experiment(saved) else 1e-6
            found, expected = figures(printed(new)), figures(printed(saved))
            assert np.allclose(found, expected, rtol=0.005, atol=tolerance), saved.id


@pytest.mark.slow
@pytest.mark.parametrize("model", ["masked model", "GLoVe"])
def test_embeddings_find_the_classes_of_the_grammar(fresh_run, data, model):
    _, embeddings = fresh_run
    classes = load_grammar().class_of()
    assert same_class_share(embeddings[model], data["vocab"], classes) >= 0.7


GRADIENTS = """
import checking, contextlib, io, json
from tools.common import DATA, PARTIALLY_TRAINED
from tools.notebook import load_definitions
from tools.reference import answer_key
data = checking.load_data(DATA)
print(json.dumps(answer_key(data, checking.load_partially_trained(PARTIALLY_TRAINED))))
few = {name: rows[:20_000] for name, rows in data.items() if name != "vocab"}
notebook = load_definitions({"vocab": data["vocab"], **few})
with contextlib.redirect_stdout(io.StringIO()):
    model = notebook["train"](16, 128, epochs=1)
print(json.dumps([float(loss) for loss in model.train_losses.values()]))
"""


def results_of(python, n_threads):
    """Printed gradients, and losses of a short training, in a new process."""
    threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], str(n_threads))
    options = {"cwd": ROOT, "env": os.environ | threads, "capture_output": True, "text": True}
    done = subprocess.run([python, "-c", GRADIENTS], **options)
    assert done.returncode == 0, done.stderr[-2000:]
    return map(json.loads, done.stdout.splitlines())


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing(saved_notebook):
    gradients, losses = results_of(sys.executable, 1)
    assert gradients == saved_gradients(saved_notebook)
    more_gradients, more_losses = results_of(sys.executable, 2)
    assert gradients == more_gradients
    assert np.allclose(losses, more_losses, atol=0.02)


UNREACHABLE = re.compile(r"Retrying|Temporary failure|ConnectionError")


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="NumPy 2.0 is not built for this Python")
def test_the_lowest_versions_of_all_packages_give_the_same(saved_notebook, tmp_path):
    pinned = tmp_path / "requirements.txt"
    pinned.write_text((ROOT / "requirements.txt").read_text().replace(">=", "=="))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = "-m pip install --quiet --only-binary :all: --retries 1 --timeout 20 -r".split()
    done = subprocess.run([python, *command, pinned], capture_output=True, text=True)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr[-2000:]
    gradients, losses = results_of(python, 1)
    assert gradients == saved_gradients(saved_notebook)
    _, usual_losses = results_of(sys.executable, 1)
    assert np.allclose(losses, usual_losses, atol=0.02)


def printed_in(notebook, folder, files=()):
    """What the notebook prints in a folder with some more files; there are no warnings in it."""
    for path in (*ROOT.glob("*.py"), *files):
        shutil.copy(path, folder)
    other = copy.deepcopy(notebook)
    run(other, folder)
    outputs = [output for cell in code_cells(other) for output in cell.outputs]
    assert not any(output.get("name") == "stderr" for output in outputs)
    return "".join(map(printed, code_cells(other)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "vocab_size, n_windows", [(120, (20_000, 3000, 2000)), (12, (250, 40, 40))]
)
def test_it_runs_on_another_text(saved_notebook, tmp_path, vocab_size, n_windows):
    data = make_data(read_sentences(SENTENCES), vocab_size=vocab_size, n_windows=n_windows)
    for path, content in {DATA: data, PARTIALLY_TRAINED: partially_train(data, 100)}.items():
        (tmp_path / path.name).write_bytes(pickle.dumps(content))
    text = printed_in(saved_notebook, tmp_path)
    assert f"vocabulary: {vocab_size + 1} words" in text


@pytest.mark.slow
@pytest.mark.skipif("HW1_COURSE_FILES" not in os.environ, reason="the course's files are not here")
def test_it_runs_on_the_files_of_the_course(saved_notebook, tmp_path):
    files = [f"{os.environ['HW1_COURSE_FILES']}/{path.name}" for path in (DATA, PARTIALLY_TRAINED)]
    text = printed_in(saved_notebook, tmp_path, files)
    loss = float(re.search(r"final validation +cross-entropy: ([\d.]+)", text)[1])
    assert loss <= 2.462 + 0.02  # what eight epochs of momentum reached


def test_the_readme_cites_and_shows_the_saved_run(saved_notebook):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    saved = "\n".join(map(printed, code_cells(saved_notebook)))
    guesses = re.search(r"```text\n(.*?)```", readme, re.DOTALL)[1].splitlines()
    assert len(guesses) == 3 and set(guesses) <= set(saved.splitlines())
    cited = re.search(r"guessing by frequency: (.+?)\) \| (.+?), (.+?) \|", readme).groups()
    names = ["guessing by frequency", "final validation cross-entropy", "final test +cross-entropy"]
    assert cited == tuple(re.search(f"{name}: (.+)", saved)[1] for name in names)
    assert LEARNING.read_bytes() == picture_of(saved_notebook, "five plots")
    assert LEARNING.relative_to(ROOT).as_posix() in readme
