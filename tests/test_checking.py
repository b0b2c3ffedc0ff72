"""The checker itself: its numerics, its messages, its printing. What it catches is in
`test_planted_errors.py`."""

import linecache
import re
from types import SimpleNamespace

import autograd
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from planted_errors import not_written
from right_implementations import (
    Model,
    Params,
    cross_entropy,
    grad_GLoVe,
    loss_GLoVe,
    loss_of_model,
    random_problem,
    replaced,
)

import checking
from tools.common import PARTIALLY_TRAINED

ASSIGNMENT = {"V": 251, "N": 4, "D": 16, "H": 128, "B": 100, "scale": 0.3}


def subclass(**methods):
    """`Model` with some methods replaced."""
    return type("ChangedModel", (Model,), methods)


def twice(self, y, t, m):
    return 2 * Model.compute_loss_derivative(self, y, t, m)


def check(model_class, seed=0, function=checking.check_gradients, **sizes):
    params, vocab, inputs, mask = random_problem(seed, **sizes)
    return function(model_class(params, vocab), inputs, mask)


def error_of(model_class, function=checking.check_gradients):
    with pytest.raises(checking.GradientCheckError) as caught:
        check(model_class, function=function)
    return str(caught.value)


def mistaken(target, old, new):
    """`Model` with a piece of the source of one of its methods replaced."""
    return subclass(**{target: replaced(getattr(Model, target), old, new)})


def error_of_glove(grad_GLoVe, loss=loss_GLoVe):
    with pytest.raises(checking.GradientCheckError) as caught:
        checking.check_GLoVe_gradients(loss, grad_GLoVe)
    return str(caught.value)


# Numerics


def test_derivative_of_a_polynomial_of_degree_4_is_exact():
    point, direction = np.array([1.0, -2.0]), np.array([0.5, 3.0])
    derivative, error = checking.derivative_along(
        lambda x: x[0] ** 4 - x[0] * x[1] ** 3 + 7, point, direction
    )
    assert derivative == pytest.approx(4 * 0.5 + 8 * 0.5 - 3 * 4 * 3, rel=1e-11)
    assert abs(derivative + 30) <= error < 1e-9


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e5])
def test_step_follows_the_function(scale):
    """The error is small, and known, whatever the scale on which the function bends."""
    derivative, error = checking.derivative_along(
        lambda x: np.tanh(scale * x[0]), np.array([0.3 / scale]), np.array([1.0])
    )
    right = scale * (1 - np.tanh(0.3) ** 2)
    assert abs(derivative - right) <= 10 * error <= 1e-6 * right


@pytest.mark.parametrize("offset", [1e4, 1e8])
def test_error_is_known_where_rounding_is_most_of_it(offset):
    for x in np.linspace(0, 3, 100):
        derivative, error = checking.derivative_along(
            lambda point: offset + np.sin(point[0]), np.array([x]), np.array([1.0])
        )
        assert abs(derivative - np.cos(x)) <= 10 * error


# Nothing right is refused


@pytest.mark.parametrize(
    "sizes", [{"scale": 1e-3}, {"scale": 40.0}, {"N": 2}, {"B": 1}, {"V": 4}, {"H": 1}, {"D": 1}]
)
def test_right_gradients_pass_at_other_parameters_and_sizes(sizes):
    check(Model, **sizes)


def test_model_in_float32_is_checked_in_float64():
    params, vocab, inputs, mask = random_problem(0)
    single = Params(*(array.astype(np.float32) for array in vars(params).values()))
    for function in (checking.check_gradients, checking.print_gradients):
        function(Model(single, vocab), inputs, mask)
    assert all(array.dtype == np.float32 for array in vars(single).values())


def test_class_params_may_have_been_run_again():
    """Then the parameters and the gradient are of two classes."""
    again = replaced(
        Model.back_propagate, "Params(", "SimpleNamespace(", SimpleNamespace=SimpleNamespace
    )
    check(subclass(back_propagate=again))


def test_positions_never_masked_and_probabilities_that_underflow_are_no_obstacle():
    params, vocab, inputs, mask = random_problem(0)
    mask[:] = [0, 1, 0, 0]
    params.output_bias[[5, 35, 65, 95]] = -2000.0
    assert (inputs[:, 1] == 5).any()  # it is the target, too
    with np.errstate(divide="raise", invalid="raise"):
        checking.check_gradients(Model(params, vocab), inputs, mask)
    checking.print_gradients(Model(params, vocab), inputs, mask)


@pytest.mark.parametrize("factor", [1, 1000])
def test_reference_passes_however_saturated_the_network_is(notebook, factor, capsys):
    arrays = checking.load_partially_trained(PARTIALLY_TRAINED)
    arrays["word_embedding_weights"][1] *= factor  # of the most frequent word
    model = notebook.Model(vocab=arrays.pop("vocab"), params=notebook.Params(**arrays))
    inputs = notebook.data["train_inputs"][:100]
    checking.check_gradients(model, inputs, model.sample_input_mask(100, np.random.RandomState(0)))
    checking.check_GLoVe_gradients(notebook.loss_GLoVe, notebook.grad_GLoVe)
    output = capsys.readouterr().out
    assert output.count("right\n") == 12 and "Remark" not in output


def test_nothing_of_the_caller_is_changed():
    params, vocab, inputs, mask = random_problem(0)
    arrays = [*vars(params).values(), inputs, mask]
    before = [array.copy() for array in arrays]
    np.random.seed(7)
    model = mistaken("back_propagate", "slope = S", "slope = 1")(params, vocab)
    checking.check_loss_derivative(model, inputs, mask)
    checking.print_gradients(model, inputs, mask)
    checking.check_GLoVe_gradients(loss_GLoVe, grad_GLoVe)
    with pytest.raises(checking.GradientCheckError):
        checking.check_gradients(model, inputs, mask)
    assert all(np.array_equal(a, b) and a.flags.writeable for a, b in zip(arrays, before))
    assert model.params is params and len(vocab) == 30
    assert np.random.random() == np.random.RandomState(7).random_sample()


# What is shown


def test_a_row_is_printed_for_each_array(capsys):
    check(Model)
    assert capsys.readouterr().out.splitlines() == [
        "compute_loss_derivative, and back_propagate of a random loss_derivative",
        "  loss_derivative         (17, 120)     right",
        "  output_bias             (120,)        right",
        "  hid_to_output_weights   (120, 7)      right",
        "  hid_bias                (7,)          right",
        "  embed_to_hid_weights    (7, 12)       right",
        "  word_embedding_weights  (30, 3)       right",
    ]
    checking.check_GLoVe_gradients(loss_GLoVe, grad_GLoVe, vocab_size=40)
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "grad_GLoVe, asymmetric model"
    assert rows[5] == "grad_GLoVe, symmetric model, no W_tilde and b_tilde"
    assert rows[6] == "  grad_W                  (40, 16)      right" and len(rows) == 8


@pytest.mark.parametrize(
    "error, kind",
    [(checking.GradientCheckError, AssertionError), (checking.DataFileError, ValueError)],
)
def test_the_message_stands_alone_in_a_notebook(error, kind, capsys):
    assert issubclass(error, kind)
    InteractiveShell().run_cell(f"import checking; raise checking.{error.__name__}('two\\nlines')")
    assert capsys.readouterr().out == "two\nlines\n"


@pytest.mark.parametrize("name", checking.PARAMETERS)
def test_a_wrong_entry_is_found_and_shown(name):
    """Even if it is off by 1e-5 of the largest, and not the largest itself."""
    right = []

    def back_propagate(self, i, a, d):
        gradient = Model.back_propagate(self, i, a, d)
        array = getattr(gradient, name)
        entry = np.argsort(np.abs(array), axis=None)[-2]
        right.append(([int(i) for i in np.unravel_index(entry, array.shape)], array.flat[entry]))
        array.flat[entry] *= 1 + 1e-5
        return gradient

    lines = error_of(subclass(back_propagate=back_propagate)).splitlines()
    index, value = right[1]  # the second of three problems, which is the small one
    assert lines[0] == f"{name} is wrong."
    assert lines[1].startswith(f"Entry {index}: yours {value * (1 + 1e-5):.8g}, finite difference ")
    assert float(re.search("difference (.*).$", lines[1])[1]) == pytest.approx(value, rel=1e-7)
    assert "Your values" not in "".join(lines)
    assert sum(line.count("x") for line in lines if re.search(r"[.x]{4}", line)) == 1


def rows_of_map(message):
    """The rows of the map in a message, as pairs (name, signs)."""
    return re.findall(r"^  (.*?)  +([.x ]+)$", message, re.MULTILINE)


def map_of(*mistake):
    return rows_of_map(error_of(mistaken(*mistake)))


def test_map_shows_that_only_repeated_words_are_wrong():
    rows = map_of("back_propagate", "np.add.at(word_embedding, i, e)", "word_embedding[i] += e")
    assert [name.split(",")[0] for name, _ in rows] == checking.SMALL_VOCAB
    for name, signs in rows:
        assert signs == ("...." if name.endswith((" 0 times", " 1 times")) else "xxxx")


def test_map_shows_that_only_masked_positions_are_right():
    rows = map_of("compute_loss_derivative", "(y - t) * m", "y - t")
    assert {window.split().index("[MASK]") for window, _ in rows} == {0, 1, 2}
    for window, signs in rows:
        for word, block in zip(window.split(), signs.split(), strict=True):
            assert block == 9 * ("." if word == "[MASK]" else "x")


FIRST_POSITION = "(d * (np.arange(d.shape[1]) >= d.shape[1] // i.shape[1]))"
FIRST_WRONG = f"{9 * 'x'} {9 * '.'} {9 * '.'}"


@pytest.mark.parametrize(
    "old, new, rows",
    [
        ("d.sum(axis=0)", f"{FIRST_POSITION}.sum(axis=0)", [FIRST_WRONG]),
        ("d.T @ S", f"{FIRST_POSITION}.T @ S", 7 * [FIRST_WRONG]),
        (
            "h.T @ E",
            "(h * (np.arange(h.shape[1]) > 1)).T @ E",
            2 * ["xxxx xxxx xxxx"] + 5 * [".... .... ...."],
        ),
    ],
)
def test_map_shows_positions_and_units(old, new, rows):
    assert [signs for _, signs in map_of("back_propagate", old, new)] == rows


LOST = "The model has no {}. Run its cell, and again after that of `class Model`."


def test_each_function_is_judged_on_its_own(capsys):
    cases = {
        "loss_derivative is wrong.": twice,
        "compute_loss_derivative is not written yet.": not_written,
        LOST.format("compute_loss_derivative"): None,
        "compute_loss_derivative stops in line": lambda self, y, t, m: y @ t,
        "loss_derivative is wrong: found None; expected": lambda self, y, t, m: None,
    }
    for start, function in cases.items():
        assert error_of(subclass(compute_loss_derivative=function)).startswith(start)
        rows = capsys.readouterr().out.splitlines()
        assert [row.split()[-1] for row in rows if row[0] == " "] == ["WRONG"] + 5 * ["right"]
    check(subclass(back_propagate=None), function=checking.check_loss_derivative)
    assert "bias" not in capsys.readouterr().out
    assert error_of(subclass(back_propagate=None)) == LOST.format("back_propagate")
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[-1] for row in rows if row[0] == " "] == ["right"] + 5 * ["WRONG"]


def test_what_is_true_of_both_models_is_said_once(capsys):
    for function in (not_written, lambda *arguments: 1 / 0):
        assert error_of_glove(function).count("grad_GLoVe") == 1
        assert capsys.readouterr().out.count("WRONG") == 6

    def at_one_size(W, *others):
        return grad_GLoVe(W.reshape(251, 16), *others)

    checking.check_GLoVe_gradients(loss_GLoVe, at_one_size)
    assert capsys.readouterr().out.count("Remark: right at these sizes only.") == 1


def test_an_exception_is_reported_with_the_line_of_the_function():
    """Not with that of NumPy, where it is raised."""

    def back_propagate(self, i, a, d):
        return np.linalg.inv(d)

    number = back_propagate.__code__.co_firstlineno + 1
    assert error_of(subclass(back_propagate=back_propagate)).startswith(
        f"back_propagate stops in line {number}:\n    return np.linalg.inv(d)\nLinAlgError: Last"
    )


RESULTS = {"right": lambda right: right, "wrong": lambda right: 2 * right, "fails": lambda right: 0}
ON_SMALL = "Entry .*\n.* times 2\\.\nRight (.|\n)*{}$"
ON_FULL = "Along a random direction: .*\n.* times 2\\.{}$"
FAILS = "loss_derivative is wrong: found a value of type int; .*{}$"
ONLY_SMALL = "\nOn a small problem of other sizes it is right."
VERDICTS = {  # by the results on the small problem and at the size of the assignment
    ("right", "right"): None,
    ("right", "wrong"): ON_FULL.format(ONLY_SMALL),
    ("right", "fails"): FAILS.format(ONLY_SMALL),
    ("wrong", "right"): ON_SMALL.format("it is right. Is a size written as a number."),
    ("wrong", "wrong"): ON_SMALL.format("[.x]"),
    ("wrong", "fails"): ON_SMALL.format("[.x]"),
    ("fails", "right"): None,
    ("fails", "wrong"): ON_FULL.format(""),
    ("fails", "fails"): FAILS.format(r"shape \(17, 120\)."),
}


@pytest.mark.parametrize("small, full", VERDICTS)
def test_verdict_on_results_at_both_sizes(small, full, capsys):
    def compute_loss_derivative(self, y, t, m):
        right = Model.compute_loss_derivative(self, y, t, m)
        return RESULTS[full if y.shape[1] == 120 else small](right)

    model_class = subclass(compute_loss_derivative=compute_loss_derivative)
    if VERDICTS[small, full]:
        message = error_of(model_class, checking.check_loss_derivative)
        assert re.search(VERDICTS[small, full], message), message
    else:
        check(model_class, function=checking.check_loss_derivative)
        is_remarked = "Is a size written as a number? At others\n" in capsys.readouterr().out
        assert is_remarked == (small == "fails")


@pytest.mark.parametrize(
    "loop",
    [
        "for n in range(i.shape[1]): np.add.at(word_embedding, i[:, n], e[:, n])",
        "while not word_embedding.any(): np.add.at(word_embedding, i, e)",
        "word_embedding = np.array([e[i == k].sum(axis=0) for k in range(len(self.vocab))])",
    ],
)
def test_a_loop_is_a_remark_with_its_line(loop, capsys):
    function = replaced(Model.back_propagate, "np.add.at(word_embedding, i, e)", loop)
    check(subclass(back_propagate=function))
    remark = re.search(r"Remark: line (\d+) has a loop:\n    (.*)", capsys.readouterr().out)
    line = linecache.getline(function.__code__.co_filename, int(remark[1]))
    assert line.strip() == remark[2] == loop


def test_a_function_that_fails_at_its_first_call_alone():
    calls, wrong = [], replaced(grad_GLoVe, "2 * E @ T", "E @ E @ T")
    message = error_of_glove(lambda *a: wrong(*a) if calls else calls.append(a))
    assert message.startswith("grad_W is wrong.\nEntry")


def test_a_loss_that_is_not_finite_passes_nothing():
    assert "The loss is not finite, so grad_W" in error_of_glove(grad_GLoVe, lambda *_: np.nan)


INPUTS, MASK = np.ones((3, 4), int), np.eye(4, dtype=int)[:3]


@pytest.mark.parametrize(
    "inputs, mask", [(0 * INPUTS, MASK), (INPUTS, MASK[:, :3]), (INPUTS, INPUTS)]
)
def test_batch_that_does_not_fit(inputs, mask):
    params, vocab, _, _ = random_problem(0)
    for function in (checking.check_gradients, checking.print_gradients):
        with pytest.raises(ValueError, match="Expected whole windows"):
            function(Model(params, vocab), inputs, mask)


# Printing


def printed(capsys, model_class=Model, **sizes):
    check(model_class, 0, checking.print_gradients, **sizes)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("sizes", [ASSIGNMENT, {"N": 3}])
def test_printed_values_are_those_of_autograd(sizes, capsys):
    lines = printed(capsys, **sizes)
    assert len(lines) >= 20 and len(set(lines)) == len(lines)
    params, vocab, words, mask = random_problem(0, **sizes)
    inputs = words * (1 - mask)
    gradients = autograd.grad(loss_of_model)(vars(params), inputs, words, mask)
    y = Model(params, vocab).compute_activations(inputs).output_layer
    gradients["loss_derivative"] = autograd.grad(cross_entropy)(np.log(y), words, mask)
    names = []
    for line in lines:
        name, index, value = re.fullmatch(r"(\w+)\[(.+)\] (-?\d\.\d{6}e[+-]\d\d)", line).groups()
        names.append(name)
        expected = gradients[name][tuple(int(i) for i in index.split(", "))]
        assert float(value) == pytest.approx(expected, rel=1e-6, abs=1e-12)
        assert value != "-0.000000e+00"
    assert list(dict.fromkeys(names)) == ["loss_derivative", *checking.PARAMETERS]


def test_digits_are_far_from_rounding_errors(capsys):
    """Another order of the sums, hence of the rounding, prints the same."""

    class Reordered(Model):
        def compute_activations(self, inputs):
            activations = Model.compute_activations(self, inputs)
            for name, array in vars(activations).items():
                noise = 1e-15 * np.random.RandomState(len(name)).randn(*array.shape)
                setattr(activations, name, array * (1 + noise))
            return activations

        def back_propagate(self, i, a, d):
            order = np.random.RandomState(1).permutation(len(i))
            part = type(a)(*(layer[order] for layer in vars(a).values()))
            return Model.back_propagate(self, i[order], part, d[order])

    assert printed(capsys, Reordered, **ASSIGNMENT) == printed(capsys, **ASSIGNMENT)


def test_what_exists_is_printed_before_it_is_said_what_is_missing(capsys):
    right = printed(capsys)

    def without_bias(self, i, a, d):
        gradient = Model.back_propagate(self, i, a, d)
        gradient.hid_bias = gradient.hid_bias[:3]
        return gradient

    of_derivative = [line for line in right if line.startswith("loss_derivative")]
    without = [line for line in right if not line.startswith("hid_bias")]
    for function, lines, words in (
        (not_written, of_derivative, "back_propagate is not written yet"),
        (None, of_derivative, "The model has no back_propagate"),
        (without_bias, without, "hid_bias is wrong: found float64, shape (3,), from "),
    ):
        message = error_of(subclass(back_propagate=function), checking.print_gradients)
        assert message.startswith(words)
        assert capsys.readouterr().out.splitlines() == lines
    message = error_of(subclass(compute_loss_derivative=not_written), checking.print_gradients)
    assert message.startswith("compute_loss_derivative is not written yet")
    assert capsys.readouterr().out == ""
