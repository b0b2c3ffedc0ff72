"""GLoVe: counts against a loop, gradients against autograd, the floor against an optimiser."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy.optimize import minimize


def random_problem(V, d, symmetric, rng):
    """Parameters and a log co-occurrence matrix that is not symmetric."""
    W, W_tilde = rng.normal(size=(2, V, d))
    b, b_tilde = rng.normal(size=(2, V, 1))
    log_X = np.log(1 + rng.poisson(5, size=(V, V)))
    return (W, None, b, None, log_X) if symmetric else (W, W_tilde, b, b_tilde, log_X)


def loss_written_out(W, W_tilde, b, b_tilde, log_X):
    """The double sum of the handout, term by term."""
    if W_tilde is None:
        W_tilde, b_tilde = W, b
    total = 0.0
    for i in range(len(W)):
        for j in range(len(W)):
            error = anp.dot(W[i], W_tilde[j]) + b[i, 0] + b_tilde[j, 0] - log_X[i, j]
            total = total + error**2
    return total


@pytest.mark.parametrize("symmetric", [False, True])
def test_counts_agree_with_a_plain_loop(small, symmetric):
    windows = small.data["train_inputs"]
    counts = np.zeros((len(small.vocab), len(small.vocab)))
    for window in windows:
        for first, second in zip(window[:-1], window[1:]):
            counts[first, second] += 1
            counts[second, first] += symmetric
    assert np.array_equal(small.calculate_log_co_occurrence(windows, symmetric), np.log(1 + counts))
    scaled = small.calculate_log_co_occurrence(windows, symmetric, n_windows=3 * len(windows))
    assert np.allclose(scaled, np.log(1 + 3 * counts))


def test_counting_leaves_the_windows_alone(small):
    before = small.data["train_inputs"].copy()
    small.calculate_log_co_occurrence(small.data["train_inputs"])
    assert np.array_equal(small.data["train_inputs"], before)


@pytest.mark.parametrize("symmetric", [False, True])
def test_loss_and_gradient_agree_with_the_written_out_sum(small, symmetric):
    problem = random_problem(6, 3, symmetric, np.random.RandomState(1))
    assert np.isclose(small.loss_GLoVe(*problem), loss_written_out(*problem), rtol=1e-13)
    gradients = small.grad_GLoVe(*problem)
    for position in range(4):
        if problem[position] is None:
            assert gradients[position] is None
        else:
            expected = autograd.grad(loss_written_out, position)(*problem)
            assert gradients[position].shape == problem[position].shape
            assert np.allclose(gradients[position], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("symmetric", [False, True])
def test_training_leaves_its_arguments_alone(small, symmetric):
    problem = random_problem(6, 3, symmetric, np.random.RandomState(2))
    before = [None if array is None else array.copy() for array in problem]
    small.train_GLoVe(*problem, problem[-1], n_epochs=3)
    for array, kept in zip(problem, before):
        assert np.array_equal(array, kept)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("d", [1, 3])
def test_no_optimiser_gets_below_the_floor_and_a_good_one_reaches_it(small, symmetric, d):
    V, rng = 8, np.random.RandomState(3)
    log_X = random_problem(V, d, symmetric, rng)[-1]
    shapes = [(V, d), (V, 1)] if symmetric else [(V, d), (V, d), (V, 1), (V, 1)]
    ends = np.cumsum([np.prod(shape) for shape in shapes])

    def loss(flat):
        parts = [part.reshape(s) for part, s in zip(anp.split(flat, ends[:-1]), shapes)]
        W, b = parts[0], parts[-1]
        W_tilde, b = (W, b) if symmetric else (parts[1], parts[2])
        b_tilde = parts[-1]
        return anp.sum((W @ W_tilde.T + b + b_tilde.T - log_X) ** 2)

    found = min(
        minimize(autograd.value_and_grad(loss), rng.normal(size=ends[-1]), jac=True).fun
        for _ in range(10)
    )
    floor = small.smallest_loss_GLoVe(log_X, d, symmetric)
    assert np.isclose(found, floor, rtol=1e-6)
    assert found > floor * (1 - 1e-9)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("d", [2, 4])
def test_training_converges_for_few_words_that_occur_often(small, symmetric, d):
    """Their counts are large, and so are the steps that gradient descent would make."""
    rng, V = np.random.RandomState(5), len(small.vocab)
    log_X = np.log(1 + rng.poisson(3000 * rng.uniform(size=(V, V))))
    start = small.init_GLoVe(d, symmetric, rng)
    *_, train_loss, _ = small.train_GLoVe(*start, log_X, log_X)
    floor = small.smallest_loss_GLoVe(log_X, d, symmetric)
    assert floor * (1 - 1e-9) <= train_loss <= 1.005 * floor


@pytest.mark.parametrize("n_windows", [0, -1, np.nan, np.inf])
def test_a_number_of_windows_that_makes_no_sense_is_refused(small, n_windows):
    with pytest.raises(ValueError, match="n_windows: found .*; expected a number above 0"):
        small.calculate_log_co_occurrence(small.data["train_inputs"], n_windows=n_windows)


@pytest.mark.slow
@pytest.mark.parametrize("symmetric", [False, True])
def test_training_ends_within_half_a_percent_of_the_floor(notebook, symmetric):
    log_X = notebook.calculate_log_co_occurrence(notebook.data["train_inputs"])
    for d in [1, 2, 16, 128]:
        start = notebook.init_GLoVe(d, symmetric, np.random.RandomState(4))
        *_, train_loss, _ = notebook.train_GLoVe(*start, log_X, log_X)
        floor = notebook.smallest_loss_GLoVe(log_X, d, symmetric)
        assert floor * (1 - 1e-9) <= train_loss <= 1.005 * floor
