"""The checker catches every planted error, passes everything right, and never misleads.

A sentence about "Your values" that is wrong is worse than none: it has to be the one that fits the
planted mistake, or absent.
"""

import functools
import os
import re
from pathlib import Path

import numpy as np
import pytest
from planted_errors import GLOBALS, PLANTED, RIGHT
from right_implementations import (
    BACK_PROPAGATE,
    GLOVE,
    LOSS_DERIVATIVE,
    Model,
    Params,
    loss_GLoVe,
    random_problem,
)

import checking
from tools.common import DATA, PARTIALLY_TRAINED

COURSE = os.environ.get("HW1_COURSE_FILES")
IMPLEMENTATIONS = [
    pytest.param(target, function, id=function.__qualname__)
    for target, functions in zip(RIGHT, (GLOVE, LOSS_DERIVATIVE, BACK_PROPAGATE))
    for function in functions
]
right_implementations = functools.partial(pytest.mark.parametrize, "target, function")
planted_errors = functools.partial(
    pytest.mark.parametrize, "planted", ids=lambda planted: f"{planted.target}: {planted.name}"
)
in_ten_of_ten = pytest.mark.parametrize(
    "seeds", [range(1), pytest.param(range(1, 10), marks=pytest.mark.slow)], ids=str
)


def check(target, function, problem):
    """Check one function alone; problem: as `random_problem` returns it."""
    if target == "grad_GLoVe":
        return checking.check_GLoVe_gradients(loss_GLoVe, function, vocab_size=60)
    params, vocab, inputs, mask = problem
    model = type("ChangedModel", (Model,), {target: function})(params, vocab)
    if target == "compute_loss_derivative":
        return checking.check_loss_derivative(model, inputs, mask)
    problems = checking.network_problems(model, inputs, mask)
    for problem in problems:
        del problem.points["loss_derivative"]
    checking.judge([model.back_propagate], {target: problems})


@in_ten_of_ten
@planted_errors(PLANTED)
def test_planted_error_is_caught_and_explained(planted, seeds, monkeypatch):
    for seed in seeds:
        monkeypatch.setattr(checking, "SEED", seed)
        params, vocab, inputs, mask = random_problem(seed, **planted.sizes)
        model, masked = Model(params, vocab), inputs * (1 - mask)
        y = model.compute_activations(masked).output_layer
        targets = model.indicator_matrix(inputs * mask)
        GLOBALS.update(model=model, inputs=masked, y=y, t=targets)  # as a notebook has them
        with (
            np.errstate(all="ignore"),  # what warns is the planted code
            pytest.raises(checking.GradientCheckError) as caught,
        ):
            check(planted.target, planted.make(), (params, vocab, inputs, mask))
        message = str(caught.value)
        if planted.says is None:
            assert "Your values" not in message
        else:
            assert re.search(planted.says, message, re.DOTALL), f"seed {seed}:\n{message}"


@in_ten_of_ten
@right_implementations(IMPLEMENTATIONS)
def test_right_implementation_passes(target, function, seeds, monkeypatch):
    for seed in seeds:
        monkeypatch.setattr(checking, "SEED", seed)
        check(target, function, random_problem(seed))


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1, 20, 100, 1000])
@pytest.mark.parametrize("of_course", [False, True])
def test_right_implementations_pass_at_trained_parameters(factor, of_course):
    """Ours and the course's, also with one embedding so large that hidden units saturate."""
    if of_course and not COURSE:
        pytest.skip("HW1_COURSE_FILES is not set")
    folder = Path(COURSE) if of_course else DATA.parent
    data = checking.load_data(folder / DATA.name)
    arrays = checking.load_partially_trained(folder / PARTIALLY_TRAINED.name)
    vocab, inputs = arrays.pop("vocab"), data["train_inputs"][:4]
    arrays["word_embedding_weights"][1] *= factor  # of the most frequent word
    problem = Params(**arrays), vocab, inputs, np.eye(4, dtype=int)
    for target, function in [case.values for case in IMPLEMENTATIONS[len(GLOVE) :]]:
        check(target, function, problem)
    mask = np.eye(4, dtype=int)[np.arange(100) % 4]
    for batch in data["train_inputs"][:500].reshape(5, 100, 4):
        checking.check_gradients(Model(Params(**arrays), vocab), batch, mask)


def printed(problem, capsys, **methods):
    """What the printing prints of `Model` with some methods replaced, and what it refuses."""
    params, vocab, inputs, mask = problem
    model, refused = type("ChangedModel", (Model,), methods)(params, vocab), ""
    try:
        with np.errstate(all="ignore"):
            checking.print_gradients(model, inputs, mask)
    except checking.GradientCheckError as error:
        refused = str(error)
    return capsys.readouterr().out + refused


@planted_errors([p for p in PLANTED if p.shows and p.target != "grad_GLoVe"])
def test_mistake_changes_a_printed_line(planted, capsys):
    """That of the mistake itself: back_propagate, which may not be written, need not show it."""
    problem, others = random_problem(0, **planted.sizes), {}
    if planted.target == "compute_loss_derivative":
        others = {"back_propagate": None}
    wrong = {planted.target: planted.make()}
    assert printed(problem, capsys, **wrong, **others) != printed(problem, capsys, **others)


@right_implementations(IMPLEMENTATIONS[len(GLOVE) :])
def test_right_implementations_print_the_same(target, function, capsys):
    problem = random_problem(0)
    assert printed(problem, capsys, **{target: function}) == printed(problem, capsys)
