"""The masked language model: forward pass against loops, gradients against autograd, training."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from conftest import SMALL_B, SMALL_N, SMALL_V

NAMES = [
    "word_embedding_weights",
    "embed_to_hid_weights",
    "hid_bias",
    "hid_to_output_weights",
    "output_bias",
]


def loss_written_out(parameters, masked_inputs, inputs, mask):
    """Cross-entropy at the masked positions, one example and one position at a time.

    `parameters` is a dict of arrays; only autograd's NumPy is used.
    """
    total = 0.0
    for words_seen, words, row in zip(masked_inputs, inputs, mask):
        embedding = anp.concatenate([parameters["word_embedding_weights"][w] for w in words_seen])
        a = anp.dot(parameters["embed_to_hid_weights"], embedding) + parameters["hid_bias"]
        hidden = 1 / (1 + anp.exp(-a))
        z = anp.dot(parameters["hid_to_output_weights"], hidden) + parameters["output_bias"]
        for n in range(SMALL_N):
            if row[n]:
                chunk = z[n * SMALL_V : (n + 1) * SMALL_V]
                total = total + anp.log(anp.sum(anp.exp(chunk))) - chunk[words[n]]
    return total


def forward(small):
    """Masked inputs, activations and targets of the small problem."""
    masked_inputs = small.inputs * (1 - small.mask)
    activations = small.model.compute_activations(masked_inputs)
    targets = small.model.indicator_matrix(small.inputs * small.mask)
    return masked_inputs, activations, targets


def test_loss_agrees_with_the_written_out_sum(small):
    masked_inputs, activations, targets = forward(small)
    expected = loss_written_out(vars(small.model.params), masked_inputs, small.inputs, small.mask)
    assert np.isclose(small.model.compute_loss(activations.output_layer, targets), expected)


def test_gradients_agree_with_autograd(small):
    masked_inputs, activations, targets = forward(small)
    derivative = small.model.compute_loss_derivative(
        activations.output_layer, targets, small.mask[:, :, np.newaxis]
    )
    gradient = small.model.back_propagate(masked_inputs, activations, derivative)
    expected = autograd.grad(loss_written_out)(
        vars(small.model.params), masked_inputs, small.inputs, small.mask
    )
    assert list(vars(gradient)) == NAMES
    for name in NAMES:
        assert np.allclose(getattr(gradient, name), expected[name], rtol=1e-10, atol=1e-12), name


def test_loss_derivative_agrees_with_autograd(small):
    _, activations, targets = forward(small)

    def loss(z):
        total = 0.0
        for i, n in zip(*np.nonzero(small.mask)):
            chunk = z[i, n * SMALL_V : (n + 1) * SMALL_V]
            total = total + anp.log(anp.sum(anp.exp(chunk))) - chunk[small.inputs[i, n]]
        return total

    expected = autograd.grad(loss)(np.log(activations.output_layer))
    found = small.model.compute_loss_derivative(
        activations.output_layer, targets, small.mask[:, :, np.newaxis]
    )
    assert np.allclose(found, expected, rtol=1e-10, atol=1e-14)


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


def test_each_chunk_of_the_softmax_stands_alone(small):
    # One maximum for all chunks would let the others underflow to 0 / 0.
    small.model.params.output_bias[:SMALL_V] += 3000
    output_layer = small.model.compute_activations(small.inputs).output_layer
    chunks = output_layer.reshape(SMALL_B, SMALL_N, SMALL_V)
    assert np.all(np.isfinite(chunks))
    assert np.allclose(chunks.sum(axis=2), 1)


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_sigmoid_does_not_overflow(small, size):
    with np.errstate(all="raise"):
        assert small.sigmoid(np.array([size])) == (size > 0)


def test_float32_stays_float32(small):
    small.model.params = small.model.params.astype(np.float32)
    masked_inputs, activations, targets = forward(small)
    assert {array.dtype.name for array in vars(activations).values()} == {"float32"}
    mask = small.mask[:, :, np.newaxis]
    derivative = small.model.compute_loss_derivative(activations.output_layer, targets, mask)
    gradient = small.model.back_propagate(masked_inputs, activations, derivative)
    assert {array.dtype.name for array in vars(gradient).values()} == {"float32"}


def test_evaluation_repeats_itself_whatever_the_batch_size_and_the_global_seed(small):
    inputs = small.data["valid_inputs"]
    np.random.seed(0)
    first = small.model.evaluate(inputs)
    np.random.seed(1)
    assert small.model.evaluate(inputs, batch_size=7) == pytest.approx(first, rel=1e-12)
    masks = small.model.sample_input_mask(len(inputs), np.random.RandomState(small.EVALUATION_SEED))
    total = loss_written_out(vars(small.model.params), inputs * (1 - masks), inputs, masks)
    assert first == pytest.approx(total / len(inputs), rel=1e-12)


def test_a_step_without_momentum_goes_down_the_mean_gradient(small):
    batch, mask = small.inputs, small.mask
    expected = autograd.grad(loss_written_out)(
        vars(small.model.params), batch * (1 - mask), batch, mask
    )
    before = {name: value.copy() for name, value in vars(small.model.params).items()}
    velocity = small.model.params.zeros_like()
    small.training_step(small.model, velocity, batch, mask, learning_rate=0.3, momentum=0.0)
    for name, value in vars(small.model.params).items():
        assert np.allclose(value, before[name] - 0.3 * expected[name] / len(batch)), name


def test_momentum_keeps_a_share_of_the_last_step(small):
    velocity = small.model.params.zeros_like()
    velocity.hid_bias += 1
    before = small.model.params.hid_bias.copy()
    small.training_step(
        small.model, velocity, small.inputs, small.mask, learning_rate=0.0, momentum=0.9
    )
    assert np.allclose(small.model.params.hid_bias - before, 0.9)


def test_training_reports_learns_and_repeats_itself(small, capsys):
    config = small.TrainingConfig(batch_size=20, epochs=60, learning_rate=0.3)
    model = small.train(4, 6, config)
    printed = capsys.readouterr().out
    assert len(model.train_losses) == 12 and len(model.valid_losses) == 1
    assert f"{model.train_losses[0]:.3f}" in printed
    for split in ["training", "validation", "test"]:
        assert f"final {split:<10} cross-entropy:" in printed
    assert model.train_losses[-1] < model.train_losses[0]
    again = small.train(4, 6, config)
    for name in NAMES:
        assert np.array_equal(getattr(model.params, name), getattr(again.params, name))


def test_training_moves_the_embedding_of_the_mask_token(small):
    # It stays where it was if the backward pass gets the unmasked windows.
    rng = np.random.RandomState(small.TrainingConfig.seed)
    start = small.Model.random_init(small.vocab, SMALL_N, 4, 6, rng).params
    trained = small.train(4, 6, small.TrainingConfig(batch_size=20, epochs=5)).params
    moved = np.abs(trained.word_embedding_weights - start.word_embedding_weights).max(axis=1)
    assert np.all(moved > 1e-4)


def test_an_interrupted_training_returns_the_model_as_it_is(small, monkeypatch, capsys):
    steps = iter(range(30))

    def interrupted_after_30(*arguments):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return training_step(*arguments)

    training_step = small.training_step
    monkeypatch.setitem(small.train.__globals__, "training_step", interrupted_after_30)
    model = small.train(4, 6, small.TrainingConfig(batch_size=20, epochs=5))
    assert "Interrupted after 30 of 100 mini-batches" in capsys.readouterr().out
    assert np.all(np.isfinite(model.params.hid_bias))


def test_nearest_words_and_distances(small, capsys):
    vectors = np.zeros((SMALL_V, 2))
    vectors[:, 0] = 100.0 + np.arange(SMALL_V) ** 2
    vectors[small.vocab.index("a")] = [3, 4]
    vectors[small.vocab.index("b")] = [0, 0]
    vectors[small.vocab.index("c")] = [0, 1]
    small.model.params.word_embedding_weights = vectors
    assert small.model.word_distance("a", "b") == 5
    small.model.display_nearest_words("b", k=2)
    shown = capsys.readouterr().out.split()
    assert shown[-4:] == ["c", "1.00", "a", "5.00"]
    with pytest.raises(ValueError, match="'dog' is not one of the 11 words"):
        small.model.word_distance("a", "dog")


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda n: n.analogy(n.model, "a", "b", "c", k=9), "k: found 9; .* from 1 to 8"),
        (lambda n: n.analogy(n.model, "a", "b", "c", k=-1), "k: found -1"),
        (lambda n: n.train(True, 4), "embedding_dim: found True"),
        (
            lambda n: n.tsne_plot_GLoVe_representation(np.full((11, 3), np.nan), n.vocab),
            "W: found 33",
        ),
        (lambda n: n.tsne_plot_GLoVe_representation(np.ones((4, 3)), n.vocab), "W: found shape"),
        (lambda n: n.plot_2d_GLoVe_representation(np.ones((11, 3)), n.vocab), "W: found shape"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_drawn(small, call, words):
    with pytest.raises(ValueError, match=words):
        call(small)


def test_parameters_for_windows_of_another_length_are_refused(small, monkeypatch):
    params = vars(small.model.params)  # N = 3
    monkeypatch.setattr(small.checking, "load_partially_trained", lambda path, vocab: params)
    monkeypatch.setitem(small.partially_trained_model.__globals__, "N", 4)
    with pytest.raises(small.checking.DataFileError, match="partially_trained.pk: output_bias"):
        small.partially_trained_model()


def test_the_memory_order_of_the_parameters_does_not_matter(small, capsys):
    params, outputs = vars(small.model.params), set()
    for order in "CF":
        arrays = {name: np.array(array, order=order) for name, array in params.items()}
        model = small.Model(small.Params(**arrays), small.vocab)
        small.checking.check_gradients(model, small.inputs, small.mask)
        small.checking.print_gradients(model, small.inputs, small.mask)
        outputs.add(capsys.readouterr().out)
    assert len(outputs) == 1
