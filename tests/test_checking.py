"""The checker itself: its numerics, its messages, its manners. What it catches is in
`test_planted_errors.py`."""

import re
import time
from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from planted_errors import BACK_ERRORS, back_propagate_with, derivative_from, symmetric
from right_implementations import (
    BACK_PROPAGATE,
    GLOVE,
    LOSS_DERIVATIVE,
    Model,
    Params,
    glove_in_loops,
    loss_GLoVe,
    random_problem,
)
from step_table import table

import checking

ASSIGNMENT = {"V": 251, "N": 4, "D": 16, "H": 128, "B": 100, "scale": 0.3}


def subclass(**methods):
    """`Model` with some methods replaced."""
    return type("ChangedModel", (Model,), methods)


def wrong_derivative(self, y, t, m):
    return 2 * Model.compute_loss_derivative(self, y, t, m)


def wrong_back_propagate(self, i, a, d):
    gradient = Model.back_propagate(self, i, a, d)
    gradient.hid_bias = gradient.hid_bias / len(i)
    return gradient


def not_written(self, *arguments):
    raise NotImplementedError


def check(model_class, seed=0, function=checking.check_gradients, **sizes):
    params, vocab, inputs, mask = random_problem(seed, **sizes)
    return function(model_class(params, vocab), inputs, mask)


def error_of(model_class, function=checking.check_gradients):
    with pytest.raises(checking.GradientCheckError) as caught:
        check(model_class, function=function)
    return str(caught.value)


# Numerics


def test_derivative_of_a_polynomial_of_degree_4_is_exact_at_any_step():
    point, direction = np.array([1.0, -2.0]), np.array([0.5, 3.0])

    def function(x):
        return x[0] ** 4 - x[0] * x[1] ** 3 + 7

    expected = 4 * 0.5 + (-0.5 * -8) + (-1 * 3 * 4 * 3)
    for step in (1.0, 2.0**-4, 2.0**-11):
        assert checking.derivative_along(function, point, direction, step) == pytest.approx(
            expected, rel=1e-10
        )


def test_halving_the_step_divides_the_error_by_16():
    point, direction = np.array([0.3]), np.array([1.0])

    def error(step):
        derivative = checking.derivative_along(lambda x: np.sin(x[0]), point, direction, step)
        return abs(derivative - np.cos(0.3))

    assert error(0.1) / error(0.05) == pytest.approx(16, rel=0.05)


def test_table_in_the_docstring_is_what_is_measured():
    rows = re.findall(r"2\*\*-(\d+) +(\S+) +(\S+)\n", checking.derivative_along.__doc__)
    assert len(rows) >= 6
    documented = {int(exponent): (float(a), float(b)) for exponent, a, b in rows}
    for exponent, right, wrong in table(seeds=[0]):
        assert documented[exponent][0] / 50 < right < documented[exponent][0] * 3
        assert documented[exponent][1] / 2 < wrong < documented[exponent][1] * 10
    right, wrong = documented[-np.log2(checking.STEP)]
    assert right == min(a for a, _ in documented.values())
    assert 1000 * right < checking.TOLERANCE < wrong / 1000


def numbers(params):
    return [vars(params)[name] for name in vars(params)]


def loss_of_parameters(arrays, inputs, targets, V):
    """The loss by another route: logarithms of sums, on autograd's arrays."""
    word_embedding, embed_to_hid, hid_bias, hid_to_output, output_bias = arrays
    rows = anp.reshape(word_embedding[inputs], (len(inputs), -1))
    hidden = 0.5 * (1 + anp.tanh(0.5 * (anp.dot(rows, embed_to_hid.T) + hid_bias)))
    z = anp.dot(hidden, hid_to_output.T) + output_bias
    return loss_of_z(z, targets, inputs.shape[1], V)


def loss_of_z(z, targets, N, V):
    chunks = anp.reshape(z, (-1, N, V))
    masked = anp.reshape(targets, (-1, N, V))
    norm = anp.log(anp.sum(anp.exp(chunks), axis=2))
    return anp.sum(norm * anp.sum(masked, axis=2)) - anp.sum(chunks * masked)


@pytest.mark.parametrize("function", BACK_PROPAGATE, ids=lambda function: function.__name__)
def test_right_back_propagate_is_that_of_autograd(function):
    params, vocab, words, mask = random_problem(3)
    model, inputs = Model(params, vocab), words * (1 - mask)
    targets = model.indicator_matrix(words * mask)
    activations = model.compute_activations(inputs)
    derivative = model.compute_loss_derivative(
        activations.output_layer, targets, mask[:, :, np.newaxis]
    )
    expected = autograd.grad(loss_of_parameters)(numbers(params), inputs, targets, len(vocab))
    found = numbers(function(model, inputs, activations, derivative))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", LOSS_DERIVATIVE, ids=lambda function: function.__name__)
def test_right_loss_derivative_is_that_of_autograd(function):
    params, vocab, words, mask = random_problem(3)
    model = Model(params, vocab)
    targets = model.indicator_matrix(words * mask)
    y = model.compute_activations(words * (1 - mask)).output_layer
    expected = autograd.grad(loss_of_z)(np.log(y), targets, mask.shape[1], len(vocab))
    found = function(model, y, targets, mask[:, :, np.newaxis])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("is_symmetric", [False, True])
@pytest.mark.parametrize("function", GLOVE, ids=lambda function: function.__name__)
def test_right_grad_GLoVe_is_that_of_autograd(function, is_symmetric):
    random = np.random.RandomState(3)
    W, W_tilde = random.randn(2, 6, 3)
    b, b_tilde = random.randn(2, 6, 1)
    X = random.randn(6, 6)

    def loss(W, W_tilde, b, b_tilde):
        if is_symmetric:
            W_tilde, b_tilde = W, b
        return anp.sum((anp.dot(W, W_tilde.T) + b + b_tilde.T - X) ** 2)

    expected = autograd.grad(loss, argnum=(0, 1, 2, 3))(W, W_tilde, b, b_tilde)
    if is_symmetric:
        W_tilde = b_tilde = None
    for found, wanted in zip(function(W, W_tilde, b, b_tilde, X), expected, strict=True):
        if found is not None:
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 3.0])
def test_right_gradients_pass_at_small_and_large_parameters(scale):
    check(Model, scale=scale)


@pytest.mark.parametrize("sizes", [{"N": 2}, {"B": 1}, {"V": 4}, {"H": 1}, {"D": 1}, {"B": 300}])
def test_right_gradients_pass_at_other_sizes(sizes):
    check(Model, **sizes)


def test_model_in_float32_is_checked_in_float64():
    params, vocab, inputs, mask = random_problem(0)
    single = Params(*(array.astype(np.float32) for array in numbers(params)))
    checking.check_gradients(Model(single, vocab), inputs, mask)
    assert all(array.dtype == np.float32 for array in numbers(single))


def test_batch_in_which_a_position_is_never_masked():
    params, vocab, inputs, mask = random_problem(0)
    mask[:] = [0, 1, 0, 0]
    checking.check_gradients(Model(params, vocab), inputs, mask)
    checking.print_gradients(Model(params, vocab), inputs, mask)


def test_batch_without_repeated_words():
    """What loses repeated words is right on such a batch, and wrong all the same."""
    params, vocab, _, mask = random_problem(0, V=70)
    inputs = np.arange(1, 65).reshape(16, 4)
    for name in ("repeated words lost", "repeated words lost in a window"):
        steps, _ = BACK_ERRORS[name]
        model_class = subclass(back_propagate=back_propagate_with(**steps))
        with pytest.raises(checking.GradientCheckError, match="word_embedding_weights is wrong"):
            checking.check_gradients(model_class(params, vocab), inputs, mask)


def test_probability_that_underflows_is_no_obstacle():
    params, vocab, inputs, mask = random_problem(0)
    params.output_bias[5] = -2000.0  # not the word of any target
    inputs[inputs == 5] = 6
    with np.errstate(divide="raise", invalid="raise"):
        checking.check_gradients(Model(params, vocab), inputs, mask)


def test_loss_that_is_not_finite_passes_nothing():
    params, vocab, inputs, mask = random_problem(0)
    model_class = subclass(compute_loss=lambda self, y, t: np.nan)
    with pytest.raises(checking.GradientCheckError, match="not finite"):
        checking.check_gradients(model_class(params, vocab), inputs, mask)


# Manners


def test_nothing_of_the_caller_is_changed():
    params, vocab, inputs, mask = random_problem(0)
    before = [array.copy() for array in (*numbers(params), inputs, mask)]
    words = list(vocab)
    for array in (*numbers(params), inputs, mask):
        array.flags.writeable = False
    np.random.seed(7)
    model = Model(params, vocab)
    for function in (
        checking.check_loss_derivative,
        checking.check_gradients,
        checking.print_gradients,
    ):
        function(model, inputs, mask)
    checking.check_GLoVe_gradients(loss_GLoVe, glove_in_loops)
    with pytest.raises(checking.GradientCheckError):
        checking.check_gradients(
            subclass(back_propagate=wrong_back_propagate)(params, vocab), inputs, mask
        )
    after = [*numbers(params), inputs, mask]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert model.params is params and vocab == words
    assert np.random.random() == np.random.RandomState(7).random_sample()


def test_results_do_not_depend_on_chance_or_on_what_was_checked_before():
    messages = set()
    for seed in range(3):
        np.random.seed(seed)
        messages.add(error_of(subclass(back_propagate=wrong_back_propagate)))
        check(Model, seed=seed)
    assert len(messages) == 1


def test_a_row_is_printed_for_each_tensor(capsys):
    check(Model)
    assert capsys.readouterr().out.splitlines() == [
        "your windows in another order and 4 more, at parameters near yours",
        "compute_loss_derivative",
        "  loss_derivative         (20, 120)     right",
        "back_propagate, from a random loss_derivative",
        "  output_bias             (120,)        right",
        "  hid_to_output_weights   (120, 7)      right",
        "  hid_bias                (7,)          right",
        "  embed_to_hid_weights    (7, 12)       right",
        "  word_embedding_weights  (30, 3)       right",
    ]
    checking.check_GLoVe_gradients(loss_GLoVe, glove_in_loops)
    first, *rows = capsys.readouterr().out.splitlines()
    assert first == "a random problem with 9 words, d = 4"
    assert [row.split()[0] for row in rows] == [
        *["grad_GLoVe,", "grad_W", "grad_W_tilde", "grad_b", "grad_b_tilde"],
        *["grad_GLoVe,", "grad_W", "grad_b"],
    ]
    assert sum(row.endswith("right") for row in rows) == 6


def test_error_is_an_assertion_error():
    assert issubclass(checking.GradientCheckError, AssertionError)
    assert issubclass(checking.DataFileError, ValueError)


@pytest.mark.parametrize(
    "inputs, words",
    [
        ([[1, 2, 3, 4]], "type list"),
        (np.ones((3, 4)), "dtype float64"),
        (np.ones((3, 5), int), "expected shape (any, 4)"),
        (np.ones(4, int), "shape (4,)"),
        (np.zeros((3, 4), int), "values from 0 to 0; expected 1 to 29"),
        (np.full((3, 4), 30), "values from 30 to 30"),
        (np.ones((0, 4), int), "no entries"),
    ],
)
def test_inputs_that_do_not_fit(inputs, words):
    params, vocab, _, _ = random_problem(0)
    with pytest.raises(ValueError, match=re.escape(words)):
        checking.check_gradients(Model(params, vocab), inputs, np.eye(4, dtype=int)[:3])


@pytest.mark.parametrize(
    "mask, words",
    [
        (None, "type NoneType"),
        (np.eye(4)[:3], "dtype float64"),
        (np.eye(4, dtype=int), "expected shape (3, 4)"),
        (np.eye(4, dtype=int)[:3, :, None], "shape (3, 4, 1)"),
        (2 * np.eye(4, dtype=int)[:3], "values from 0 to 2; expected 0 to 1"),
        (np.zeros((3, 4), int), "a single 1 in each row"),
        (np.ones((3, 4), bool), "a single 1 in each row"),
    ],
)
def test_mask_that_does_not_fit(mask, words):
    params, vocab, _, _ = random_problem(0)
    with pytest.raises(ValueError, match=re.escape(words)):
        checking.print_gradients(Model(params, vocab), np.ones((3, 4), int), mask)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64])
def test_mask_of_any_whole_numbers(dtype, capsys):
    params, vocab, inputs, mask = random_problem(0)
    lines = []
    for of_dtype in (mask, mask.astype(dtype)):
        checking.print_gradients(Model(params, vocab), inputs.astype(np.uint16), of_dtype)
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]


# Messages


@pytest.mark.parametrize("name", checking.PARAMETERS)
def test_message_names_tensor_entry_values_and_ratio(name):
    params, vocab, inputs, mask = random_problem(0)
    right = []

    def back_propagate(self, i, a, d):
        gradient = Model.back_propagate(self, i, a, d)
        array = getattr(gradient, name)
        entry = np.argsort(np.abs(array), axis=None)[-2]  # not the largest
        right.append((np.unravel_index(entry, array.shape), array.flat[entry]))
        array.flat[entry] *= 1.25
        return gradient

    message = error_of(subclass(back_propagate=back_propagate))
    index, value = right[-1]
    index = [int(i) for i in index]
    first, second, third = message.splitlines()
    assert first == f"back_propagate: {name} is wrong."
    assert re.sub(r"\], .*?: yours", "]: yours", second) == (
        f"Entry {index}: yours {1.25 * value:.8g}, finite difference {value:.8g}, ratio 1.25."
    )
    words = f"position {index[0] // 30}, word '{vocab[index[0] % 30]}'"
    place = {
        "output_bias": words,
        "hid_to_output_weights": words,
        "hid_bias": None,
        "embed_to_hid_weights": f"position {index[-1] // 3}",
        "word_embedding_weights": f"word '{vocab[index[0] % 30]}'",
    }[name]
    assert (f"], {place}: yours" if place else "]: yours") in second
    assert third == f"It looks as if only entry {index} is wrong."


def test_entry_shown_is_the_largest_when_all_are_wrong():
    right = []

    def compute_loss_derivative(self, y, t, m):
        right.append(Model.compute_loss_derivative(self, y, t, m))
        return -right[-1]

    message = error_of(subclass(compute_loss_derivative=compute_loss_derivative))
    index = np.unravel_index(np.abs(right[-1]).argmax(), right[-1].shape)
    row, position, word = index[0], index[1] // 30, index[1] % 30
    assert f"Entry [{row}, {index[1]}], window '" in message
    window = re.search(r"window '(.*)', position", message)[1].split()
    assert window[position] == "[MASK]" and len(window) == 4  # the largest is at a hidden word
    assert f"', position {position}, word 'word{word}': yours " in message
    assert message.endswith("your values have the opposite sign.")


def test_mistake_nearest_to_the_output_is_explained_first():
    steps, _ = BACK_ERRORS["slope forgotten"]
    message = error_of(subclass(back_propagate=back_propagate_with(**steps)))
    assert message.startswith("back_propagate: hid_bias is wrong.")
    assert message.endswith(
        "perhaps for the same reason: embed_to_hid_weights, word_embedding_weights."
    )


def test_loss_derivative_can_be_checked_before_back_propagate_is_written(capsys):
    check(subclass(back_propagate=not_written), function=checking.check_loss_derivative)
    model_class = type("Alone", (Model,), {"back_propagate": None})
    check(model_class, function=checking.check_loss_derivative)
    assert "back_propagate" not in capsys.readouterr().out
    message = error_of(
        subclass(compute_loss_derivative=wrong_derivative), checking.check_loss_derivative
    )
    assert "your values are 2 times" in message


def test_back_propagate_is_judged_by_itself_when_the_loss_derivative_is_wrong(capsys):
    message = error_of(subclass(compute_loss_derivative=wrong_derivative))
    assert message.startswith("compute_loss_derivative: loss_derivative is wrong.")
    assert "Also wrong" not in message
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[-1] for row in rows if row.startswith("  ")] == ["WRONG"] + 5 * ["right"]

    message = error_of(
        subclass(compute_loss_derivative=wrong_derivative, back_propagate=wrong_back_propagate)
    )
    assert message.startswith("compute_loss_derivative") and message.endswith(": hid_bias.")


@pytest.mark.parametrize("function", BACK_PROPAGATE, ids=lambda function: function.__name__)
def test_right_back_propagate_passes_beside_a_wrong_derivative(function, capsys):
    error_of(subclass(compute_loss_derivative=lambda *_: None, back_propagate=function))
    assert capsys.readouterr().out.count("right") == 5


def test_gaps_are_named():
    message = error_of(subclass(compute_loss_derivative=not_written))
    assert message.startswith("compute_loss_derivative is not written yet, or still contains")
    assert "the line raise NotImplementedError(...). Write it, run its cell" in message
    message = error_of(subclass(back_propagate=not_written))
    assert message.startswith("back_propagate is not written yet")
    message = error_of(
        subclass(compute_loss_derivative=wrong_derivative, back_propagate=not_written)
    )
    assert message.startswith("compute_loss_derivative: loss_derivative is wrong.")
    message = error_of(subclass(back_propagate=None))  # as if its cell had not been run
    assert message.startswith("back_propagate is not written yet")
    with pytest.raises(checking.GradientCheckError, match="grad_GLoVe is not written yet"):
        checking.check_GLoVe_gradients(loss_GLoVe, lambda *_: not_written(None))


def test_what_raises_in_the_students_code_is_shown_as_it_is():
    def back_propagate(self, i, a, d):
        return a.hidden_layer @ d

    with pytest.raises(ValueError, match="matmul"):
        check(subclass(back_propagate=back_propagate))


def test_argument_that_was_changed_is_named():
    def compute_loss_derivative(self, y, t, m):
        y -= t
        return y

    message = error_of(subclass(compute_loss_derivative=compute_loss_derivative))
    assert message.startswith("compute_loss_derivative changed output_activations in place.")

    def back_propagate(self, i, a, d):
        gradient = Model.back_propagate(self, i, a, d)
        a.hidden_layer *= 2
        self.params.hid_bias += 1
        return gradient

    message = error_of(subclass(back_propagate=back_propagate))
    assert "changed activations.hidden_layer and self.params.hid_bias in place" in message


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda a: a[:2], "Found shape (2, 120); expected shape (20, 120)."),
        (lambda a: a.sum(), "Found a single number; expected shape (20, 120)."),
        (lambda a: 3, "Found a single number; expected shape (20, 120)."),
        (
            lambda a: None,
            "Found None, as a function without `return` gives it; expected a NumPy array.",
        ),
        (lambda a: a.astype("f4"), "Found dtype float32; expected float64, as the parameters."),
        (lambda a: a.astype(int), "Found dtype int64; expected floating-point numbers."),
        (lambda a: a * np.nan, "Found 2400 entries that are NaN or infinite; expected finite"),
    ],
)
def test_shapes_dtypes_and_types_are_named(damage, words):
    def compute_loss_derivative(self, y, t, m):
        return damage(Model.compute_loss_derivative(self, y, t, m))

    assert words in error_of(subclass(compute_loss_derivative=compute_loss_derivative))


@pytest.mark.parametrize("name", checking.PARAMETERS)
def test_an_entry_that_is_hardly_wrong_is_found(name):
    def back_propagate(self, i, a, d):
        gradient = Model.back_propagate(self, i, a, d)
        array = getattr(gradient, name)
        array.flat[np.abs(array).argmax()] *= 1 + 1e-5
        return gradient

    message = error_of(subclass(back_propagate=back_propagate))
    assert f"{name} is wrong" in message and "ratio 1.0000" in message
    assert "It looks as if only entry [" in message and "times" not in message


def test_windows_that_read_the_same_backwards_mislead_nobody():
    """A mistake that the arguments take part in is not called independent of them."""
    params, vocab, _, _ = random_problem(0, N=3)
    inputs, mask = np.array([[1, 2, 1], [3, 4, 3]]), np.array([[0, 1, 0], [0, 1, 0]])

    def back_propagate(self, i, a, d):
        return Model.back_propagate(self, i, a, 0 * d)

    with pytest.raises(checking.GradientCheckError) as caught:
        checking.check_gradients(
            subclass(back_propagate=back_propagate)(params, vocab), inputs, mask
        )
    assert "are all 0" in str(caught.value)


def test_the_mask_is_of_the_dtype_that_training_has():
    def compute_loss_derivative(self, y, t, m):
        assert m.dtype == y.dtype
        return Model.compute_loss_derivative(self, y, t, m)

    check(subclass(compute_loss_derivative=compute_loss_derivative))


def test_parameters_that_are_replaced_are_noticed():
    def back_propagate(self, i, a, d):
        gradient = Model.back_propagate(self, i, a, d)
        self.params = Params(*(value + 1 for value in vars(self.params).values()))
        return gradient

    message = error_of(subclass(back_propagate=back_propagate))
    assert "changed " in message and "self.params.hid_bias" in message


def test_symmetric_model_with_a_gradient_from_one_role():
    for factor, manner in ((2, "half of the finite differences"), (4, "right")):
        grad_GLoVe = symmetric(lambda E, U, factor=factor: {0: factor * E @ U})
        with pytest.raises(checking.GradientCheckError) as caught:
            checking.check_GLoVe_gradients(loss_GLoVe, grad_GLoVe)
        assert str(caught.value).endswith(
            f"It looks as if your values are {manner} only where the residual is a symmetric "
            "matrix. Does each parameter collect a gradient from both of its roles?"
        )


def test_derivative_at_unmasked_positions():
    model_class = subclass(compute_loss_derivative=derivative_from(lambda y, t, m: y - t))
    message = error_of(model_class)
    assert "only what belongs to positions that are not masked is wrong" in message
    assert "although the loss does not depend on them" in message
    assert "finite difference 0, ratio undefined" in message


@pytest.mark.parametrize("name", ["loss_derivative", "hid_bias"])
def test_no_number_is_minus_0(name):
    def damaged(method):
        def function(self, *arguments):
            result = method(self, *arguments)
            array = result if name == "loss_derivative" else result.hid_bias
            array.flat[np.abs(array).argmax()] = -0.0
            return result

        return function

    methods = {"loss_derivative": "compute_loss_derivative", "hid_bias": "back_propagate"}
    method = methods[name]
    message = error_of(subclass(**{method: damaged(getattr(Model, method))}))
    assert "yours 0, " in message and message.splitlines()[1].endswith("ratio 0.")


# Printing


def printed(capsys, seed=0, **sizes):
    check(Model, seed, checking.print_gradients, **sizes)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("sizes", [ASSIGNMENT, {}, {"N": 3}, {"B": 30, "V": 60}])
def test_printed_lines(sizes, capsys):
    lines = printed(capsys, **sizes)
    assert len(lines) >= 20
    pattern = r"(\w+)\[(\d+(?:, \d+)?)\] (-?\d\.\d{6}e[+-]\d\d)"
    entries = [re.fullmatch(pattern, line).groups() for line in lines]
    assert {name for name, _, _ in entries} == {"loss_derivative", *checking.PARAMETERS}
    assert not any(value.startswith("-0.000000") for _, _, value in entries)

    params, vocab, words, mask = random_problem(0, **sizes)
    model, inputs, V = Model(params, vocab), words * (1 - mask), len(vocab)
    targets = model.indicator_matrix(words * mask)
    kinds = SimpleNamespace(target=0, other=0, unmasked=0, positions=set())
    for name, index, value in entries:
        index = tuple(int(i) for i in index.split(", "))
        if name == "loss_derivative":
            position = index[1] // V
            if targets[index]:
                kinds.target += 1
                kinds.positions.add(position)
                assert float(value) < 0
            elif mask[index[0], position]:
                kinds.other += 1
                assert float(value) > 0
            else:
                kinds.unmasked += 1
                assert value == "0.000000e+00"
    assert kinds.target and kinds.other and kinds.unmasked
    assert kinds.positions == set(range(mask.shape[1]))
    for name in ("output_bias", "hid_to_output_weights", "embed_to_hid_weights"):
        block = V if "output" in name else params.word_embedding_weights.shape[1]
        axis = 1 if name == "embed_to_hid_weights" else 0
        indices = [int(index.split(", ")[axis]) for n, index, _ in entries if n == name]
        assert {i // block for i in indices} == set(range(mask.shape[1]))
    counts = np.bincount(inputs.ravel(), minlength=V)
    values = {
        int(index.split(", ")[0]): float(value)
        for name, index, value in entries
        if name == "word_embedding_weights"
    }
    assert values[0] != 0
    assert any(value == 0 and word not in words for word, value in values.items())
    assert any(counts[word] > 1 and word > 0 for word in values)
    assert any(counts[word] == 1 for word in values)
    assert all((value == 0) == (counts[word] == 0) for word, value in values.items())


def test_printed_values_are_those_of_loops(capsys):
    """Entry by entry, from the definition, for the derivative and the last parameter."""
    lines = dict(line.rsplit(" ", 1) for line in printed(capsys))
    params, vocab, words, mask = random_problem(0)
    model = Model(params, vocab)
    inputs, targets = words * (1 - mask), model.indicator_matrix(words * mask)
    gradients = autograd.grad(loss_of_parameters)(numbers(params), inputs, targets, len(vocab))
    gradients = dict(zip(vars(params), gradients, strict=True))
    for line, value in lines.items():
        name, index = re.fullmatch(r"(\w+)\[(.+)\]", line).groups()
        if name in gradients:
            expected = gradients[name][tuple(int(i) for i in index.split(", "))]
            assert float(value) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_digits_are_far_from_rounding_errors(capsys):
    """Another order of the sums, hence of the rounding, prints the same."""
    lines = printed(capsys, **ASSIGNMENT)

    class Reordered(Model):
        def compute_activations(self, inputs):
            activations = Model.compute_activations(self, inputs)
            for name, array in vars(activations).items():
                random = np.random.RandomState(len(name))
                setattr(activations, name, array * (1 + 1e-15 * random.randn(*array.shape)))
            return activations

        def back_propagate(self, i, a, d):
            order = np.random.RandomState(1).permutation(len(i))
            part = type(a)(*(layer[order] for layer in vars(a).values()))
            return Model.back_propagate(self, i[order], part, d[order])

    check(Reordered, 0, checking.print_gradients, **ASSIGNMENT)
    assert capsys.readouterr().out.splitlines() == lines


def test_printing_refuses_what_is_no_gradient():
    for damage in (lambda a: None, lambda a: a[:1], lambda a: a.astype(int), lambda a: a * np.nan):

        def back_propagate(self, i, a, d, damage=damage):
            gradient = Model.back_propagate(self, i, a, d)
            gradient.output_bias = damage(gradient.output_bias)
            return gradient

        with pytest.raises(checking.GradientCheckError, match="output_bias: found"):
            check(subclass(back_propagate=back_propagate), 0, checking.print_gradients)


# The notebook


def test_checks_pass_on_the_notebook(notebook, capsys):
    notebook.check_gradients()
    checking.check_GLoVe_gradients(notebook.loss_GLoVe, notebook.grad_GLoVe)
    assert "WRONG" not in capsys.readouterr().out
    notebook.print_gradients()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 20 and len(set(lines)) == len(lines)


def test_checks_pass_on_the_notebook_at_small_sizes(small):
    checking.check_gradients(small.model, small.inputs, small.mask)


@pytest.mark.parametrize(
    "run, limit",
    [
        (lambda notebook: notebook.check_gradients(), 1.0),
        (
            lambda notebook: checking.check_GLoVe_gradients(
                notebook.loss_GLoVe, notebook.grad_GLoVe
            ),
            0.3,
        ),
    ],
    ids=["check_gradients", "check_GLoVe_gradients"],
)
def test_time_of_one_core(notebook, run, limit):
    times = []
    for _ in range(3):
        start = time.process_time()
        run(notebook)
        times.append(time.process_time() - start)
    assert min(times) < limit
