"""The checker catches every planted error, passes everything right, and never misleads.

An explanation that is wrong is worse than none: the line "It looks as if ..." has to name the cause
that was planted, or be absent.
"""

import re

import numpy as np
import pytest
from planted_errors import FUNCTIONS, GLOBALS, PLANTED
from right_implementations import (
    BACK_PROPAGATE,
    GLOVE,
    LOSS_DERIVATIVE,
    Model,
    loss_GLoVe,
    random_problem,
)

import checking

SEEDS = range(10)


def fill_globals(model, inputs, mask):
    """What a notebook holds after the batch went through the model."""
    masked, targets = inputs * (1 - mask), model.indicator_matrix(inputs * mask)
    activations = model.compute_activations(masked)
    y, m = activations.output_layer, mask[:, :, np.newaxis]
    GLOBALS.update(model=model, inputs=masked, activations=activations, y=y, t=targets, m=m)
    GLOBALS["derivative"] = Model.compute_loss_derivative(model, y, targets, m)


def error_of(planted, seed, monkeypatch, problem=None):
    """The message with which the checker refuses, or None if it does not."""
    monkeypatch.setattr(checking, "SEED", checking.SEED + seed)
    try:
        with np.errstate(all="ignore"):  # what warns is the planted code
            if planted.target == "grad_GLoVe":
                checking.check_GLoVe_gradients(loss_GLoVe, planted.make())
            else:
                params, vocab, inputs, mask = problem or random_problem(seed, **planted.sizes)
                model = planted.model_class()(params, vocab)
                fill_globals(model, inputs, mask)
                checking.check_gradients(model, inputs, mask)
    except planted.raises as error:
        return str(error)
    return None


def hypothesis_of(message):
    return next((line for line in message.splitlines() if line.startswith("It looks")), "")


def assert_caught(planted, *arguments):
    message = error_of(planted, *arguments)
    assert message is not None, "not caught"
    hypothesis = hypothesis_of(message)
    if planted.cause is None:
        assert not hypothesis
    else:
        assert re.search(planted.cause, hypothesis), hypothesis or "no hypothesis"


def test_numbers_of_implementations():
    by_function = [[p for p in PLANTED if p.target == name] for name in FUNCTIONS]
    assert min(map(len, by_function)) >= 50
    assert len({planted.name for planted in PLANTED}) == len(PLANTED)
    assert sum(planted.cause is not None for planted in PLANTED) >= 80
    assert len(GLOVE) + len(LOSS_DERIVATIVE) + len(BACK_PROPAGATE) >= 20


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_planted_error_is_caught_and_explained(planted, monkeypatch):
    assert_caught(planted, SEEDS[0], monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[1:])
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_planted_error_is_caught_and_explained_in_ten_of_ten(planted, seed, monkeypatch):
    assert_caught(planted, seed, monkeypatch)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("grad_GLoVe", GLOVE, ids=lambda function: function.__name__)
def test_right_grad_GLoVe_passes(grad_GLoVe, seed, monkeypatch):
    monkeypatch.setattr(checking, "SEED", seed)
    checking.check_GLoVe_gradients(loss_GLoVe, grad_GLoVe)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("function", LOSS_DERIVATIVE, ids=lambda function: function.__name__)
def test_right_loss_derivative_passes(function, seed):
    model_class = type("RightModel", (Model,), {"compute_loss_derivative": function})
    params, vocab, inputs, mask = random_problem(seed)
    checking.check_loss_derivative(model_class(params, vocab), inputs, mask)
    checking.check_gradients(model_class(params, vocab), inputs, mask)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("function", BACK_PROPAGATE, ids=lambda function: function.__name__)
def test_right_back_propagate_passes(function, seed):
    model_class = type("RightModel", (Model,), {"back_propagate": function})
    params, vocab, inputs, mask = random_problem(seed)
    checking.check_gradients(model_class(params, vocab), inputs, mask)


def printed(model_class, problem, capsys):
    """The printed lines, or what the printing refuses."""
    params, vocab, inputs, mask = problem
    try:
        with np.errstate(all="ignore"):
            checking.print_gradients(model_class(params, vocab), inputs, mask)
    except checking.GradientCheckError as error:
        return str(error)
    return capsys.readouterr().out


@pytest.mark.parametrize("seed", SEEDS[:3])
@pytest.mark.parametrize(
    "planted",
    [planted for planted in PLANTED if planted.shows and planted.target != "grad_GLoVe"],
    ids=lambda planted: planted.name,
)
def test_mistake_changes_a_printed_line(planted, seed, capsys):
    problem = random_problem(seed, **planted.sizes)
    right = printed(Model, problem, capsys)
    assert printed(planted.model_class(), problem, capsys) != right


@pytest.mark.parametrize(
    "function", LOSS_DERIVATIVE + BACK_PROPAGATE, ids=lambda function: function.__name__
)
def test_right_implementations_print_the_same(function, capsys):
    target = "compute_loss_derivative" if function in LOSS_DERIVATIVE else "back_propagate"
    problem = random_problem(0)
    right = printed(Model, problem, capsys)
    assert printed(type("RightModel", (Model,), {target: function}), problem, capsys) == right


ASSIGNMENT = {"V": 251, "D": 16, "H": 128, "B": 100, "scale": 0.3}
ONE_OF_EACH = {  # by what is damaged and what the checker has to say about it
    (planted.target, planted.cause): planted
    for planted in PLANTED
    if planted.target != "grad_GLoVe" and planted.cause and not planted.sizes
}


@pytest.mark.slow
@pytest.mark.parametrize("planted", ONE_OF_EACH.values(), ids=lambda planted: planted.name)
def test_planted_error_is_caught_at_the_size_of_the_assignment(planted, monkeypatch):
    assert_caught(planted, 0, monkeypatch, random_problem(0, **ASSIGNMENT))
