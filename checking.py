"""Load the data files, check gradients by finite differences, and print gradients.

Two steps judge each array of a gradient. On a small random problem the derivative with respect to
every entry is measured, so that your array and the right one can be laid side by side. At the size
of the assignment it is measured along a few random directions, in which all entries change at once.

Letters: V words in the vocabulary, N words in a window, D entries in an embedding, H hidden units,
B windows in a batch.
"""

import ast
import copy
import dataclasses
import functools
import inspect
import os
import pickle
import re
import textwrap
import traceback

import numpy as np

SEED = 0
STEPS = 2.0 ** -np.arange(9, 27, 2)  # of finite differences
TOLERANCE = 1e-7  # of the largest derivative of an array, beside the error that is measured
SMALL_VOCAB = ["[MASK]", *"the cat saw a dog and ran far".split()]


class ShownAlone:
    """An exception of which a notebook shows the message without the frames above it."""

    def _render_traceback_(self):
        return [str(self)]


class DataFileError(ShownAlone, ValueError):
    """A data file is missing, damaged, unsafe or inconsistent; the message says what to do."""


class GradientCheckError(ShownAlone, AssertionError):
    """A gradient is wrong or missing; the message says which, where and how."""


def describe(value):
    """What messages say of a value: dtype, shape and range of an array, type of another value."""
    if type(value) is np.ndarray:
        is_number = value.dtype.kind in "iuf" and value.size > 0
        limits = f", from {value.min():.6g} to {value.max():.6g}" if is_number else ""
        return f"{value.dtype}, shape {value.shape}{limits}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)} values"
    return "None" if value is None else f"a value of type {type(value).__name__}"


# Loading


def plain_dtype(code, *_):
    """Stands for `np.dtype` in a pickle: numbers and text, no pointers to objects."""
    if not re.fullmatch(r"[iu][1248]|f[248]|U\d+", code):
        raise pickle.UnpicklingError(f"it holds an array of dtype {code}")
    return np.dtype(code, copy=True)  # a copy, as the pickle goes on to set its byte order


ALLOWED = {  # all that a pickle can call, by its name in NumPy 1
    "numpy.core.multiarray._reconstruct": np.zeros(1).__reduce__()[0],
    "numpy.core.multiarray.scalar": np.float64().__reduce__()[0],
    "numpy.core.numeric._frombuffer": np.zeros(1).__reduce_ex__(5)[0],
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": plain_dtype,
    "_codecs.encode": lambda text, encoding: text.encode("latin1"),  # bytes in protocol 2
}


class SafeUnpickler(pickle.Unpickler):
    """Loads built-in containers, text, numbers and arrays; a pickle can call only `ALLOWED`."""

    def find_class(self, module, name):
        wanted = f"{module}.{name}".replace("numpy._core", "numpy.core")
        if wanted not in ALLOWED:
            raise pickle.UnpicklingError(f"it would call {wanted}")
        return ALLOWED[wanted]


def expect(is_right, where, found, expected):
    """Raise `DataFileError` unless what was found in a file is right."""
    if not is_right:
        remedy = "Get the files of the assignment again, and put all of them beside the notebook."
        raise DataFileError(f"{where}: found {found}; expected {expected}. {remedy}")


def load_dict(path, names):
    """The vocabulary and, by name, the arrays of the pickled dict at `path`."""
    try:
        with open(path, "rb") as file:
            found = SafeUnpickler(file, encoding="latin1").load()  # the encoding is for Python 2
        vocab = [str(word) for word in found["vocab"]]
        arrays = {name: np.atleast_1d(found[name]) for name in names}
    except Exception as error:  # damaged bytes can make an unpickler raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        found = f"nothing that can be loaded ({reason}) by a notebook that runs in {os.getcwd()}"
        expect(False, path, found, f"a pickled dict of vocab, {', '.join(names)}")
    is_right = vocab[:1] == ["[MASK]"] and len(set(vocab)) == len(vocab)
    expect(is_right, f"{path}: vocab", describe(found["vocab"]), "different words, first [MASK]")
    return vocab, arrays


def load_data(path="data.pk"):
    """Load the windows of the corpus; raises `DataFileError`.

    Returns a dict: `vocab`, a list of V str, and `train_inputs`, `valid_inputs` and `test_inputs`,
    int32 (n, N), word indices from 1 to V - 1. `train_targets`, `valid_targets` and `test_targets`
    are the same array objects, since the words to predict are those of the window.
    """
    vocab, arrays = load_dict(path, ("train_inputs", "valid_inputs", "test_inputs"))
    data, V, N = {"vocab": vocab}, len(vocab), arrays["train_inputs"].shape[-1]
    for name, array in arrays.items():
        is_right = array.dtype.kind in "iu" and array.shape == (len(array), N) and array.size > 0
        is_right = is_right and 1 <= array.min() <= array.max() < V
        expected = f"whole numbers from 1 to {V - 1}, shape (any, {N})"
        expect(is_right, f"{path}: {name}", describe(array), expected)
        data[name] = data[name.replace("inputs", "targets")] = array.astype(np.int32, "C")
    return data


def parameter_shapes(N, V, D, H):
    """Shapes by name, from the output backwards: a mistake in one can spoil those after it."""
    return {
        "output_bias": (N * V,),
        "hid_to_output_weights": (N * V, H),
        "hid_bias": (H,),
        "embed_to_hid_weights": (H, N * D),
        "word_embedding_weights": (V, D),
    }


PARAMETERS = tuple(parameter_shapes(1, 1, 1, 1))


def load_partially_trained(path="partially_trained.pk", vocab=None):
    """Load the parameters of the partially trained network; raises `DataFileError`.

    Returns a dict: `vocab`, a list of V str, which has to equal the argument if that is given, and
    float64 arrays `word_embedding_weights` (V, D), `embed_to_hid_weights` (H, N D), `hid_bias`
    (H,), `hid_to_output_weights` (N V, H) and `output_bias` (N V,).
    """
    words, arrays = load_dict(path, PARAMETERS)
    is_right = vocab is None or list(vocab) == words
    expect(is_right, f"{path}: vocab", "other words than in the data file", "the same")
    N, H = len(arrays["output_bias"]) // len(words), len(arrays["hid_bias"])
    shapes = parameter_shapes(N, len(words), arrays["word_embedding_weights"].shape[-1], H)
    for name, array in arrays.items():
        is_right = array.dtype.kind == "f" and array.shape == shapes[name] and array.size > 0
        is_right = is_right and np.isfinite(array).all()
        expect(is_right, f"{path}: {name}", describe(array), f"finite floats, shape {shapes[name]}")
        arrays[name] = array.astype(np.float64, "C")
    return {"vocab": words} | arrays


# Finite differences


def derivative_along(function, point, direction):
    """Derivative of function(point + s * direction) at s = 0, and how far off it may be.

    Central differences at two steps are combined so that the leading terms of their errors cancel
    (Richardson's extrapolation). A large step leaves higher terms, a small one rounding errors, and
    where the best lies between depends on the function. So the step goes down `STEPS` until two
    results agree; if none do, the two that agree best count.
    """
    best, best_error = np.nan, np.inf
    central = result = np.nan
    for step in STEPS:
        coarse, earlier = central, result
        above, below = function(point + step * direction), function(point - step * direction)
        central = (above - below) / (2 * step)
        result = central + (central - coarse) / 15  # a quarter of the step: 15 = 4**2 - 1
        error = abs(result - earlier) + 2.0**-50 * abs(above) / step  # the second is rounding
        if error < best_error:
            best, best_error = result, error
        if best_error <= 1e-9 * abs(best):
            break
    return best, best_error


# What a student's functions return


@dataclasses.dataclass
class Problem:
    """Gradients that a student's functions returned, by name, and the loss that they belong to."""

    values: dict  # arrays, or str that say why there is none
    points: dict  # float64 arrays, where the derivative is taken
    loss: callable  # of a name, and an array that takes the place of that point
    sizes: dict  # lengths over which a mean may have been taken in place of a sum
    rows: dict | None  # what the rows of the map are called, if the problem is small


def ask(function, name, arguments, points, by_name):
    """The values of a `Problem`; by_name makes them of what the function returns, or a str."""
    if function is None:
        lost = f"The model has no {name}. Run its cell, and again after that of `class Model`."
        return dict.fromkeys(points, lost)
    for array in arguments:
        if isinstance(array, np.ndarray):
            array.setflags(write=False)  # a change in place stops at the student's own line
    try:
        found = by_name(copy.deepcopy(function(*arguments)))  # it may fill the same arrays again
    except NotImplementedError:
        found = f"{name} is not written yet. Write it, run its cell, and then this one."
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:2]  # the line of the function itself
        where = "".join(f" in line {frame.lineno}:\n    {frame.line}" for frame in frames)
        found = f"{name} stops{where}\n{type(error).__name__}: {error}"
        if "read-only" in str(error):
            found += "\nThe caller still needs what it gives: write the result into a new array."
    if isinstance(found, str):
        return dict.fromkeys(points, found)
    for name, point in points.items():
        array = found[name]
        fits = type(array) is np.ndarray and (array.dtype, array.shape) == (np.float64, point.shape)
        if not fits or not np.isfinite(array).all():
            expected = f"finite float64, shape {point.shape}"
            found[name] = f"{name} is wrong: found {describe(array)}; expected {expected}."
    return found


# Comparing and explaining


def compare(problem, name):
    """Derivatives by the values of an array, measured ones, and which of the two agree.

    On a small problem these are arrays like the values, else derivatives along three directions.
    """
    values, point, loss = problem.values[name], problem.points[name], problem.loss
    shape, directions = (3,), np.random.RandomState(SEED).randn(3, point.size)
    if problem.rows:
        shape, directions = point.shape, np.eye(point.size)
    along = [direction.reshape(point.shape) for direction in directions]
    measured = [derivative_along(lambda x: loss(name, x), point, d) for d in along]
    right, errors = np.transpose(measured)
    if not np.isfinite(right).all():
        raise GradientCheckError(f"The loss is not finite, so {name} cannot be checked.")
    with np.errstate(over="ignore", invalid="ignore"):  # nothing is right that overflows
        yours = directions @ values.ravel()
        is_right = np.abs(yours - right) <= TOLERANCE * np.abs(right).max() + 10 * errors
    return yours.reshape(shape), right.reshape(shape), is_right.reshape(shape)


def relation(yours, right, sizes):
    """A sentence, if wrong values have something simple to do with the right ones, or ""."""

    def are_right(values):
        return np.abs(values - right).max() <= 1e-6 * np.abs(right).max()

    if not yours.any():
        return "Your values are all 0."
    with np.errstate(all="ignore"):  # what overflows is not right
        if right.ndim == 2 and are_right(yours.reshape(right.T.shape).T):
            return "Your values are those of the transposed matrix."
        largest = np.abs(right).argmax()
        factor = yours.flat[largest] / right.flat[largest]
        if not are_right(yours / factor) or abs(factor - 1) < 1e-5:
            return ""
    notes = {1 / size: f", 1 / {name}, as if a mean were taken" for name, size in sizes.items()}
    notes[-1] = ", so they have the opposite sign"
    note = [note for known, note in notes.items() if abs(factor - known) < 1e-5 * abs(known)]
    return f"Your values are the right ones times {factor:.6g}{''.join(note)}."


def draw_map(is_right, rows, N):
    """Lines with a sign for each entry, in a block for each of N positions if there are any."""
    grid = is_right.T if is_right.shape[-1] == len(rows) else is_right.reshape(len(rows), -1)
    n_blocks, width = 1 if grid.shape[1] % N else N, max(map(len, rows))
    lines = ["Right (.) and wrong (x) entries on a small random problem:"]
    for row, signs in zip(rows, np.where(grid, ".", "x")):
        lines.append(f"  {row:<{width}}  {' '.join(map(''.join, signs.reshape(n_blocks, -1)))}")
    return lines


def explain(problem, name, earlier=None):
    """Why the values of an array are wrong; "" if they are right. earlier: for other arguments."""
    values = problem.values[name]
    if isinstance(values, str):
        return values
    yours, right, is_right = compare(problem, name)
    if is_right.all():
        return ""
    worst = np.unravel_index(np.abs(yours - right).argmax(), right.shape)
    place = f"Entry {[*map(int, worst)]}" if problem.rows else "Along a random direction"
    measured = f"{place}: yours {yours[worst]:.8g}, finite difference {right[worst] + 0.0:.8g}."
    hint = relation(yours, right, problem.sizes)
    if values.any() and np.array_equal(values, earlier):
        hint = "Your values stay the same when all the arguments change."
    lines = [f"{name} is wrong.", measured, hint]
    if problem.rows:
        lines += draw_map(is_right, problem.rows.get(name, [""]), problem.sizes.get("N", 1))
    return "\n".join(filter(None, lines))


def remark_on_loops(function):
    """A remark on the first loop in the source of a function; empty if there is none."""
    try:
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):  # no cell or file has it
        return ""
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.While, ast.comprehension)):
            number = getattr(node, "target", node).lineno
            where = f"line {start + number - 1} has a loop:\n    {lines[number - 1].strip()}"
            return f"Remark: {where}\nOver examples, words or units NumPy needs none."
    return ""


# Judging

HIDDEN = "the derivative with respect to the inputs of the hidden units"
NUMBER = "Is a size written as a number?"


def judge(functions, problems):
    """Print a row for each array; raise `GradientCheckError` if one is wrong, or print remarks.

    functions: those of the student. problems: by title, two small random ones and one of the size
    of the assignment. With the first, what keeps results of earlier calls is not right by chance.
    """
    message, remarks = "", [remark_on_loops(function) for function in functions]
    for title, (other, small, full) in problems.items():
        print(title)
        wrong = {}
        for name, point in full.points.items():
            text, text_full = explain(small, name, other.values[name]), explain(full, name)
            if isinstance(small.values[name], str):  # nothing to compare: the other size decides
                if not text_full:
                    remarks.append(f"Remark: right at these sizes only. {NUMBER} At others\n{text}")
                text = text_full
            elif text and not text_full:
                text += f"\nAt the assignment's size it is right. {NUMBER}"
            elif text_full and not text:
                text = f"{text_full}\nOn a small problem of other sizes it is right."
            if text:
                wrong[name] = text
            print(f"  {name:<24}{point.shape!s:<14}{'WRONG' if text else 'right'}")
        first = next(iter(wrong), "")
        is_array = first and not isinstance(full.values[first], str)
        if is_array and first in PARAMETERS[2:]:  # the arrays that depend on the hidden units
            places = ("loss_derivative", HIDDEN) if len(wrong) == 3 else (HIDDEN, first)
            wrong[first] += f"\nAll before it is right, so look between\n{' and '.join(places)}."
        message = message or wrong.get(first, "")
    if message:
        raise GradientCheckError(message)
    for remark in filter(None, dict.fromkeys(remarks)):
        print(remark)


# GLoVe


def glove_problem(loss_GLoVe, grad_GLoVe, is_symmetric, V, d, seed, rows=None):
    """A `Problem` of random arguments in one of the two models."""
    columns = {"grad_W": d, "grad_W_tilde": d, "grad_b": 1, "grad_b_tilde": 1}
    random = np.random.RandomState(seed)
    points = {name: random.randn(V, n) for name, n in columns.items()}
    log_co_occurrence = random.randn(V, V)
    if is_symmetric:
        del points["grad_W_tilde"], points["grad_b_tilde"]

    def arguments(points):
        return *map(points.get, columns), log_co_occurrence

    def loss(name, array):
        return float(loss_GLoVe(*arguments(points | {name: array})))

    def by_name(result):
        is_right = isinstance(result, (tuple, list)) and len(result) == 4
        found = dict(zip(columns, result)) if is_right else {}
        if not is_right or any(found[name] is not None for name in columns if name not in points):
            expected = ", ".join(name if name in points else "None" for name in columns)
            return f"grad_GLoVe returns {describe(result)}; expected 4: {expected}."
        return found

    values = ask(grad_GLoVe, "grad_GLoVe", arguments(points), points, by_name)
    return Problem(values, points, loss, {"V": V, "(V V)": V * V}, rows)


def check_GLoVe_gradients(loss_GLoVe, grad_GLoVe, vocab_size=251):
    """Check `grad_GLoVe` by finite differences of `loss_GLoVe`, in both models.

    Both are functions of W (V, d), W_tilde (V, d) or None, b (V, 1), b_tilde (V, 1) or None, and
    log_co_occurrence (V, V), all float64. One returns the loss, the other the gradients of the
    first four, None where the argument is None. vocab_size: V of the assignment. Raises
    `GradientCheckError`.
    """
    problems, rows = {}, dict.fromkeys(("grad_W", "grad_W_tilde"), [f"word {i}" for i in range(9)])
    for is_symmetric in (False, True):
        model = "symmetric model, no W_tilde and b_tilde" if is_symmetric else "asymmetric model"
        make = functools.partial(glove_problem, loss_GLoVe, grad_GLoVe, is_symmetric)
        small = [make(9, 4, seed, rows) for seed in (SEED + 1, SEED)]
        problems[f"grad_GLoVe, {model}"] = [*small, make(vocab_size, 16, SEED)]
    judge([grad_GLoVe], problems)


# The network


def network_problem(model, params, vocab, words, mask, seed, rows=None, is_chain=False):
    """The `Problem` of `compute_loss_derivative` and `back_propagate` for a masked batch.

    The loss of the former is the cross-entropy as a function of z, the inputs of the softmax. The
    latter is given a random C as loss_derivative: that of the loss sum(C * z). In a chain it is
    given what the former returned.
    """
    (B, N), V, mask = words.shape, len(vocab), mask.astype(int)
    if mask.shape != words.shape or words.min() < 1 or (mask.sum(axis=1) != 1).any():
        raise ValueError("Expected whole windows of words, and a mask with a single 1 in a row.")

    def model_with(params):
        return type(model)(type(model.params)(**params), list(vocab))

    params = {name: np.array(params[name], np.float64) for name in PARAMETERS}
    own, inputs = model_with(params), words * (1 - mask)
    targets, target_mask = own.indicator_matrix(words * mask), mask[:, :, np.newaxis] * 1.0
    activations = own.compute_activations(inputs)
    y, held = activations.output_layer, params | vars(activations)
    for array in held.values():
        if isinstance(array, np.ndarray):  # students may keep more in there
            array.setflags(write=False)
    C = (target_mask * np.random.RandomState(seed).randn(B, N, V)).reshape(y.shape)

    def loss(name, array):
        if name == "loss_derivative":
            z = array.reshape(B, N, V)
            log_y = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
            return -np.sum(targets * log_y.reshape(array.shape))
        changed = model_with(params | {name: array})
        hidden, weights = changed.compute_activations(inputs).hidden_layer, changed.params
        return np.sum(C * (hidden @ weights.hid_to_output_weights.T + weights.output_bias))

    def by_name(gradient):
        if not all(hasattr(gradient, name) for name in PARAMETERS):
            return f"back_propagate returns {describe(gradient)}; expected Params."
        now = vars(own.params) | vars(activations)
        if replaced := [name for name in held if now[name] is not held[name]]:
            return f"back_propagate replaces {replaced[0]}, which the caller still needs."
        return {name: getattr(gradient, name) for name in PARAMETERS}

    z = {"loss_derivative": np.log(y + 1e-200)}  # its softmax is y
    name, given = "compute_loss_derivative", (y, targets, target_mask)
    function = getattr(own, name, None)
    values = ask(function, name, given, z, lambda array: {"loss_derivative": array})
    name, given = "back_propagate", (inputs, activations, C)
    if is_chain:
        given = inputs, activations, values["loss_derivative"]
    values |= ask(getattr(own, name, None), name, given, params, by_name)
    return Problem(values, z | params, loss, {"B": B, "N": N, "(B N)": B * N, "V": V}, rows)


def small_problem(model, seed):
    """One of a random batch in which no two sizes are equal; the last word does not occur."""
    random, (B, N, V, D, H) = np.random.RandomState(seed), (8, 3, 9, 4, 7)
    params = {name: random.randn(*shape) for name, shape in parameter_shapes(N, V, D, H).items()}
    words, mask = random.randint(1, V - 1, (B, N)), np.eye(N, dtype=int)[np.arange(B) % N]
    inputs = words * (1 - mask)
    units, counts = [f"unit {i}" for i in range(H)], np.bincount(inputs.ravel(), minlength=V)
    rows = {
        "loss_derivative": [" ".join(window) for window in np.array(SMALL_VOCAB)[inputs]],
        "hid_to_output_weights": units,
        "embed_to_hid_weights": units,
        "word_embedding_weights": [f"{word}, {n} times" for word, n in zip(SMALL_VOCAB, counts)],
    }
    return network_problem(model, params, SMALL_VOCAB, words, mask, seed, rows)


def network_problems(model, inputs, mask):
    """Two small ones, and one near the arguments, but equal to no variable of the notebook."""
    random, windows = np.random.RandomState(SEED), np.arange(-1, len(inputs))  # the last one twice
    arrays = {name: getattr(model.params, name) for name in PARAMETERS}
    params = {name: a * random.uniform(0.9, 1.1, a.shape) for name, a in arrays.items()}
    small = [small_problem(model, seed) for seed in (SEED + 1, SEED)]
    full = network_problem(model, params, model.vocab, inputs[windows], mask[windows], SEED)
    return *small, full


def check_loss_derivative(model, inputs, mask):
    """Check `model.compute_loss_derivative` alone; otherwise like `check_gradients`."""
    problems = network_problems(model, inputs, mask)
    for problem in problems:
        problem.points = {"loss_derivative": problem.points["loss_derivative"]}
    judge([getattr(model, "compute_loss_derivative", None)], {"compute_loss_derivative": problems})


def check_gradients(model, inputs, mask):
    """Check `model.compute_loss_derivative` and `model.back_propagate`, each on its own.

    model: a `Model`; what is checked are copies of it in float64. inputs: integers (B, N), whole
    windows of words 1 to V - 1. mask: integers or booleans (B, N), a single 1 a row, at the word to
    hide. Raises `GradientCheckError`, or `ValueError` for arguments that do not fit.
    """
    names = "compute_loss_derivative", "back_propagate"
    title = f"{names[0]}, and {names[1]} of a random loss_derivative"
    problems = {title: network_problems(model, inputs, mask)}
    judge([getattr(model, name, None) for name in names], problems)


# Printing


def print_gradients(model, inputs, mask):
    """Print entries of the loss derivative and of the gradients, one `name[index] value` a line.

    Arguments and errors as for `check_gradients`. The batch and the activations decide which
    entries are printed, the gradients do not. What is missing is said after the rest is printed.
    """
    given = vars(model.params), model.vocab, inputs, mask, SEED
    problem, masked = network_problem(model, *given, is_chain=True), inputs * (1 - mask.astype(int))
    hidden_layer = model.compute_activations(masked).hidden_layer
    for name, index in entries_to_print(inputs, masked, model.params, hidden_layer):
        if not isinstance(problem.values[name], str):
            value = problem.values[name][index] + 0.0  # never -0
            print(f"{name}[{', '.join(map(str, index))}] {value:.6e}")
    for value in problem.values.values():
        if isinstance(value, str):
            raise GradientCheckError(value)


def entries_to_print(words, masked, params, hidden_layer):
    """Pairs (name, index), such that a mistake in any formula changes one of the entries."""
    (V, D), N = params.word_embedding_weights.shape, words.shape[1]
    positions = list((masked == 0).argmax(axis=1))
    units = np.abs(hidden_layer - 0.5).mean(axis=0).argsort()  # the least saturated first
    entries = {name: [] for name in ("loss_derivative", *PARAMETERS)}
    for n in sorted(set(positions)):
        i = positions.index(n)  # the first window in which position n is masked
        unit, column, shown = units[n % len(units)], n * V + words[i, n], (n + 1) % N
        # the hidden word, another one, and one that is shown: 0, unless the mask is forgotten
        entries["loss_derivative"] += [(i, column), (i, n * V), (i, shown * V + words[i, shown])]
        entries["output_bias"] += [(column,)]
        entries["hid_to_output_weights"] += [(column, unit)]
        entries["hid_bias"] += [(unit,)]
        entries["embed_to_hid_weights"] += [(unit, n * D + n % D)]
    frequent = np.argsort(-np.bincount(masked.ravel()), kind="stable")[: 2 * N]
    entries["word_embedding_weights"] = [(word, k % D) for k, word in enumerate(frequent)]
    return [(name, index) for name, indices in entries.items() for index in indices]
