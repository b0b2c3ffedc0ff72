"""Every figure that a reference answer or the README cites, against what the notebook printed."""

import ast
import re

import numpy as np
import pytest

from tests import zoo
from tools.common import ROOT
from tools.notebook import code_cells, grade_id, printed
from tools.questions import QUESTIONS

NUMBER = re.compile(r"\d+(?:\.\d+)?")


def answer(saved_notebook, name):
    (cell,) = [cell for cell in saved_notebook.cells if grade_id(cell) == name]
    return cell.source


@pytest.fixture(scope="session")
def output(saved_notebook):
    """All that the saved notebook printed."""
    return "".join(map(printed, code_cells(saved_notebook)))


@pytest.fixture(scope="session")
def sweep(output):
    """Rows of the table of 2.1.4: {(model, d): (training, excess in percent, validation)}."""
    rows = re.findall(r"^(a?symmetric) +(\d+) +(\d+) +(\d+\.\d+)% +(\d+)$", output, re.MULTILINE)
    return {(model, int(d)): tuple(map(float, numbers)) for model, d, *numbers in rows}


@pytest.fixture(scope="session")
def optima(output):
    """Best d of the closed form: {model: (d, validation loss)}."""
    rows = re.findall(r"(a?symmetric) optimum: validation loss (\d+) at d = (\d+)", output)
    return {model: (int(d), int(loss)) for model, loss, d in rows}


def drops(sweep):
    """By how many percent each doubling of d lowers the asymmetric validation loss, up to 64."""
    losses = [sweep["asymmetric", d][2] for d in (1, 2, 4, 8, 16, 32, 64)]
    return [100 * (1 - after / before) for before, after in zip(losses, losses[1:])]


def parts_of_the_floor(log_X):
    """Squares that a symmetric model cannot fit: the antisymmetric part, negative eigenvalues."""
    symmetric = (log_X + log_X.T) / 2
    centring = np.eye(len(log_X)) - 1 / len(log_X)
    eigenvalues = np.linalg.eigvalsh(centring @ symmetric @ centring)
    return np.sum((log_X - symmetric) ** 2), np.sum(np.minimum(eigenvalues, 0) ** 2)


def test_the_sweep_ends_within_half_a_percent_of_the_floor(sweep):
    assert len(sweep) == 20
    assert all(excess <= 0.5 for _, excess, _ in sweep.values())


def test_the_best_dimension_lies_inside_the_sweep(sweep, optima):
    for model in ("asymmetric", "symmetric"):
        dimensions = [d for name, d in sweep if name == model]
        best = min(dimensions, key=lambda d: sweep[model, d][2])
        assert min(dimensions) < best < max(dimensions)
        position = dimensions.index(best)
        assert dimensions[position - 1] < optima[model][0] < dimensions[position + 1]


def test_answer_2_1_1_is_the_number_of_parameters(saved_notebook, notebook):
    arrays = notebook.init_GLoVe(16, False, np.random.RandomState(0))
    assert str(sum(array.size for array in arrays)) in answer(saved_notebook, "q2_1_1")


def test_answer_2_1_4_names_the_best_dimensions(saved_notebook, sweep, optima):
    text = answer(saved_notebook, "q2_1_4")
    found = re.search(
        r"best at \$d = (\d+)\$ \((\d+)\), and of the trained models that with \$d = (\d+)\$ "
        r"\((\d+)\); in the symmetric model both are best at \$d = (\d+)\$ \((\d+)\)",
        text,
    )
    expected = [*optima["asymmetric"]]
    for model in ("asymmetric", "symmetric"):
        d = min((d for name, d in sweep if name == model), key=lambda d: sweep[model, d][2])
        expected += [d, int(sweep[model, d][2])]
    assert [int(number) for number in found.groups()] == expected


def test_answer_2_1_4_cites_nothing_that_was_not_measured(saved_notebook, output, sweep, notebook):
    text = answer(saved_notebook, "q2_1_4")
    V = len(notebook.vocab)
    log_X = notebook.calculate_log_co_occurrence(notebook.data["train_inputs"])
    parts = parts_of_the_floor(log_X)
    losses = {loss for train, _, valid in sweep.values() for loss in (train, valid)}
    measured = losses | {float(n) for n in re.findall(r"(?:loss|itself:) (\d+)", output)}
    measured |= {2 * V * (8 + 1), V * (32 + 1), *np.round(parts)}
    cited = {float(number) for number in re.findall(r"\b\d{3,}\b(?!%)", text)}
    assert cited - {float(d) for _, d in sweep} <= measured
    assert np.isclose(sum(parts), sweep["symmetric", 128][0], rtol=0.001)

    shares = {int(number) for number in re.findall(r"(?<![\d.])(\d+)%", text)}
    never = int(re.search(r"never occur in training: (\d+)%", output)[1])
    low, high = min(drops(sweep)), max(drops(sweep))
    assert shares == {round(low), round(high), never, round(100 * parts[1] / sum(parts))}
    assert "above the best" in text and min(losses) < max(losses)


def test_answer_2_1_4_says_how_flat_the_optima_are(saved_notebook, sweep):
    text = answer(saved_notebook, "q2_1_4")
    asymmetric = [sweep["asymmetric", d][2] for d in (96, 64, 128)]
    symmetric = [sweep["symmetric", d][2] for d in (32, 48, 64, 96, 128)]
    spread = [100 * (max(losses) / min(losses) - 1) for losses in (asymmetric, symmetric)]
    cited = [float(number) for number in re.findall(r"at most (\d+\.\d)%", text)]
    assert cited == [round(spread[0], 1), round(spread[1], 1)]


def test_answer_2_1_4_is_right_about_order(notebook, sweep):
    index = notebook.vocab.index
    counts = notebook.calculate_log_co_occurrence(notebook.data["train_inputs"])
    assert counts[index("to"), index("the")] > np.log(1000)
    assert counts[index("the"), index("to")] == 0
    assert sweep["asymmetric", 8][2] < sweep["symmetric", 32][2]
    assert all(sweep["asymmetric", d][2] < sweep["symmetric", d][2] for _, d in sweep)


KINDS = {
    "masked model": """
        monday tuesday wednesday thursday friday saturday sunday
        two three four five six seven
        can could will would should must
        anna maria mei omar david ben
        mother father sister brother son daughter
        bread soup fish cake tea coffee milk water
        park market office hospital station beach
        happy sad tired hungry angry sick
    """,
    "GLoVe": """
        monday tuesday wednesday thursday friday saturday sunday
        two three four five six seven
        can could will would should must
    """,
}  # that the answer to 2.3 says the models find


@pytest.mark.slow
@pytest.mark.parametrize("model", KINDS)
def test_the_kinds_that_answer_2_3_names_are_clusters(fresh_run, notebook, model):
    _, embeddings = fresh_run
    vectors, vocab = embeddings[model], notebook.vocab
    for kind in map(str.split, KINDS[model].strip().splitlines()):
        rows = [vectors[vocab.index(word)] for word in kind]
        nearest = [
            notebook.nearest_words(vectors, vocab, row, 1, [word])[0][0]
            for word, row in zip(kind, rows)
        ]
        assert sum(word in kind for word in nearest) >= 0.6 * len(kind), kind


@pytest.mark.slow
def test_glove_mixes_what_the_masked_model_keeps_apart(fresh_run, notebook):
    _, embeddings = fresh_run
    vocab, clusters = notebook.vocab, notebook.cluster_words(embeddings["GLoVe"])
    for cloud in ["bread book park", "anna ben mother father"]:
        assert len({clusters[vocab.index(word)] for word in cloud.split()}) == 1, cloud
    clusters = notebook.cluster_words(embeddings["masked model"])
    assert len({clusters[vocab.index(word)] for word in ["bread", "book", "park"]}) > 1
    assert len({clusters[vocab.index(word)] for word in ["anna", "mother"]}) > 1


@pytest.mark.slow
def test_the_curves_of_the_bug_zoo_are_those_of_its_bugs(saved_notebook, notebook):
    (source,) = [cell.source for cell in code_cells(saved_notebook) if "ZOO = [" in cell.source]
    shown = ast.literal_eval(source[source.index("[") : source.index("\n]") + 2])
    curves = [zoo.curve(notebook, kind) for kind in zoo.kinds(notebook).values()]
    assert np.allclose(shown, curves, atol=0.05)
    assert min(shown, key=lambda curve: curve[-1]) is shown[3]  # the right one is best


def test_readme_cites_the_saved_cross_entropies(output):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for split in ("validation", "test"):
        loss = re.search(rf"final {split} +cross-entropy: ([\d.]+)", output)[1]
        assert f"{split} {loss}" in readme


def test_every_written_question_has_a_rubric_and_an_answer(saved_notebook):
    for question in QUESTIONS:
        if question.is_written:
            assert len(answer(saved_notebook, question.grade_id)) > 40
            marks = sum(int(line.partition(":")[0]) for line in question.rubric)
            assert marks == question.marks
