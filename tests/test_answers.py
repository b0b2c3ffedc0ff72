"""Every figure that a reference answer cites, against what the notebook printed."""

import ast
import re

import numpy as np
import pytest

from tests import zoo
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
        r"\((\d+)\); in the symmetric model they are best at \$d = (\d+)\$ \((\d+)\) "
        r"and \$d = (\d+)\$ \((\d+)\)",
        text,
    )
    expected = []
    for model in ("asymmetric", "symmetric"):
        d = min((d for name, d in sweep if name == model), key=lambda d: sweep[model, d][2])
        expected += [*optima[model], d, int(sweep[model, d][2])]
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


@pytest.mark.slow
def test_the_kinds_that_answer_2_3_names_are_clusters(saved_notebook, fresh_run, notebook):
    _, embeddings = fresh_run
    shares = {
        (name, kind): notebook.share_of_kind(vectors, notebook.rows_of(kind))
        for name, vectors in embeddings.items()
        for kind in notebook.KINDS
    }
    assert all(shares["masked model", kind] >= 0.6 for kind in notebook.KINDS)
    assert all(shares["GLoVe", kind] >= 0.6 for kind in ("days", "modals", "feelings"))
    for kind in ("things", "food"):  # what GLoVe mixes and the masked model keeps apart
        assert shares["GLoVe", kind] < shares["masked model", kind]
    clusters = notebook.cluster_words(embeddings["GLoVe"])
    cloud = [clusters[notebook.vocab.index(word)] for word in ("bread", "book", "park")]
    assert len(set(cloud)) == 1

    text = answer(saved_notebook, "q2_3")
    named = {word for group in re.findall(r"\*([a-z, ]+)\*", text) for word in group.split(", ")}
    of_kinds = {word for words in notebook.KINDS.values() for word in words.split()}
    assert {"monday", "could", "letter", "office", "angry"} <= named & of_kinds


@pytest.mark.slow
def test_two_dimensions_show_what_answer_2_3_says(notebook):
    """Subjects, and objects and places, are far apart and far from the middle."""
    log_X = notebook.calculate_log_co_occurrence(notebook.data["train_inputs"])
    start = notebook.init_GLoVe(2, False, np.random.RandomState(0))
    W = notebook.train_GLoVe(*start, log_X, log_X)[0]
    index = notebook.vocab.index
    subjects, objects, days = (
        W[[index(word) for word in words.split()]].mean(axis=0)
        for words in ("he she they", "it him here", "monday friday sunday")
    )
    typical = np.linalg.norm(W - W.mean(axis=0), axis=1).mean()
    assert np.linalg.norm(subjects - objects) > 2 * typical
    assert np.linalg.norm(days - W.mean(axis=0)) < typical


@pytest.mark.slow
def test_the_curves_of_the_bug_zoo_are_those_of_its_bugs(saved_notebook, notebook):
    (source,) = [cell.source for cell in code_cells(saved_notebook) if "ZOO = [" in cell.source]
    shown = ast.literal_eval(source[source.index("[") : source.index("\n]") + 2])
    curves = [zoo.curve(notebook, kind) for kind in zoo.kinds(notebook).values()]
    assert np.allclose(shown, curves, atol=0.05)
    assert min(shown, key=lambda curve: curve[-1]) is shown[3]  # the right one is best


def test_every_written_question_has_an_answer(saved_notebook):
    for question in QUESTIONS:
        if question.is_written:
            assert len(answer(saved_notebook, question.grade_id)) > 40
