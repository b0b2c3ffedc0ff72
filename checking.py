"""Load the data files, check gradients by finite differences, and print gradients.

Two steps judge each array of a gradient. On a small random problem the derivative with respect to
every entry is measured, so that your array and the right one can be laid side by side. At the size
of the assignment it is measured along a few random directions, in which all entries change at once.

Letters: V words in the vocabulary, N words in a window, D entries in an embedding, H hidden units,
B windows in a batch.
"""

import copy
import dataclasses
import functools
import inspect
import os
import pickle
import re
import tokenize
import traceback

import numpy as np

SEED = 0
STEPS = 2.0 ** -np.arange(9, 27, 2)  # of finite differences
TOLERANCE = 1e-7  # of the largest derivative of an array, beside the error that is measured
TINY = 1e-200  # no logarithm is taken of a smaller probability
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


class SafeUnpickler(pickle.Unpickler):
    """Loads built-in containers, text, numbers and arrays; pickles can call only what is here."""

    allowed = {
        "numpy.core.multiarray._reconstruct": np.zeros(1).__reduce__()[0],
        "numpy.core.multiarray.scalar": np.float64().__reduce__()[0],
        "numpy.core.numeric._frombuffer": np.zeros(1).__reduce_ex__(5)[0],
        "numpy.ndarray": np.ndarray,
        "numpy.dtype": plain_dtype,
        "_codecs.encode": lambda text, encoding: text.encode("latin1"),  # bytes in protocol 2
    }

    def find_class(self, module, name):
        wanted = f"{module}.{name}".replace("numpy._core", "numpy.core")  # the name since NumPy 2
        if wanted not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {wanted}, which no data file needs")
        return self.allowed[wanted]


def expect(is_right, where, found, expected):
    """Raise `DataFileError` unless what was found in a file is right."""
    if not is_right:
        remedy = "Get the files of the assignment again, all together."
        raise DataFileError(f"{where}: found {found}; expected {expected}. {remedy}")


def load_dict(path, names):
    """The pickled dict at `path` with a vocabulary and, under these names, arrays."""
    try:
        with open(path, "rb") as file:
            found = SafeUnpickler(file, encoding="latin1").load()  # the encoding is for Python 2
    except OSError as error:
        raise DataFileError(
            f"{path}: cannot be read from the folder {os.getcwd()} ({error.strerror}). Put the "
            "files of the assignment beside the notebook, and start the notebook in their folder."
        ) from None
    except Exception as error:  # damaged bytes can make an unpickler raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        expect(False, path, f"what cannot be loaded ({reason})", "a pickled dict")
    expect(isinstance(found, dict), path, describe(found), "a dict")
    vocab = found.get("vocab")
    is_text = isinstance(vocab, list) and all(isinstance(word, str) for word in vocab)
    is_right = is_text and vocab[:1] == ["[MASK]"] and len(set(vocab)) == len(vocab)
    expect(is_right, f"{path}: vocab", describe(vocab), "a list of different str, first [MASK]")
    for name in names:
        array = found.get(name)
        is_right = isinstance(array, np.ndarray) and array.ndim > 0 and array.size > 0
        expect(is_right, f"{path}: {name}", describe(array), "an array with entries")
    return found | {"vocab": [str(word) for word in vocab]}


def load_data(path="data.pk"):
    """Load the windows of the corpus; raises `DataFileError`.

    Returns a dict: `vocab`, a list of V str, and `train_inputs`, `valid_inputs` and `test_inputs`,
    int32 (n, N), word indices from 1 to V - 1. `train_targets`, `valid_targets` and `test_targets`
    are the same array objects, since the words to predict are those of the window.
    """
    names = ["train_inputs", "valid_inputs", "test_inputs"]
    found = load_dict(path, names)
    data, V, N = {"vocab": found["vocab"]}, len(found["vocab"]), found[names[0]].shape[-1]
    for name in names:
        array = found[name]
        is_right = array.dtype.kind in "iu" and array.ndim == 2 and array.shape[1] == N
        is_right = is_right and array.min() >= 1 and array.max() < V
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
    found = load_dict(path, PARAMETERS)
    is_right = vocab is None or list(vocab) == found["vocab"]
    expect(is_right, f"{path}: vocab", "other words than in the data file", "the same")
    arrays, V = {"vocab": found["vocab"]}, len(found["vocab"])
    N, H = len(found["output_bias"]) // V, len(found["hid_bias"])
    D = found["word_embedding_weights"].shape[-1]
    for name, shape in parameter_shapes(N, V, D, H).items():
        array = found[name]
        is_right = array.dtype.kind == "f" and array.shape == shape and np.isfinite(array).all()
        expect(is_right, f"{path}: {name}", describe(array), f"finite floats, shape {shape}")
        arrays[name] = array.astype(np.float64, "C")
    return arrays


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


@dataclasses.dataclass
class Problem:
    """Arguments for a student's function, and the loss whose gradient it has to return."""

    function: callable  # the student's, or None
    ask: callable  # calls it with the arguments; a dict of what it returns
    points: dict  # by name, the float64 array where the derivative is taken
    loss: callable  # of a name and an array, which takes the place of that point
    sizes: dict  # by name, lengths over which a mean may have been taken in place of a sum
    rows: dict | None  # by name, what the rows of the map are called, if the problem is small


def compare(problem, name, values):
    """Derivatives by the values, measured ones, and which of the two agree.

    On a small problem these are arrays like the values, else derivatives along three directions.
    """
    point, loss = problem.points[name], functools.partial(problem.loss, name)
    if problem.rows:
        shape, directions = point.shape, np.eye(point.size).reshape(-1, *point.shape)
    else:  # no entry is left out, and equal errors do not cancel
        shape, random = (3,), np.random.RandomState(SEED)
        directions = random.choice([-1.0, 1.0], (3, *point.shape))
        directions *= random.uniform(1, 2, directions.shape)
    measured = [derivative_along(loss, point, direction) for direction in directions]
    right, errors = np.transpose(measured).reshape(2, *shape)
    if not np.isfinite(right).all():
        raise GradientCheckError(f"The loss is not finite, so {name} cannot be checked.")
    with np.errstate(over="ignore", invalid="ignore"):  # nothing is right that overflows
        yours = np.array([np.sum(values * direction) for direction in directions]).reshape(shape)
        allowed = TOLERANCE * np.abs(right).max() + 10 * errors
        return yours, right, np.abs(yours - right) <= allowed


# Explaining


def relation(yours, right, sizes):
    """What wrong values have to do with the right ones, as a sentence; empty if nothing simple."""

    def are_close(a, b):
        return np.abs(a - b).max() <= 1e-6 * np.abs(b).max()

    if not yours.any():
        return "Your values are all 0."
    with np.errstate(all="ignore"):  # what overflows is close to nothing
        if right.ndim == 2 and are_close(yours.reshape(right.shape[::-1]).T, right):
            return "Your values are those of the transposed matrix."
        factor = np.sum(yours * right) / np.sum(right**2)
        is_multiple = np.isfinite(factor) and are_close(yours, factor * right)
    if not is_multiple or abs(factor - 1) < 1e-5:
        return ""
    if abs(factor + 1) < 1e-5:
        return "Your values have the opposite sign."
    means = [name for name, size in sizes.items() if abs(factor * size - 1) < 1e-5]
    mean = f", 1 / {means[0]}, as if a mean were taken, not a sum" if means else ""
    return f"Your values are the right ones times {factor:.6g}{mean}."


def draw_map(is_right, rows, N):
    """Lines with a sign for each entry, in a block for each of N positions if there are any."""
    grid = is_right.T if is_right.shape[-1] == len(rows) else is_right.reshape(len(rows), -1)
    n_blocks, width = 1 if grid.shape[1] % N else N, max(map(len, rows))
    lines = ["Right (.) and wrong (x) entries on a small random problem:"]
    for row, signs in zip(rows, np.where(grid, ".", "x")):
        lines.append(f"  {row:<{width}}  {' '.join(map(''.join, signs.reshape(n_blocks, -1)))}")
    return lines


def explain(problem, name, values, earlier=None):
    """Why values are wrong, in several lines; empty if they are right.

    values: an array, or an exception that stands for it. earlier: values for another problem.
    """
    if isinstance(values, Exception):
        return str(values)
    yours, right, is_right = compare(problem, name, values)
    if is_right.all():
        return ""
    worst = np.unravel_index(np.abs(yours - right).argmax(), right.shape)
    place = f"Entry {[*map(int, worst)]}" if problem.rows else "Along a random direction"
    lines = [
        f"{name} is wrong.",
        f"{place}: yours {yours[worst] + 0.0:.8g}, finite difference {right[worst] + 0.0:.8g}.",
    ]
    if values.any() and np.array_equal(values, earlier):
        lines.append("Your values stay the same when all the arguments change.")
    elif hint := relation(yours, right, problem.sizes):
        lines.append(hint)
    if problem.rows:
        lines += draw_map(is_right, problem.rows[name], problem.sizes.get("N", 1))
    return "\n".join(lines)


# Asking a student's function, and judging the answer


def frozen(array):
    """The array, read-only, so that a change in place stops at the student's own line."""
    array.flags.writeable = False
    return array


def call(name, function, *arguments):
    """A copy of function(*arguments); raises `GradientCheckError` if it is missing or fails."""
    if function is None:
        raise GradientCheckError(
            f"The model has no method {name}.\nRun the cell that defines it, and then this one. "
            "Do so again whenever you have run the cell of `class Model`."
        )
    try:
        return copy.deepcopy(function(*arguments))
    except NotImplementedError:
        text = f"{name} is not written yet. Write it, run its cell, and then this one."
        raise GradientCheckError(text) from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)[1:2]  # the line of the function itself
        where = "".join(f" in line {frame.lineno}:\n    {frame.line}" for frame in frames)
        text = f"{name} stops{where}\n{type(error).__name__}: {error}"
        if "read-only" in str(error):
            text += "\nThe caller still needs this array: write the result into a new one."
        raise GradientCheckError(text) from error


def answers(problem):
    """Arrays by name that can be compared, or exceptions that say why there is none."""
    try:
        found = problem.ask()
    except GradientCheckError as error:
        return dict.fromkeys(problem.points, error)
    for name, point in problem.points.items():
        array = found[name]
        fits = type(array) is np.ndarray and (array.dtype, array.shape) == (np.float64, point.shape)
        if not fits or not np.isfinite(array).all():
            expected = f"finite float64, shape {point.shape}"
            text = f"{name} is wrong: found {describe(array)}; expected {expected}."
            found[name] = GradientCheckError(text)
    return found


def remark_on_loops(function):
    """A remark on the first loop in the source of a function; empty if there is none."""
    try:
        lines, start = inspect.getsourcelines(function)
        tokens = [*tokenize.generate_tokens(iter(lines).__next__)]
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):  # no cell or file has it
        return ""
    for token in tokens:
        if token.type == tokenize.NAME and token.string in ("for", "while"):
            where = f"line {start + token.start[0] - 1} has a loop:\n    {token.line.strip()}"
            return f"Remark: {where}\nOver examples, words or units NumPy needs none."
    return ""


HIDDEN = "the derivative with respect to the inputs of the hidden units"
BETWEEN = {(name,): f"{HIDDEN} and {name}" for name in PARAMETERS[2:]}  # by all that is wrong
BETWEEN[PARAMETERS[2:]] = f"loss_derivative and {HIDDEN}"


def judge(title, other, small, full):
    """Print a row for each array that a function returns; the message if one is wrong, or "".

    other, small, full: two small random problems and one of the size of the assignment. The other
    comes first, so that what keeps results of earlier calls is never right by chance.
    """
    earlier, values, values_full = answers(other), answers(small), answers(full)
    wrong, remark = {}, remark_on_loops(full.function)
    print(title)
    for name, point in full.points.items():
        text = explain(small, name, values[name], earlier[name])
        text_full = explain(full, name, values_full[name])
        if isinstance(values[name], Exception) and not text_full:
            remark = "Remark: right at these sizes only. Is one of them written as a number? On a "
            remark, text = f"{remark}smaller problem\n{text}", ""
        elif isinstance(values[name], Exception):
            text = text_full
        elif text and not text_full:
            text += "\nAt the assignment's size it is right. Is a size written as a number?"
        elif text_full and not text:
            text = f"{text_full}\nOn a small problem of other sizes it is right."
        if text:
            wrong[name] = text
        print(f"  {name:<24}{point.shape!s:<14}{'WRONG' if text else 'right'}")
    if not wrong:
        print(remark, end="\n" if remark else "")
        return ""
    first, *others = wrong
    if tuple(wrong) in BETWEEN and isinstance(values_full[first], np.ndarray):
        wrong[first] += f"\nAll before it is right, so look between\n{BETWEEN[tuple(wrong)]}."
    also = [name for name in others if wrong[name] != wrong[first]]
    return wrong[first] + (f"\nAlso wrong: {', '.join(also)}." if also else "")


def raise_first(*messages):
    """Raise `GradientCheckError` with the first message and the first lines of the others."""
    if found := [message for message in messages if message]:
        raise GradientCheckError("\n".join([found[0], *(m.splitlines()[0] for m in found[1:])]))


# GLoVe


def glove_problem(loss_GLoVe, grad_GLoVe, is_symmetric, V, d, seed, is_small):
    """A `Problem` of random arguments in one of the two models."""
    names = ("grad_W", "grad_W_tilde", "grad_b", "grad_b_tilde")
    random = np.random.RandomState(seed)
    points = {name: frozen(random.randn(V, n)) for name, n in zip(names, (d, d, 1, 1))}
    log_co_occurrence = frozen(random.randn(V, V))
    if is_symmetric:
        del points["grad_W_tilde"], points["grad_b_tilde"]

    def arguments(points):
        return *map(points.get, names), log_co_occurrence

    def loss(name, array):
        return float(loss_GLoVe(*arguments(points | {name: array})))

    def ask():
        given = ", given None for W_tilde and b_tilde," if is_symmetric else ""
        result = call(f"grad_GLoVe{given}", grad_GLoVe, *arguments(points))
        is_right = isinstance(result, (tuple, list)) and len(result) == 4
        if not is_right or any(x is not None for x, k in zip(result, names) if k not in points):
            expected = [name if name in points else "None" for name in names]
            text = f"returns {describe(result)}; expected 4: {', '.join(expected)}."
            raise GradientCheckError(f"grad_GLoVe{given} {text}")
        return dict(zip(names, result))

    rows = {name: [f"word {i}" for i in range(V)] if "W" in name else [""] for name in points}
    sizes = {"V": V, "(V V)": V * V}
    return Problem(grad_GLoVe, ask, points, loss, sizes, rows if is_small else None)


def check_GLoVe_gradients(loss_GLoVe, grad_GLoVe, vocab_size=251):
    """Check `grad_GLoVe` by finite differences of `loss_GLoVe`, in both models.

    Both are functions of W (V, d), W_tilde (V, d) or None, b (V, 1), b_tilde (V, 1) or None, and
    log_co_occurrence (V, V), all float64. One returns the loss, the other the gradients of the
    first four, None where the argument is None. Raises `GradientCheckError`.
    """
    messages = []
    for model in ("asymmetric", "symmetric"):
        problem = functools.partial(glove_problem, loss_GLoVe, grad_GLoVe, model == "symmetric")
        other, small = problem(9, 4, SEED + 1, True), problem(9, 4, SEED, True)
        full = problem(vocab_size, 16, SEED, False)
        message = judge(f"grad_GLoVe, {model} model", other, small, full)
        messages.append(message and f"{model} model: {message}")
    raise_first(*messages)


# The network


class Batch:
    """A masked batch and what a model computes for it, all of it read-only."""

    def __init__(self, model, params, vocab, words, mask, seed, rows=None):
        (B, N), V = words.shape, len(vocab)
        self.params = {name: frozen(np.array(params[name], np.float64)) for name in PARAMETERS}
        self.model = type(model)(type(model.params)(**self.params), list(vocab))
        self.words, self.mask = words.astype(int), mask.astype(int)
        self.seed, self.rows = seed, rows
        self.inputs = frozen(self.words * (1 - self.mask))  # (B, N), 0 at the hidden words
        self.targets = frozen(self.model.indicator_matrix(self.words * self.mask))  # (B, N V)
        self.target_mask = frozen(self.mask[:, :, np.newaxis].astype(np.float64))  # (B, N, 1)
        self.activations = self.model.compute_activations(self.inputs)
        for layer in vars(self.activations).values():
            frozen(layer)
        self.y = self.activations.output_layer  # (B, N V)
        self.sizes = {"B": B, "N": N, "(B N)": B * N, "V": V}


def loss_derivative_problem(batch):
    """The `Problem` of `compute_loss_derivative`: the cross-entropy as a function of z."""
    function = getattr(batch.model, "compute_loss_derivative", None)

    def ask():
        arguments = batch.y, batch.targets, batch.target_mask
        return {"loss_derivative": call("compute_loss_derivative", function, *arguments)}

    def loss(_, z):
        chunks = z.reshape(*batch.mask.shape, -1)
        log_y = chunks - np.log(np.exp(chunks).sum(axis=2, keepdims=True))
        return -np.sum(batch.targets * log_y.reshape(z.shape))

    points = {"loss_derivative": np.log(np.maximum(batch.y, TINY))}  # its softmax is y
    return Problem(function, ask, points, loss, batch.sizes, batch.rows)


def back_propagate_problem(batch, C=None):
    """The `Problem` of `back_propagate`, given C (B, N V), or a random C, as loss_derivative.

    If rows of C sum to 0 in the chunk of the masked position and are 0 elsewhere, the derivative
    of sum(C * log y) with respect to z is C itself. That sum is the loss.
    """
    model, function = batch.model, getattr(batch.model, "back_propagate", None)
    if C is None:
        possible = batch.target_mask * (batch.y.reshape(*batch.mask.shape, -1) > TINY)
        C = possible * np.random.RandomState(batch.seed).normal(0, 3, possible.shape)
        C -= possible * C.sum(axis=2, keepdims=True) / possible.sum(axis=2, keepdims=True).clip(1)
        C = C.reshape(batch.y.shape)

    def ask():
        gradient = call("back_propagate", function, batch.inputs, batch.activations, frozen(C))
        if not isinstance(gradient, type(model.params)):
            text = f"back_propagate returns {describe(gradient)}; expected Params."
            raise GradientCheckError(text)
        return {name: getattr(gradient, name, None) for name in PARAMETERS}

    def loss(name, array):
        params = type(model.params)(**(vars(model.params) | {name: array}))
        y = type(model)(params, model.vocab).compute_activations(batch.inputs).output_layer
        return np.sum(C * np.log(np.maximum(y, TINY)))

    return Problem(function, ask, batch.params, loss, batch.sizes, batch.rows)


def small_batch(model, seed):
    """A random `Batch` in which no two sizes are equal; the last word does not occur."""
    random, (B, N, V, D, H) = np.random.RandomState(seed), (8, 3, 9, 4, 7)
    params = {name: random.randn(*shape) for name, shape in parameter_shapes(N, V, D, H).items()}
    words, mask = random.randint(1, V - 1, (B, N)), np.eye(N, dtype=int)[np.arange(B) % N]
    words[0] = words[0, 0]  # a word several times in a window
    inputs = words * (1 - mask)
    units, counts = [f"unit {i}" for i in range(H)], np.bincount(inputs.ravel(), minlength=V)
    rows = {
        "loss_derivative": [" ".join(window) for window in np.array(SMALL_VOCAB)[inputs]],
        "output_bias": [""],
        "hid_to_output_weights": units,
        "hid_bias": [""],
        "embed_to_hid_weights": units,
        "word_embedding_weights": [f"{word}, {n} times" for word, n in zip(SMALL_VOCAB, counts)],
    }
    return Batch(model, params, SMALL_VOCAB, words, mask, seed, rows)


def given_batch(model, inputs, mask):
    """The `Batch` of the arguments of `check_gradients`; raises `ValueError` if they do not fit."""
    V = len(model.vocab)
    fits = inputs.shape == mask.shape and inputs.min() >= 1 and inputs.max() < V
    if not fits or (mask.sum(axis=1) != 1).any():
        raise ValueError(
            f"Expected whole windows of words from 1 to {V - 1}, and a mask with a single 1 a row; "
            f"found inputs: {describe(inputs)}; mask: {describe(mask)}."
        )
    return Batch(model, vars(model.params), model.vocab, inputs, mask, SEED)


def batches(model, inputs, mask):
    """Two small ones, and one near the arguments that no variable of the notebook is equal to."""
    given, random = given_batch(model, inputs, mask), np.random.RandomState(SEED)
    params = {k: a * random.uniform(0.9, 1.1, a.shape) for k, a in vars(model.params).items()}
    rows = np.arange(-1, len(inputs))  # the last window twice
    words, mask = given.words[rows], np.roll(given.mask[rows], 1, axis=1)
    full = Batch(model, params, model.vocab, words, mask, SEED)
    return small_batch(model, SEED + 1), small_batch(model, SEED), full


def check_loss_derivative(model, inputs, mask):
    """Check `model.compute_loss_derivative` alone; otherwise like `check_gradients`."""
    problems = map(loss_derivative_problem, batches(model, inputs, mask))
    raise_first(judge("compute_loss_derivative", *problems))


def check_gradients(model, inputs, mask):
    """Check `model.compute_loss_derivative` and `model.back_propagate`, each on its own.

    model: a `Model`; what is checked are copies of it in float64. inputs: integers (B, N), whole
    windows of words 1 to V - 1. mask: integers or booleans (B, N), a single 1 a row, at the word to
    hide. Raises `GradientCheckError`, or `ValueError` for arguments that do not fit.
    """
    three = batches(model, inputs, mask)
    derivative = judge("compute_loss_derivative", *map(loss_derivative_problem, three))
    title = "back_propagate, from a random loss_derivative"
    raise_first(derivative, judge(title, *map(back_propagate_problem, three)))


# Printing


def print_gradients(model, inputs, mask):
    """Print entries of the loss derivative and of the gradients, one `name[index] value` a line.

    Arguments and errors as for `check_gradients`. The batch and the activations decide which
    entries are printed, the gradients do not. What is missing is said after the rest is printed.
    """
    batch = given_batch(model, inputs, mask)
    values = answers(loss_derivative_problem(batch))
    if isinstance(values["loss_derivative"], np.ndarray):
        values |= answers(back_propagate_problem(batch, values["loss_derivative"].copy()))
    for name, index in entries_to_print(batch):
        if isinstance(values.get(name), np.ndarray):
            value = values[name][index] + 0.0  # never -0
            print(f"{name}[{', '.join(map(str, index))}] {value:.6e}")
    for value in values.values():
        if isinstance(value, Exception):
            raise value


def entries_to_print(batch):
    """Pairs (name, index), such that a mistake in any formula changes one of the entries."""
    entries = {name: [] for name in ("loss_derivative", *PARAMETERS)}
    N, V, D = batch.mask.shape[1], *batch.params["word_embedding_weights"].shape
    words = [0]  # [MASK]
    for n in np.flatnonzero(batch.mask.any(axis=0)):
        row = batch.mask[:, n].argmax()  # the first window in which position n is masked
        target, unmasked = batch.words[row, n], (n + 1) % N
        other = (batch.y[row].reshape(N, V)[n] * (np.arange(V) != target)).argmax()
        unit = np.abs(batch.activations.hidden_layer[row] - 0.5).argmin()  # far from saturation
        columns = n * V + target, n * V + other, unmasked * V + batch.words[row, unmasked]
        entries["loss_derivative"] += [(row, column) for column in columns]
        entries["output_bias"] += [(columns[0],)]
        entries["hid_to_output_weights"] += [(columns[0], unit)]
        entries["hid_bias"] += [(unit,)]
        entries["embed_to_hid_weights"] += [(unit, n * D + n % D)]
        seen = np.bincount(batch.inputs[:, n], minlength=V)
        words += [1 + seen[1:].argmax()]  # the most frequent word of the position
    seen = np.bincount(batch.inputs.flat, minlength=V)
    there = np.bincount(batch.words.flat, minlength=V)
    there[0] = seen[0]
    for which in (seen == 1, (seen == 0) & (there > 0), there == 0):  # once, hidden only, never
        words += [which.argmax()] if which.any() else []
    entries["word_embedding_weights"] = [(word, i % D) for i, word in enumerate(words)]
    return [(name, index) for name, indices in entries.items() for index in indices]
