"""Every figure that a reference answer cites, against what the saved notebook printed.

After the corpus has changed, a failing test says how each sentence has to read.
"""

import ast
import re

import numpy as np
import pytest

from tests import zoo
from tools.notebook import cell_of, code_cells, printed

MODELS = ("asymmetric", "symmetric")


def answer(saved_notebook, name):
    return cell_of(saved_notebook, name).source


@pytest.fixture(scope="module")
def output(saved_notebook):
    """All that the saved notebook printed."""
    return "".join(map(printed, code_cells(saved_notebook)))


@pytest.fixture(scope="module")
def sweep(output):
    """The table of 2.1.4: {model: {d: (training loss, validation loss)}}."""
    rows = re.findall(r"^(a?symmetric) +(\d+) +(\d+) +(\d+)$", output, re.MULTILINE)
    return {
        model: {int(d): (int(train), int(valid)) for name, d, train, valid in rows if name == model}
        for model in MODELS
    }


@pytest.fixture(scope="module")
def log_X(notebook):
    return notebook.calculate_log_co_occurrence(notebook.data["train_inputs"])


def best_and_neighbours(losses):
    """The d with the lowest validation loss in a table of 2.1.4, and the d before and after it."""
    dimensions = list(losses)
    place = min(range(len(dimensions)), key=lambda k: losses[dimensions[k]][1])
    assert 0 < place < len(dimensions) - 1, "the best d has to lie inside the sweep"
    return dimensions[place], (dimensions[place - 1], dimensions[place + 1])


def unfitted(log_X):
    """Squares that no symmetric model fits: the antisymmetric part, the negative eigenvalues."""
    symmetric = (log_X + log_X.T) / 2
    centring = np.eye(len(log_X)) - 1 / len(log_X)
    eigenvalues = np.linalg.eigvalsh(centring @ symmetric @ centring)
    return np.sum((log_X - symmetric) ** 2), np.sum(np.minimum(eigenvalues, 0) ** 2)


def facts_of_2_1_4(output, sweep, log_X):
    """Parts of the answer to 2.1.4 with their figures, as measured."""
    optima = dict(re.findall(r"(a?symmetric) optimum: .* at d = (\d+)", output))
    best, more = {}, {}
    for model, losses in sweep.items():
        d, neighbours = best_and_neighbours(losses)
        assert neighbours[0] < int(optima[model]) < neighbours[1]
        best[model] = f"$d = {d}$ ({losses[d][1]})"
        more[model] = max(100 * (losses[n][1] / losses[d][1] - 1) for n in neighbours)
    antisymmetric, negative = unfitted(log_X)
    smallest = min(train for train, _ in sweep["symmetric"].values())
    assert np.isclose(antisymmetric + negative, smallest, rtol=0.001)
    share = 100 * negative / (antisymmetric + negative)
    never = re.search(r"never occur in training: (\d+)%", output)[1]
    memorised = re.search(r"training matrix itself: (\d+)", output)[1]
    assert int(memorised) > min(valid for _, valid in sweep["asymmetric"].values())
    return [
        f"$d = {optima['asymmetric']}$ is best for the asymmetric and",
        f"$d = {optima['symmetric']}$ for the symmetric model",
        f"of the trained models it is {best['asymmetric']} and {best['symmetric']}",
        f"at most {more['asymmetric']:.1f}% and {more['symmetric']:.1f}% more",
        f"({never}% of all pairs never do)",
        f"whose loss of {memorised} is above the best",
        f"{antisymmetric:.0f} of its smallest training loss of {smallest}",
        f"The other {share:.0f}% are negative eigenvalues",
    ]


def require(text, facts):
    """Each fact has to be in the text, and no other figure but the numbers of its points."""
    missing = [fact for fact in facts if fact not in text]
    assert not missing, "the answer has to say:\n" + "\n".join(missing)
    for fact in facts:
        text = text.replace(fact, "")
    assert not re.search(r"\d", re.sub(r"^\d\. ", "", text, flags=re.MULTILINE)), text


def test_answer_2_1_1(saved_notebook, notebook):
    size = sum(array.size for array in notebook.init_GLoVe(16, False, np.random.RandomState(0)))
    text = answer(saved_notebook, "q2_1_1").partition("parameters.")[2]
    require(text, [f"For $V = {len(notebook.vocab)}$ and $d = 16$ these are ${size}$"])


def test_the_figures_of_answer_2_1_4(saved_notebook, output, sweep, log_X):
    require(answer(saved_notebook, "q2_1_4"), facts_of_2_1_4(output, sweep, log_X))


def test_the_reasons_of_answer_2_1_4(notebook, sweep, log_X):
    index = notebook.vocab.index
    assert log_X[index("to"), index("the")] > np.log(1000)
    assert log_X[index("the"), index("to")] == 0
    for d, (_, valid) in sweep["asymmetric"].items():
        assert valid < sweep["symmetric"][d][1]


def test_the_sweep_ends_within_half_a_percent_of_the_floor(notebook, sweep, log_X):
    for model, losses in sweep.items():
        floors = notebook.optimal_losses_GLoVe(log_X, log_X, model == "symmetric")[:, 0]
        for d, (train, _) in losses.items():
            assert floors[d] - 1 <= train <= 1.005 * floors[d]


@pytest.mark.slow
def test_the_kinds_that_answer_2_3_names_are_clusters(saved_notebook, fresh_run, notebook):
    _, embeddings = fresh_run
    masked, glove = (
        {kind: notebook.share_of_kind(v, notebook.rows_of(kind)) for kind in notebook.KINDS}
        for v in (embeddings["masked model"], embeddings["GLoVe"])
    )
    assert min(masked.values()) >= 0.6 and min(glove["days"], glove["modals"]) >= 0.6
    # What GLoVe mixes and the masked model keeps apart.
    assert glove["things"] < masked["things"] and glove["food"] <= masked["food"]
    clusters = notebook.cluster_words(embeddings["GLoVe"])
    assert len({clusters[notebook.vocab.index(word)] for word in ("bread", "book", "park")}) == 1

    named = re.findall(r"\(\*(\w+), (\w+)\*\)", answer(saved_notebook, "q2_3"))
    assert len(named) == 6
    for pair in named:
        assert any(set(pair) <= set(words.split()) for words in notebook.KINDS.values())


def test_two_dimensions_show_what_answer_2_3_says(notebook, log_X):
    """Subjects, and objects and places, are far apart and far from the middle."""
    start = notebook.init_GLoVe(2, False, np.random.RandomState(0))
    W = notebook.train_GLoVe(*start, log_X, log_X)[0]
    subjects, objects, days = (
        W[[notebook.vocab.index(word) for word in words.split()]].mean(axis=0)
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
    assert np.allclose(shown, curves, atol=0.05), "run python -m tests.zoo"
    ends = [curve[-1] for curve in shown]
    assert min(ends) == ends[3] and sum(end > 4 for end in ends) == 1  # D is right, C looks broken
