"""The two models of the notebook against independent oracles: loops, autograd, an optimiser."""

import copy

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from right_implementations import loss_of_model
from scipy.optimize import minimize

from tests.conftest import SMALL_B, SMALL_N, SMALL_V

# GLoVe


def glove_problem(V, d, symmetric, rng):
    """Parameters and a log co-occurrence matrix that is not symmetric."""
    W, W_tilde = rng.normal(size=(2, V, d))
    b, b_tilde = rng.normal(size=(2, V, 1))
    log_X = np.log(1 + rng.poisson(5, size=(V, V)))
    return (W, None, b, None, log_X) if symmetric else (W, W_tilde, b, b_tilde, log_X)


def glove_loss(W, W_tilde, b, b_tilde, log_X):
    """The double sum of the handout, term by term."""
    if W_tilde is None:
        W_tilde, b_tilde = W, b
    total = 0.0
    for i in range(len(W)):
        for j in range(len(W)):
            error = anp.dot(W[i], W_tilde[j]) + b[i, 0] + b_tilde[j, 0] - log_X[i, j]
            total = total + error**2
    return total


def test_counts_agree_with_a_plain_loop(small):
    windows = small.data["train_inputs"]
    kept = windows.copy()
    counts = np.zeros((SMALL_V, SMALL_V))
    for window in windows:
        for first, second in zip(window[:-1], window[1:]):
            counts[first, second] += 1
    assert np.allclose(small.calculate_log_co_occurrence(windows), np.log(1 + counts))
    scaled = small.calculate_log_co_occurrence(windows, scale=3)
    assert np.allclose(scaled, np.log(1 + 3 * counts))
    assert np.array_equal(windows, kept)


@pytest.mark.parametrize("symmetric", [False, True])
def test_glove_loss_and_gradient_agree_with_the_double_sum(small, symmetric):
    problem = glove_problem(6, 3, symmetric, np.random.RandomState(1))
    assert np.isclose(small.loss_GLoVe(*problem), glove_loss(*problem), rtol=1e-13)
    gradients = small.grad_GLoVe(*problem)
    for position in range(4):
        if problem[position] is None:
            assert gradients[position] is None
        else:
            expected = autograd.grad(glove_loss, position)(*problem)
            assert gradients[position].shape == problem[position].shape
            assert np.allclose(gradients[position], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("d", [1, 7])
def test_no_optimiser_gets_below_the_closed_form_and_a_good_one_reaches_it(small, symmetric, d):
    V, rng = 8, np.random.RandomState(3)
    log_X = glove_problem(V, d, symmetric, rng)[-1]
    shapes = [(V, d), (V, 1)] if symmetric else [(V, d), (V, d), (V, 1), (V, 1)]
    ends = np.cumsum([np.prod(shape) for shape in shapes])

    def loss(flat, target=log_X):
        parts = [part.reshape(s) for part, s in zip(anp.split(flat, ends[:-1]), shapes)]
        W, b = (parts[0], parts[1]) if symmetric else (parts[0], parts[2])
        W_tilde, b_tilde = (W, b) if symmetric else (parts[1], parts[3])
        return anp.sum((W @ W_tilde.T + b + b_tilde.T - target) ** 2)

    fits = [
        minimize(autograd.value_and_grad(loss), rng.normal(size=ends[-1]), jac=True)
        for _ in range(10)
    ]
    best = min(fits, key=lambda fit: fit.fun)
    other = np.log(1 + rng.poisson(5, size=(V, V)))
    floor, on_other = small.optimal_losses_GLoVe(log_X, other, symmetric)[d]
    assert best.fun == pytest.approx(floor, rel=1e-6, abs=1e-6)
    assert best.fun > floor * (1 - 1e-9) - 1e-9
    assert loss(best.x, other) == pytest.approx(on_other, rel=1e-3)


@pytest.mark.parametrize("symmetric", [False, True])
def test_glove_training_converges_for_few_words_that_occur_often(small, symmetric):
    """Their counts are large, and so are the steps that gradient descent would make."""
    rng, d = np.random.RandomState(5), 4
    log_X = np.log(1 + rng.poisson(3000 * rng.uniform(size=(SMALL_V, SMALL_V))))
    start = small.init_GLoVe(d, symmetric, rng)
    kept = copy.deepcopy(start)
    *_, train_loss, _ = small.train_GLoVe(*start, log_X, log_X)
    floor = small.optimal_losses_GLoVe(log_X, log_X, symmetric)[d, 0]
    assert floor * (1 - 1e-9) <= train_loss <= 1.005 * floor
    assert all(map(np.array_equal, start, kept))  # for the run of the other model


# The masked language model


def forward(small):
    """Masked inputs, activations and the derivative of the loss of the small problem."""
    masked_inputs = small.inputs * (1 - small.mask)
    activations = small.model.compute_activations(masked_inputs)
    targets = small.model.indicator_matrix(small.inputs * small.mask)
    derivative = small.model.compute_loss_derivative(
        activations.output_layer, targets, small.mask[:, :, np.newaxis]
    )
    return masked_inputs, activations, derivative


def test_a_training_batch_gives_the_loss_and_its_gradient(small):
    loss, gradient = small.loss_and_gradient(small.model, small.inputs, small.mask)
    params, masked = vars(small.model.params), small.inputs * (1 - small.mask)
    assert loss == pytest.approx(loss_of_model(params, masked, small.inputs, small.mask))
    expected = autograd.grad(loss_of_model)(params, masked, small.inputs, small.mask)
    assert vars(gradient).keys() == expected.keys()
    for name, value in expected.items():
        assert np.allclose(getattr(gradient, name), value, rtol=1e-10, atol=1e-12), name


def test_the_model_knows_its_sizes(small):
    model = small.model
    sizes = model.vocab_size, model.context_len, model.embedding_dim, model.num_hid
    assert sizes == (SMALL_V, SMALL_N, 5, 7)


def test_indicator_matrix(small):
    targets = np.array([[3, 0, 10], [1, 1, 0]])
    kept = targets.copy()
    expected = np.zeros((2, SMALL_N * SMALL_V))
    for row, column in [(0, 3), (0, 2 * SMALL_V + 10), (1, 1), (1, SMALL_V + 1)]:
        expected[row, column] = 1
    assert np.array_equal(small.model.indicator_matrix(targets), expected)
    expected[0, SMALL_V] = expected[1, 2 * SMALL_V] = 1
    assert np.array_equal(small.model.indicator_matrix(targets, mask_zero_index=False), expected)
    assert np.array_equal(targets, kept)


def test_masks_have_a_single_one_a_row_at_every_position_equally_often(small):
    masks = small.model.sample_input_mask(30_000, np.random.RandomState(5))
    assert masks.shape == (30_000, SMALL_N)
    assert np.array_equal(np.unique(masks), [0, 1])
    assert np.all(masks.sum(axis=1) == 1)
    assert np.allclose(masks.mean(axis=0), 1 / SMALL_N, atol=0.01)


def test_chunks_of_the_softmax_stand_alone_and_large_inputs_stay_finite(small):
    # One maximum for all chunks would let the others underflow to 0 / 0.
    small.model.params.output_bias[:SMALL_V] += 3000
    output_layer = small.model.compute_activations(small.inputs).output_layer
    assert np.allclose(output_layer.reshape(SMALL_B, SMALL_N, SMALL_V).sum(axis=2), 1)
    small.model.params.output_bias[1] = 1e4
    assert np.isfinite(small.model.evaluate(small.inputs))  # though predictions underflow
    with np.errstate(over="raise"):
        assert np.array_equal(small.sigmoid(np.array([-1e3, 1e3])), [0, 1])


def test_float32_stays_float32(small):
    params = vars(small.model.params).items()
    small.model.params = small.Params(**{name: v.astype(np.float32) for name, v in params})
    masked_inputs, activations, derivative = forward(small)
    gradient = small.model.back_propagate(masked_inputs, activations, derivative)
    optimizer = small.Adam(small.model.params)
    optimizer.step(gradient, 0.1)
    for owner in (activations, gradient, small.model.params):
        assert {array.dtype.name for array in vars(owner).values()} == {"float32"}


def test_evaluation_repeats_itself_whatever_the_batch_size_and_the_global_seed(small):
    inputs = small.data["valid_inputs"]
    np.random.seed(0)
    first = small.model.evaluate(inputs)
    np.random.seed(1)
    assert small.model.evaluate(inputs, batch_size=7) == pytest.approx(first, rel=1e-12)
    masks = small.model.sample_input_mask(len(inputs), np.random.RandomState(1))
    total = loss_of_model(vars(small.model.params), inputs * (1 - masks), inputs, masks)
    assert first == pytest.approx(total / len(inputs), rel=1e-12)


def test_adam_makes_the_steps_of_the_paper(small):
    params, rng = small.model.params, np.random.RandomState(8)
    optimizer, expected = small.Adam(params), params.hid_bias.copy()
    mean = square = 0.0
    for t in range(1, 6):
        gradient = small.Params(*(rng.normal(size=v.shape) for v in vars(params).values()))
        mean = 0.7 * mean + 0.3 * gradient.hid_bias
        square = 0.999 * square + 0.001 * gradient.hid_bias**2
        expected -= 0.02 * (mean / (1 - 0.7**t)) / np.sqrt(square / (1 - 0.999**t))
        optimizer.step(gradient, 0.02)
    assert np.allclose(params.hid_bias, expected, rtol=1e-4)


def test_an_epoch_holds_every_window_once_and_the_epochs_mask_all_positions(small):
    inputs = np.arange(400 * SMALL_N).reshape(400, SMALL_N)
    batches = list(small.shuffled_batches(small.model, inputs, SMALL_N, small.rng))
    rows, masks = (np.concatenate(parts) for parts in zip(*batches))
    hidden = np.zeros_like(inputs)
    for epoch in range(SMALL_N):
        part = slice(400 * epoch, 400 * (epoch + 1))
        order = rows[part, 0].argsort()
        assert np.array_equal(rows[part][order], inputs)
        assert not np.array_equal(rows[part], inputs)
        hidden += masks[part][order]
    assert np.all(hidden == 1)


def test_training_reports_learns_and_repeats_itself(small, capsys):
    model = small.train(4, 6, epochs=11)  # 1100 mini-batches
    printed = capsys.readouterr().out
    assert list(model.train_losses) == list(range(100, 1101, 100))
    assert list(model.valid_losses) == [1000, 1100]
    *before, last = (f"{loss:.3f}" for loss in model.train_losses.values())
    for step, means in (1000, " ".join(before)), (1100, last):
        assert f"\n {step} {means}  {model.valid_losses[step]:.3f}\n" in printed
    assert max(map(len, printed.splitlines())) <= 72
    for split, name in [("train", "training"), ("valid", "validation"), ("test", "test")]:
        loss = model.evaluate(small.data[f"{split}_inputs"])
        assert f"final {name:<10} cross-entropy: {loss:.3f}\n" in printed
    assert model.train_losses[1100] < model.train_losses[100]
    again = small.train(4, 6, epochs=11)
    for first, second in zip(vars(model.params).values(), vars(again.params).values()):
        assert np.array_equal(first, second)


def test_training_keeps_the_embedding_and_moves_all_of_it(small):
    # That of the mask token stays where it was if the backward pass gets the unmasked windows.
    model = small.train(4, 6, epochs=2)
    assert list(model.embeddings) == [1, 4, 20, 200]
    assert np.array_equal(model.embeddings[200], model.params.word_embedding_weights)
    moved = np.abs(model.embeddings[200] - model.embeddings[1]).max(axis=1)
    assert np.all(moved > 1e-4)


def test_random_feedback_changes_only_what_goes_back_through_it(small):
    models = small.model, small.Feedback(small.model.params, small.vocab)
    right, wrong = (vars(model.back_propagate(*forward(small))) for model in models)
    changed = {name for name in right if not np.allclose(right[name], wrong[name])}
    assert changed == {"word_embedding_weights", "embed_to_hid_weights", "hid_bias"}


def test_nearest_words_distances_and_analogies(small, capsys):
    vectors = np.zeros((SMALL_V, 2))
    vectors[:, 0] = 100.0 + np.arange(SMALL_V) ** 2
    for word, point in {"a": [3, 4], "b": [0, 0], "c": [0, 1], "d": [3, 5]}.items():
        vectors[small.vocab.index(word)] = point
    small.model.params.word_embedding_weights = vectors
    assert small.model.word_distance("a", "b") == 5
    small.model.display_nearest_words("b", k=2)
    assert capsys.readouterr().out == "b: c 1.00, a 5.00\n"
    assert small.analogy(vectors, small.vocab, "b", "c", "a", k=1) == ["d"]


def test_the_memory_order_of_the_parameters_does_not_matter(small, capsys):
    params, outputs = vars(small.model.params), set()
    for order in "CF":
        arrays = {name: np.array(array, order=order) for name, array in params.items()}
        model = small.Model(small.Params(**arrays), small.vocab)
        small.checking.check_gradients(model, small.inputs, small.mask)
        small.checking.print_gradients(model, small.inputs, small.mask)
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1
