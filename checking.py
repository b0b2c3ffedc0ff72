"""Load the data files, check gradients by finite differences, and print gradients.

Two steps judge each array of a gradient. On a small random problem the derivative with respect to
every entry is measured, so that your array and the right one can be laid side by side. At the size
of the assignment it is measured along a few random directions, in which all entries change at once.

Letters: V words in the vocabulary, N words in a window, D entries in an embedding, H hidden units,
B windows in a batch.
"""

import collections
import copy
import functools
import linecache
import os
import pickle
import re
import sys
import traceback

import numpy as np

SEED = 0
STEPS = 2.0 ** -np.arange(9, 27, 2)  # of finite differences
TOLERANCE = 1e-7  # of the largest derivative of an array, beside the error that is measured
TINY = 1e-200  # no logarithm is taken of a smaller probability
SMALL_VOCAB = ["[MASK]", *"the cat saw a dog and ran far".split()]
HIDDEN = "the derivative with respect to the inputs of the hidden units"


class ShownAlone:
    """An exception of which a notebook shows the message without the frames above it."""

    def _render_traceback_(self):
        return [str(self)]


class DataFileError(ShownAlone, ValueError):
    """A data file is missing, damaged, unsafe or inconsistent; the message says what to do."""


class GradientCheckError(ShownAlone, AssertionError):
    """A gradient is wrong or missing; the message says which, where and how."""


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


def require_array(error, name, value, shape, kinds, low=-np.inf, high=np.inf):
    """The value, if it is an array of finite numbers from low to high; or raises error(text).

    A None in `shape` stands for any length; `kinds` holds letters of `np.dtype.kind`.
    """
    expected = f"shape {str(shape).replace('None', 'any')}"
    if type(value) is not np.ndarray:
        found = "None" if value is None else f"an object of type {type(value).__name__}"
        problem = f"found {found}; expected an array of {expected}"
    elif value.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, value.shape)):
        problem = f"found shape {value.shape}; expected {expected}"
    elif value.dtype.kind not in kinds:
        numbers = "floating-point numbers" if kinds == "f" else "whole numbers"
        problem = f"found dtype {value.dtype}; expected {numbers}"
    elif value.size == 0 or not np.isfinite(value).all():
        n = np.sum(~np.isfinite(value))
        problem = f"found {value.size} entries, {n} NaN or infinite; expected finite numbers"
    elif value.min() < low or value.max() > high:
        problem = f"found values from {value.min()} to {value.max()}; expected {low} to {high}"
    else:
        return value
    raise error(f"{name}: {problem}.")


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


def require_parameters(error, found, V):
    """N, if the arrays in a dict fit each other and V words; otherwise raises error(text)."""
    *_, to_hidden, embedding = PARAMETERS
    _, D = require_array(error, embedding, found[embedding], (V, None), "f").shape
    H, ND = require_array(error, to_hidden, found[to_hidden], (None, None), "f").shape
    for name, shape in parameter_shapes(ND // D, V, D, H).items():
        require_array(error, name, found[name], shape, "f")
    return ND // D


def load_dict(path, keys):
    """The pickled dict at `path`, with these keys, and a function that makes errors about it."""

    def error(text):
        return DataFileError(f"{path}: {text} Get the files of the assignment again, all together.")

    try:
        with open(path, "rb") as file:
            found = SafeUnpickler(file, encoding="latin1").load()  # the encoding is for Python 2
    except OSError as problem:
        raise DataFileError(
            f"{path}: cannot be read from the folder {os.getcwd()} ({problem.strerror}). Put the "
            "files of the assignment beside the notebook, and start the notebook in their folder."
        ) from None
    except Exception as problem:  # damaged bytes can make an unpickler raise anything
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:200]
        raise error(f"found what cannot be loaded ({reason}); expected a pickled dict.") from None
    if missing := [key for key in keys if not (isinstance(found, dict) and key in found)]:
        found = f"a {type(found).__name__} without {', '.join(missing)}"
        raise error(f"found {found}; expected a dict with {', '.join(keys)}.")
    vocab = found["vocab"]
    is_list_of_str = isinstance(vocab, list) and all(isinstance(word, str) for word in vocab)
    if not is_list_of_str or vocab[:1] != ["[MASK]"] or len(set(vocab)) < max(2, len(vocab)):
        found = f"a {type(vocab).__name__}, {str(vocab)[:40]!r}..."
        raise error(f"vocab: found {found}; expected a list of different str, the first [MASK].")
    return found | {"vocab": [str(word) for word in vocab]}, error


def load_data(path="data.pk"):
    """Load the windows of the corpus; raises `DataFileError`.

    Returns a dict: `vocab`, a list of V str, and `train_inputs`, `valid_inputs` and `test_inputs`,
    int32 (n, N), word indices from 1 to V - 1. `train_targets`, `valid_targets` and `test_targets`
    are the same array objects, since the words to predict are those of the window.
    """
    names = ["train_inputs", "valid_inputs", "test_inputs"]
    found, error = load_dict(path, ["vocab", *names])
    data, N = {"vocab": found["vocab"]}, None
    for name in names:
        require_array(error, name, found[name], (None, N), "iu", 1, len(found["vocab"]) - 1)
        data[name] = data[name.replace("inputs", "targets")] = found[name].astype(np.int32)
        N = data[name].shape[1]
    return data


def load_partially_trained(path="partially_trained.pk", vocab=None):
    """Load the parameters of the partially trained network; raises `DataFileError`.

    Returns a dict: `vocab`, a list of V str, which has to equal the argument if that is given, and
    float64 arrays `word_embedding_weights` (V, D), `embed_to_hid_weights` (H, N D), `hid_bias`
    (H,), `hid_to_output_weights` (N V, H) and `output_bias` (N V,).
    """
    found, error = load_dict(path, ["vocab", *PARAMETERS])
    if vocab is not None and list(vocab) != found["vocab"]:
        raise error("vocab: found other words than in the data file; expected the same.")
    require_parameters(error, found, len(found["vocab"]))
    arrays = {name: found[name].astype(np.float64, order="C") for name in PARAMETERS}
    return {"vocab": found["vocab"]} | arrays


# Comparing values with finite differences

# What a function is judged on. ask(): calls it, and returns its values, arrays by name; points: by
# name, where the gradient is taken; loss(name, array): the loss with that array in the place of a
# point; sizes: lengths by name; rows: for maps of a small problem, names of rows by name; question:
# to ask where values are right for this problem and wrong for another.
Problem = collections.namedtuple("Problem", "title function ask points loss sizes rows question")
Verdict = collections.namedtuple("Verdict", "name shape status text remark")  # text: why not right


def derivative_along(function, point, direction):
    """Derivative of function(point + s * direction) at s = 0, and how far off it may be.

    Central differences at two steps are combined so that the leading terms of their errors cancel
    (Richardson's extrapolation). A large step leaves higher terms, a small one rounding errors, and
    where the best lies between depends on the function. So the step goes down `STEPS` until two
    results agree; if none do, the two that agree best count.
    """
    rounding = 2.0**-50 * abs(function(point))
    best, best_error = np.nan, np.inf
    central = result = np.nan
    for step in STEPS:
        coarse, earlier = central, result
        rise = function(point + step * direction) - function(point - step * direction)
        central = rise / (2 * step)
        result = central + (central - coarse) / 15  # a quarter of the step: 15 = 4**2 - 1
        error = abs(result - earlier) + rounding / step
        if error < best_error:
            best, best_error = result, error
        if best_error <= 1e-9 * abs(best):
            break
    return best, best_error


def compare(values, problem, name, directions):
    """Along directions: derivatives by the values, measured ones, and which of the two agree."""
    loss, point = functools.partial(problem.loss, name), problem.points[name]
    measured = [derivative_along(loss, point, direction) for direction in directions]
    right, errors = np.transpose(measured)
    if not np.isfinite(right).all():
        raise GradientCheckError(f"The loss is not finite, so {name} cannot be checked.")
    with np.errstate(over="ignore", invalid="ignore"):  # nothing is right that overflows
        yours = np.array([np.sum(values * direction) for direction in directions])
        allowed = TOLERANCE * np.abs(right).max() + 10 * errors
        return yours, right, np.abs(yours - right) <= allowed


def relation(values, right, sizes):
    """What wrong values have to do with the right ones, as a sentence; empty if nothing simple.

    sizes: by name, lengths over which a mean may have been taken in place of a sum.
    """

    def are_right(values, factor=1.0):
        return np.all(np.abs(values - factor * right) <= 1e-6 * abs(factor) * np.abs(right).max())

    if not values.any():
        return "Your values are all 0."
    with np.errstate(all="ignore"):
        factor = np.sum(values * right) / np.sum(right**2)
        if are_right(values, factor) and abs(factor - 1) > 1e-5:
            means = [name for name, size in sizes.items() if abs(factor * size - 1) < 1e-5]
            mean = f", 1 / {means[0]}, as if a mean were taken, not a sum" if means else ""
            is_sign = abs(factor + 1) < 1e-5
            manner = (
                "have the opposite sign" if is_sign else f"are the right ones times {factor:.6g}"
            )
            return f"Your values {manner}{mean}."
        if right.ndim == 2 and are_right(values.reshape(right.shape[::-1]).T):
            return "Your values are those of the transposed matrix."
    return ""


def draw_map(is_right, rows, N):
    """Lines with a sign for each entry, in N blocks if that divides the columns."""
    rows = rows if max(is_right.shape[1:], default=1) > 1 else [""]
    grid = is_right.T if is_right.shape[-1] == len(rows) else is_right.reshape(len(rows), -1)
    signs = np.where(grid, ".", "x").reshape(len(rows), 1 if grid.shape[1] % N else N, -1)
    width = max(map(len, rows))
    return [f"  {row:<{width}}  {' '.join(map(''.join, b))}" for row, b in zip(rows, signs)]


def explain(values, problem, name, other=None, earlier=None):
    """Why values are wrong, in several lines; empty if they are right.

    values: an array, or what keeps it from being compared. other, earlier: another problem and the
    values for it, which serve explanations.
    """
    if not isinstance(values, np.ndarray):
        return str(values)
    if problem.rows:  # it is small
        place, shape = "Entry", values.shape
        directions = np.eye(values.size).reshape(-1, *shape)
    else:
        place, shape, random = "Along random direction", (3,), np.random.RandomState(SEED)
        directions = random.choice([-1.0, 1.0], (3, *values.shape))
        directions *= random.uniform(1, 2, directions.shape)
    found = compare(values, problem, name, directions)
    yours, right, is_right = (array.reshape(shape) for array in found)
    if is_right.all():
        return ""
    worst = np.unravel_index(np.abs(yours - right).argmax(), shape)
    numbers = f"yours {yours[worst] + 0.0:.8g}, finite difference {right[worst] + 0.0:.8g}"
    lines = [f"{problem.title}: {name} is wrong.", f"{place} {[*map(int, worst)]}: {numbers}."]
    hint = relation(yours, right, problem.sizes)
    if values.any() and np.array_equal(values, earlier):
        hint = "Your values stay the same when all the arguments change."
    for factor, manner in ((1, "right"), (0.5, "half of the right ones")):
        if not hint and other and other.question and not explain(earlier / factor, other, name):
            hint = f"Your values are {manner} {other.question}"
    lines += [hint] if hint else []
    if problem.rows:
        lines.append("On a small random problem, which entries are right (.) and wrong (x):")
        lines += draw_map(is_right, problem.rows[name], problem.sizes.get("N", 1))
    return "\n".join(lines)


# Asking a student's function, and judging the answer


def file_of(function):
    """Name of the file that a function is written in; None if it is not written in Python."""
    return getattr(getattr(function, "__code__", None), "co_filename", None)


def call(name, function, *arguments, watched=()):
    """A copy of function(*arguments); raises `GradientCheckError` if it is missing or fails.

    `watched` are objects whose attributes the function must not replace.
    """
    if function is None:
        raise GradientCheckError(
            f"The model has no method {name}. Run the cell that defines it, and then this one. "
            "(It is lost whenever the cell of `class Model` is run again.)"
        )
    before = [(owner, key, value) for owner in watched for key, value in vars(owner).items()]
    try:
        result = function(*arguments)
    except NotImplementedError:
        text = f"{name} is not written yet. Write it, run its cell, and then this one."
        raise GradientCheckError(text) from None
    except Exception as problem:
        frames = traceback.extract_tb(problem.__traceback__)
        lines = [frame for frame in frames if frame.filename == file_of(function)]
        place = f" in line {lines[-1].lineno}: {lines[-1].line}" if lines else ""
        text = f"{name} stops{place}\n{type(problem).__name__}: {problem}"
        if "read-only" in str(problem):
            text += "\nThe caller still needs this array: write the result into a new one."
        raise GradientCheckError(text) from problem
    if replaced := [key for owner, key, value in before if getattr(owner, key, None) is not value]:
        raise GradientCheckError(f"{name} replaces {', '.join(replaced)}, which the caller needs.")
    return copy.deepcopy(result)


def runs_of_lines(file, run):
    """(run(), how often each line of a file was reached, a Counter)."""
    counts, before = collections.Counter(), sys.gettrace()

    def trace(frame, event, argument):
        if frame.f_code.co_filename == file:
            counts[frame.f_lineno] += event == "line"
            return trace

    sys.settrace(trace)
    try:
        return run(), counts
    finally:
        sys.settrace(before)


def values_of(problem):
    """By name, arrays that can be compared, or the exceptions that say why they cannot."""
    try:
        values = problem.ask()
    except GradientCheckError as error:
        return dict.fromkeys(problem.points, error)
    for name, point in problem.points.items():
        title, shape = f"{problem.title}: {name} is wrong", getattr(values[name], "shape", None)
        try:
            require_array(GradientCheckError, title, values[name], point.shape, "f")
            if values[name].dtype != point.dtype:
                text = f"{title}: found dtype {values[name].dtype}; expected {point.dtype}."
                raise GradientCheckError(text)
        except GradientCheckError as error:
            owners = [k for k, p in problem.points.items() if p.shape == shape != point.shape]
            text = f" That is the shape of {owners[0]}: is the order right?" if owners else ""
            values[name] = GradientCheckError(f"{error}{text}")
    return values


def judge(other, small, full):
    """Verdicts on the arrays of a gradient, a list.

    other, small, full: `Problem`s, two small random ones and one of the size of the assignment. The
    other comes first, so that what keeps results of earlier calls is never right by chance.
    """
    earlier, file = values_of(other), file_of(small.function)
    values, counts = runs_of_lines(file, lambda: values_of(small))
    values_full, loop = values_of(full), ""
    for line in sorted(counts, reverse=True):
        source = linecache.getline(file, line).strip()
        if counts[line] > small.sizes.get("N", 1) + 2 and re.search(r"\b(for|while)\b", source):
            loop = f"Remark: line {line} is a loop, where NumPy needs none: {source}"
    verdicts = []
    for name, point in full.points.items():
        text = explain(values[name], small, name, other, earlier[name])
        text_full, remark = explain(values_full[name], full, name), loop
        if not isinstance(values[name], np.ndarray) and not text_full:
            remark = f"Remark: right at the sizes of the assignment, and on a small problem\n{text}"
            text = ""
        elif not isinstance(values[name], np.ndarray) or not text:
            text = text_full
        elif not text_full:
            text += "\nAt the size of the assignment they are right: is a size written as a number?"
        verdicts.append(Verdict(name, point.shape, "WRONG" if text else "right", text, remark))
    return verdicts


def report(*judged):
    """Print a row for each array, and raise `GradientCheckError` if any is not right.

    judged: pairs (title, verdicts). The first array that is not right is explained.
    """
    texts = []
    for title, verdicts in judged:
        print(title)
        for verdict in verdicts:
            print(f"  {verdict.name:<24}{verdict.shape!s:<14}{verdict.status}")
        wrong = [verdict for verdict in verdicts if verdict.text]
        if wrong:
            also = [verdict.name for verdict in wrong if verdict.text != wrong[0].text]
            texts.append(wrong[0].text + (f"\nAlso wrong: {', '.join(also)}." if also else ""))
        elif remarks := dict.fromkeys(v.remark for v in verdicts if v.remark):
            print(*remarks, sep="\n")
    if texts:
        raise GradientCheckError("\n".join([texts[0], *(t.splitlines()[0] for t in texts[1:])]))


def frozen(array):
    """The array, read-only, so that a change in place stops at the student's own line."""
    array.flags.writeable = False
    return array


# The three functions


def glove_problem(loss_GLoVe, grad_GLoVe, model, V, d, seed, rows=None, question=""):
    """A `Problem` of random arguments; if it has a question, the residuals are symmetric."""
    random = np.random.RandomState(seed)
    W, W_tilde = random.randn(2, V, d)
    b, b_tilde = random.randn(2, V, 1)
    residuals = random.randn(V, V)
    residuals = residuals + residuals.T if question else residuals
    second, b_second = (W, b) if model == "symmetric" else (W_tilde, b_tilde)
    log_co_occurrence = frozen(W @ second.T + b + b_second.T - residuals)
    points = dict(grad_W=W, grad_W_tilde=W_tilde, grad_b=b, grad_b_tilde=b_tilde)
    names, title = list(points), f"grad_GLoVe, {model} model"
    if model == "symmetric":
        del points["grad_W_tilde"], points["grad_b_tilde"]

    def ask():
        arguments = [*map(points.get, names), log_co_occurrence]
        if not isinstance(call("loss_GLoVe", loss_GLoVe, *arguments), (float, np.floating)):
            raise GradientCheckError("loss_GLoVe does not return a floating-point number.")
        result = call(title, grad_GLoVe, *arguments)
        if not isinstance(result, (tuple, list)) or len(result) != 4:
            found = f"{len(result)} values" if isinstance(result, (tuple, list)) else type(result)
            raise GradientCheckError(f"{title}: found {found}; expected {', '.join(names)}.")
        if extra := [k for k, v in zip(names, result) if v is not None and k not in points]:
            raise GradientCheckError(f"{title}: found a value for {extra[0]}; expected None.")
        return dict(zip(names, result))

    def loss(name, array):
        return loss_GLoVe(*map((points | {name: array}).get, names), log_co_occurrence)

    for array in points.values():
        frozen(array)
    sizes = {"V": V, "(V V)": V * V}
    return Problem(title, grad_GLoVe, ask, points, loss, sizes, rows, question)


def check_GLoVe_gradients(loss_GLoVe, grad_GLoVe, vocab_size=251):
    """Check `grad_GLoVe` by finite differences of `loss_GLoVe`, in both models.

    Both are functions of W (V, d), W_tilde (V, d) or None, b (V, 1), b_tilde (V, 1) or None, and
    log_co_occurrence (V, V), all float64. One returns the loss, the other the gradients of the
    first four, None where the argument is None. Raises `GradientCheckError`.
    """
    rows = dict.fromkeys(
        ("grad_W", "grad_W_tilde", "grad_b", "grad_b_tilde"), [*map(str, range(9))]
    )
    question = "where the residuals form a symmetric matrix: is a transpose missing, or wrong?"
    judged = []
    for model in ("asymmetric", "symmetric"):
        make = functools.partial(glove_problem, loss_GLoVe, grad_GLoVe, model)
        other, small = make(9, 4, SEED + 1, rows, question), make(9, 4, SEED, rows)
        judged.append(
            (f"grad_GLoVe, {model} model", judge(other, small, make(vocab_size, 16, SEED)))
        )
    report(*judged)


class Batch:
    """A masked batch, what a model computes for it, and a stand-in for the derivative of the loss.

    The stand-in C (B, N V) is random, its rows sum to 0 in the chunk of the masked position, and it
    is 0 elsewhere. Then C is the derivative of sum(C * log y) with respect to z.
    """

    def __init__(self, model, params, vocab, words, mask, is_small=False, seed=SEED):
        params = {name: frozen(np.array(params[name], np.float64)) for name in PARAMETERS}
        self.model = type(model)(type(model.params)(**params), vocab)
        self.params, self.words, self.mask = params, words.astype(int), mask.astype(int)
        self.inputs = frozen(self.words * (1 - self.mask))  # (B, N), 0 at the hidden words
        self.target_mask = frozen(self.mask[:, :, np.newaxis].astype(np.float64))
        self.targets = frozen(self.model.indicator_matrix(self.words * self.mask))  # (B, N V)
        self.activations = self.model.compute_activations(self.inputs)
        for layer in vars(self.activations).values():
            frozen(layer)
        (B, N), V = mask.shape, len(vocab)
        self.chunks = self.activations.output_layer.reshape(B, N, V)
        possible = self.target_mask * (self.chunks > TINY)
        C = possible * np.random.RandomState(seed).normal(0, 3, possible.shape)
        C -= possible * C.sum(axis=2, keepdims=True) / possible.sum(axis=2, keepdims=True).clip(1)
        self.C = frozen(C.reshape(B, N * V))
        self.sizes, self.rows = {"B": B, "N": N, "(B N)": B * N, "V": V}, None
        if is_small:
            units = [f"unit {i}" for i in range(len(params["hid_bias"]))]
            counts = np.bincount(self.inputs.ravel(), minlength=V)
            self.rows = collections.defaultdict(lambda: units)
            self.rows["loss_derivative"] = [" ".join(row) for row in np.array(vocab)[self.inputs]]
            words = [f"{count} x {word}" for count, word in zip(counts, vocab)]
            self.rows["word_embedding_weights"] = words

    def problem_of_loss_derivative(self):
        """The `Problem` of `compute_loss_derivative`."""
        name, y = "compute_loss_derivative", self.activations.output_layer
        function = getattr(self.model, name, None)

        def ask():
            return {"loss_derivative": call(name, function, y, self.targets, self.target_mask)}

        def loss(_, z):
            powers = np.exp(z).reshape(self.chunks.shape)
            y = powers / powers.sum(axis=2, keepdims=True)
            return -np.sum(self.targets * np.log(np.maximum(y, TINY)).reshape(z.shape))

        points = {"loss_derivative": np.log(np.maximum(y, TINY))}
        return Problem(name, function, ask, points, loss, self.sizes, self.rows, "")

    def problem_of_gradient(self, loss_derivative):
        """The `Problem` of `back_propagate`."""
        name, make_params = "back_propagate", type(self.model.params)
        function, derivative = getattr(self.model, name, None), frozen(loss_derivative.copy())

        def ask():
            watched = self.model, self.model.params, self.activations
            arguments = self.inputs, self.activations, derivative
            gradient = call(name, function, *arguments, watched=watched)
            if not isinstance(gradient, make_params):
                text = f"{name} returns a {type(gradient).__name__}; expected Params."
                raise GradientCheckError(text)
            return {name: getattr(gradient, name, None) for name in PARAMETERS}

        def loss(name, array):
            model = type(self.model)(make_params(**(self.params | {name: array})), self.model.vocab)
            y = model.compute_activations(self.inputs).output_layer
            return np.sum(self.C * np.log(np.maximum(y, TINY)))

        return Problem(name, function, ask, self.params, loss, self.sizes, self.rows, "")


def given_batch(model, inputs, mask):
    """The `Batch` of the arguments of `check_gradients`, as they are; raises `ValueError`."""
    N = require_parameters(ValueError, vars(model.params), len(model.vocab))
    require_array(ValueError, "inputs", inputs, (None, N), "iu", 1, len(model.vocab) - 1)
    require_array(ValueError, "mask", mask, inputs.shape, "iub", 0, 1)
    if not (mask.sum(axis=1) == 1).all():
        raise ValueError("mask: found other rows; expected a single 1 in each row.")
    return Batch(model, vars(model.params), model.vocab, inputs, mask)


def small_batch(model, seed):
    """A random `Batch` in which no two sizes are equal; the last word does not occur."""
    random, (B, N, V, D, H) = np.random.RandomState(seed), (7, 3, 9, 4, 5)
    params = {name: random.randn(*shape) for name, shape in parameter_shapes(N, V, D, H).items()}
    words, mask = random.randint(1, V - 1, (B, N)), np.eye(N)[np.arange(B) % N]
    words[0] = words[0, 0]  # a word several times in a window
    return Batch(model, params, SMALL_VOCAB, words, mask, is_small=True, seed=seed)


def batches(model, inputs, mask):
    """Two small ones, and one near the arguments that no variable of the notebook is equal to."""
    given, random = given_batch(model, inputs, mask), np.random.RandomState(SEED)
    params = {k: array * random.uniform(0.9, 1.1, array.shape) for k, array in given.params.items()}
    rows = np.arange(-1, len(inputs))  # the last window also comes first
    words, mask = given.words[rows], np.roll(given.mask[rows], 1, axis=1)
    small = small_batch(model, SEED + 1), small_batch(model, SEED)
    return *small, Batch(model, params, model.vocab, words, mask)


def judge_loss_derivative(model, inputs, mask):
    """Verdicts on `compute_loss_derivative`; arguments as for `check_gradients`."""
    return judge(*(b.problem_of_loss_derivative() for b in batches(model, inputs, mask)))


def judge_back_propagate(model, inputs, mask):
    """Verdicts on `back_propagate`, from random derivatives; arguments as for `check_gradients`."""
    verdicts = judge(*(b.problem_of_gradient(b.C) for b in batches(model, inputs, mask)))
    wrong = tuple(verdict.name for verdict in verdicts if verdict.text)
    first, ends = PARAMETERS.index((*wrong, PARAMETERS[0])[0]), ""
    if wrong == PARAMETERS[2:]:
        ends = f"loss_derivative and {HIDDEN}"
    elif wrong and wrong[:-1] == () and first > 1:
        ends = f"{HIDDEN} and {wrong[0]}"
    if ends:
        text = f"{verdicts[first].text}\nThe other arrays are right, so look between {ends}."
        verdicts[first] = verdicts[first]._replace(text=text)
    return verdicts


def check_loss_derivative(model, inputs, mask):
    """Check `model.compute_loss_derivative` alone; otherwise like `check_gradients`."""
    report(("compute_loss_derivative", judge_loss_derivative(model, inputs, mask)))


def check_gradients(model, inputs, mask):
    """Check `model.compute_loss_derivative` and `model.back_propagate`, each on its own.

    model: a `Model`; what is checked are copies of it in float64. inputs: integers (B, N), whole
    windows of words 1 to V - 1. mask: integers or booleans (B, N), a single 1 a row, at the word to
    hide. Raises `GradientCheckError`, or `ValueError` for arguments that do not fit.
    """
    of_derivative = judge_loss_derivative(model, inputs, mask)
    of_gradient = judge_back_propagate(model, inputs, mask)
    title = "back_propagate, from a random loss_derivative"
    report(("compute_loss_derivative", of_derivative), (title, of_gradient))


def print_gradients(model, inputs, mask):
    """Print entries of the loss derivative and of the gradients, one `name[index] value` a line.

    Arguments and errors as for `check_gradients`. The batch and the activations decide which
    entries are printed, the gradients do not. What is missing is said after the rest is printed.
    """
    batch = given_batch(model, inputs, mask)
    values = values_of(batch.problem_of_loss_derivative())
    if isinstance(derivative := values["loss_derivative"], np.ndarray):
        values |= values_of(batch.problem_of_gradient(derivative))
    for name, indices in entries_to_print(batch).items():
        if isinstance(values.get(name), np.ndarray):
            for index in indices:
                value = values[name][index] + 0.0  # never -0
                print(f"{name}[{', '.join(map(str, index))}] {value:.6e}")
    for value in values.values():
        if isinstance(value, Exception):
            raise value


def entries_to_print(batch):
    """Indices by name of the tensor, such that a mistake in any formula changes an entry."""
    entries = {name: [] for name in ("loss_derivative", *PARAMETERS)}
    N, V, D = *batch.chunks.shape[1:], batch.params["word_embedding_weights"].shape[1]
    words = [0]  # [MASK]
    for n in np.flatnonzero(batch.mask.any(axis=0)):
        row = batch.mask[:, n].argmax()  # the first window in which position n is masked
        target, unmasked = batch.words[row, n], (n + 1) % N
        other = (batch.chunks[row, n] * (np.arange(V) != target)).argmax()
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
    return entries
