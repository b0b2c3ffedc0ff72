"""The checker catches every planted error, passes everything right, and never misleads.

A sentence about "Your values" that is wrong is worse than none: it has to be the one that fits the
planted mistake, or absent.
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
IDS = [f"{planted.target}: {planted.name}" for planted in PLANTED]


def fill_globals(model, inputs, mask):
    """What a notebook holds after the batch went through the model."""
    masked, targets = inputs * (1 - mask), model.indicator_matrix(inputs * mask)
    activations = model.compute_activations(masked)
    y, m = activations.output_layer, mask[:, :, np.newaxis]
    GLOBALS.update(model=model, inputs=masked, activations=activations, y=y, t=targets, m=m)
    GLOBALS["derivative"] = Model.compute_loss_derivative(model, y, targets, m)


def check(target, model, inputs, mask):
    """Check one of the two methods alone."""
    if target == "compute_loss_derivative":
        return checking.check_loss_derivative(model, inputs, mask)
    problems = checking.network_problems(model, inputs, mask)
    for problem in problems:
        del problem.points["loss_derivative"]
    checking.judge([model.back_propagate], {target: problems})


def message_of(planted, seed, monkeypatch):
    """The message with which the checker refuses."""
    monkeypatch.setattr(checking, "SEED", seed)
    with (
        np.errstate(all="ignore"),  # what warns is the planted code
        pytest.raises(checking.GradientCheckError) as caught,
    ):
        if planted.target == "grad_GLoVe":
            checking.check_GLoVe_gradients(loss_GLoVe, planted.make())
        else:
            params, vocab, inputs, mask = random_problem(seed, **planted.sizes)
            model = planted.model_class()(params, vocab)
            fill_globals(model, inputs, mask)
            check(planted.target, model, inputs, mask)
    return str(caught.value)


def assert_caught(planted, seed, monkeypatch):
    message = message_of(planted, seed, monkeypatch)
    if planted.says is None:
        assert "Your values" not in message
    else:
        assert re.search(planted.says, message), message


def test_names_and_numbers():
    assert len(set(IDS)) == len(IDS) >= 180
    assert {planted.target for planted in PLANTED} == set(FUNCTIONS)
    assert len(GLOVE) + len(LOSS_DERIVATIVE) + len(BACK_PROPAGATE) >= 20


@pytest.mark.parametrize("planted", PLANTED, ids=IDS)
def test_planted_error_is_caught_and_explained(planted, monkeypatch):
    assert_caught(planted, SEEDS[0], monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS[1:])
@pytest.mark.parametrize("planted", PLANTED, ids=IDS)
def test_planted_error_is_caught_and_explained_in_ten_of_ten(planted, seed, monkeypatch):
    assert_caught(planted, seed, monkeypatch)


QUICK_AND_SLOW = [
    pytest.param(seed, marks=[] if seed < 1 else pytest.mark.slow, id=str(seed)) for seed in SEEDS
]


@pytest.mark.parametrize("seed", QUICK_AND_SLOW)
@pytest.mark.parametrize("grad_GLoVe", GLOVE, ids=lambda function: function.__name__)
def test_right_grad_GLoVe_passes(grad_GLoVe, seed, monkeypatch):
    monkeypatch.setattr(checking, "SEED", seed)
    checking.check_GLoVe_gradients(loss_GLoVe, grad_GLoVe, vocab_size=60)


METHODS = [("compute_loss_derivative", function) for function in LOSS_DERIVATIVE]
METHODS += [("back_propagate", function) for function in BACK_PROPAGATE]
METHOD_IDS = [function.__name__ for _, function in METHODS]


@pytest.mark.parametrize("seed", QUICK_AND_SLOW)
@pytest.mark.parametrize("target, function", METHODS, ids=METHOD_IDS)
def test_right_method_passes(target, function, seed, monkeypatch):
    monkeypatch.setattr(checking, "SEED", seed)
    params, vocab, inputs, mask = random_problem(seed)
    model = type("RightModel", (Model,), {target: function})(params, vocab)
    check(target, model, inputs, mask)


def printed(model_class, problem, capsys):
    """The printed lines, and what the printing refuses."""
    params, vocab, inputs, mask = problem
    try:
        with np.errstate(all="ignore"):
            checking.print_gradients(model_class(params, vocab), inputs, mask)
    except checking.GradientCheckError as error:
        return capsys.readouterr().out + str(error)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "planted",
    [p for p in PLANTED if p.shows and p.target != "grad_GLoVe"],
    ids=lambda planted: f"{planted.target}: {planted.name}",
)
def test_mistake_changes_a_printed_line(planted, capsys):
    """That of the mistake itself: back_propagate, which may not be written, need not show it."""
    problem, wrong = random_problem(0, **planted.sizes), planted.model_class()
    right = Model
    if planted.target == "compute_loss_derivative":
        wrong, right = (type("Half", (c,), {"back_propagate": None}) for c in (wrong, right))
    assert printed(wrong, problem, capsys) != printed(right, problem, capsys)


@pytest.mark.parametrize("target, function", METHODS, ids=METHOD_IDS)
def test_right_implementations_print_the_same(target, function, capsys):
    problem = random_problem(0)
    right = printed(Model, problem, capsys)
    assert printed(type("RightModel", (Model,), {target: function}), problem, capsys) == right
