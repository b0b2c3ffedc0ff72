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
LOOP = 7  # times that a line runs in a loop over positions or parameters, which may be
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
    is_text = isinstance(vocab, list) and all(isinstance(word, str) for word in vocab)
    if not is_text or vocab[:1] != ["[MASK]"] or len(set(vocab)) < max(2, len(vocab)):
        found = f"a {type(vocab).__name__} that begins {str(vocab)[:40]!r}"
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
    found, error = load_dict(path, ["vocab", *PARAMETERS])
    if vocab is not None and list(vocab) != found["vocab"]:
        raise error("vocab: found other words than in the data file; expected the same.")
    *_, to_hidden, embedding = PARAMETERS
    H, ND = require_array(error, to_hidden, found[to_hidden], (None, None), "f").shape
    _, D = require_array(error, embedding, found[embedding], (None, None), "f").shape
    for name, shape in parameter_shapes(ND // D, len(found["vocab"]), D, H).items():
        found[name] = require_array(error, name, found[name], shape, "f").astype(np.float64, "C")
    return {name: found[name] for name in ("vocab", *PARAMETERS)}


def frozen(array):
    """The array, read-only, so that a change in place stops at the student's own line."""
    array.flags.writeable = False
    return array


# Finite differences, and what wrong values have to do with them
#
# A problem is a `GLoVe` or a `Batch`. It has points, by name the arrays in which the gradient is
# taken; loss(name, array), the loss with an array in the place of a point; sizes, by name; title,
# in front of names; if it is small, rows, by name how those of its map are called, and counts, of
# lines that ran; and a question, if values that are right for it alone lead to one.


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
        if np.isfinite(factor) and are_right(values, factor) and abs(factor - 1) > 1e-5:
            if abs(factor + 1) < 1e-5:
                return "Your values have the opposite sign."
            means = [name for name, size in sizes.items() if abs(factor * size - 1) < 1e-5]
            mean = f", 1 / {means[0]}, as if a mean were taken, not a sum" if means else ""
            return f"Your values are the right ones times {factor:.6g}{mean}."
        if right.ndim == 2 and are_right(values.reshape(right.shape[::-1]).T):
            return "Your values are those of the transposed matrix."
    return ""


def draw_map(is_right, rows, N):
    """Lines with a sign for each entry, in a block for each of N positions if there are any."""
    rows = rows if max(is_right.shape[1:], default=1) > 1 else [""]
    grid = is_right.T if is_right.shape[-1] == len(rows) else is_right.reshape(len(rows), -1)
    n_blocks, width = 1 if grid.shape[1] % N else N, max(map(len, rows))
    blocks = np.where(grid, ".", "x").reshape(len(rows), n_blocks, -1)
    positions = ", in a block for each position" if n_blocks > 1 else ""
    title = f"Right (.) and wrong (x) entries on a small random problem{positions}:"
    return [title, *(f"  {k:<{width}}  {' '.join(map(''.join, b))}" for k, b in zip(rows, blocks))]


def explain(problem, name, values, other=None, earlier=None):
    """Why values are wrong, in several lines; empty if they are right.

    values: an array, or an exception that stands for it. other, earlier: another problem and the
    values for it, which serve explanations.
    """
    if isinstance(values, Exception):
        return str(values)
    yours, right, is_right = compare(problem, name, values)
    if is_right.all():
        return ""
    worst = np.unravel_index(np.abs(yours - right).argmax(), right.shape)
    place = f"Entry {[*map(int, worst)]}" if problem.rows else "Along a random direction"
    hint = relation(yours, right, problem.sizes)
    if values.any() and np.array_equal(values, earlier):
        hint = "Your values stay the same when all the arguments change."
    if not hint and other and other.question and isinstance(earlier, np.ndarray):
        for factor, manner in ((1, "right"), (0.5, "half of the right ones")):
            if not explain(other, name, earlier / factor):
                hint = f"Your values are {manner} {other.question}"
    lines = [
        f"{problem.title}{name} is wrong.",
        f"{place}: yours {yours[worst] + 0.0:.8g}, finite difference {right[worst] + 0.0:.8g}.",
        *([hint] if hint else []),
    ]
    if problem.rows:
        lines += draw_map(is_right, problem.rows[name], problem.sizes.get("N", 1))
    return "\n".join(lines)


# Asking a student's function, and judging the answer

Verdict = collections.namedtuple("Verdict", "name shape text remark")  # text: empty if it is right


def call(name, function, counts, *arguments, watched=()):
    """A copy of function(*arguments); raises `GradientCheckError` if it is missing or fails.

    counts: a `Counter` of how often each (file, line) of the function is reached, or None.
    watched: objects whose attributes the function must not replace.
    """
    if function is None:
        raise GradientCheckError(
            f"The model has no method {name}.\nRun the cell that defines it, and then this one. "
            "Do so again whenever you have run the cell of `class Model`."
        )
    before = [(owner, key, value) for owner in watched for key, value in vars(owner).items()]
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    trace_before = sys.gettrace()

    def trace(frame, event, _):
        if frame.f_code.co_filename == file:
            counts[file, frame.f_lineno] += event == "line"
            return trace

    try:
        if counts is not None:
            sys.settrace(trace)
        result = function(*arguments)
    except NotImplementedError:
        text = f"{name} is not written yet. Write it, run its cell, and then this one."
        raise GradientCheckError(text) from None
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        frame = ([f for f in frames if f.filename == file] or frames)[-1]
        text = f"{name} stops in line {frame.lineno}:\n    {frame.line}"
        text += f"\n{type(error).__name__}: {error}"
        if "read-only" in str(error):
            text += "\nThe caller still needs this array: write the result into a new one."
        raise GradientCheckError(text) from error
    finally:
        sys.settrace(trace_before)
    if replaced := [key for owner, key, value in before if getattr(owner, key, None) is not value]:
        raise GradientCheckError(f"{name} replaces {', '.join(replaced)}, which the caller needs.")
    return copy.deepcopy(result)


def values_of(problem, ask, names):
    """What ask(problem) returns, by name; an exception in the place of what cannot be compared."""
    try:
        values = ask(problem)
    except GradientCheckError as error:
        return dict.fromkeys(names, error)
    shapes = {name: problem.points[name].shape for name in names}
    for name in names:
        array, title = values[name], f"{problem.title}{name} is wrong"
        try:
            require_array(GradientCheckError, title, array, shapes[name], "f")
            if array.dtype != np.float64:
                raise GradientCheckError(f"{title}: found {array.dtype}; expected float64.")
        except GradientCheckError as error:
            others = [k for k in names if shapes[k] == getattr(array, "shape", 0) != shapes[name]]
            order = f"\n{others[0]} has that shape: are they in another order?" if others else ""
            values[name] = GradientCheckError(f"{error}{order}")
    return values


def judge(ask, names, other, small, full):
    """Verdicts on the arrays that ask(problem) returns by name, a list.

    other, small, full: two small random problems and one of the size of the assignment. The other
    comes first, so that what keeps results of earlier calls is never right by chance.
    """
    earlier, values, values_full = (values_of(p, ask, names) for p in (other, small, full))
    loop, verdicts = "", []
    for (file, line), count in sorted(small.counts.items(), reverse=True):
        source = linecache.getline(file, line).strip()
        if count > LOOP and re.search(r"\b(for|while)\b", source):
            loop = f"Remark: line {line} is a loop, where NumPy needs none: {source}"
    for name in names:
        text = explain(small, name, values[name], other, earlier[name])
        text_full, remark = explain(full, name, values_full[name]), loop
        if isinstance(values[name], np.ndarray):
            if text and not text_full:
                text += "\nAt the assignment's size it is right. Is a size written as a number?"
            elif text_full and not text:
                text = f"{text_full}\nOn a small problem of other sizes it is right."
        elif not text_full:
            remark = "Remark: right at these sizes only. Is one of them written as a number? On a "
            text, remark = "", f"{remark}smaller problem\n{text}"
        elif isinstance(values_full[name], Exception):
            text = text_full
        else:
            text = f"{text_full}\nOn a small problem of other sizes {text}"
        verdicts.append(Verdict(name, full.points[name].shape, text, remark))
    return verdicts


def report(judged):
    """Print a row for each array, and raise `GradientCheckError` if any is not right.

    judged: lists of verdicts by title. The first array that is not right is explained.
    """
    texts = []
    for title, verdicts in judged.items():
        print(title)
        for verdict in verdicts:
            status = "WRONG" if verdict.text else "right"
            print(f"  {verdict.name:<24}{verdict.shape!s:<14}{status}")
        wrong = [verdict for verdict in verdicts if verdict.text]
        if wrong:
            also = [verdict.name for verdict in wrong if verdict.text != wrong[0].text]
            texts.append(wrong[0].text + (f"\nAlso wrong: {', '.join(also)}." if also else ""))
        elif remarks := dict.fromkeys(verdict.remark for verdict in verdicts if verdict.remark):
            print(*remarks, sep="\n")
    if texts:
        raise GradientCheckError("\n".join([texts[0], *(t.splitlines()[0] for t in texts[1:])]))


# GLoVe


class GLoVe:
    """Random arguments of `loss_GLoVe`; with a question, such that the residuals are symmetric."""

    def __init__(self, loss_GLoVe, grad_GLoVe, model, V, d, seed, is_small=True, question=""):
        self.loss_GLoVe, self.grad_GLoVe, self.question = loss_GLoVe, grad_GLoVe, question
        self.title, self.counts = f"{model} model: ", collections.Counter() if is_small else None
        random = np.random.RandomState(seed)
        W, W_tilde = map(frozen, random.randn(2, V, d))
        b, b_tilde = map(frozen, random.randn(2, V, 1))
        second, b_second = (W, b) if model == "symmetric" else (W_tilde, b_tilde)
        residuals = random.randn(V, V)
        residuals = residuals + residuals.T if question else residuals
        self.log_co_occurrence = frozen(W @ second.T + b + b_second.T - residuals)
        self.points = dict(grad_W=W, grad_W_tilde=W_tilde, grad_b=b, grad_b_tilde=b_tilde)
        self.names = tuple(self.points)
        if model == "symmetric":
            del self.points["grad_W_tilde"], self.points["grad_b_tilde"]
        self.sizes = {"V": V, "(V V)": V * V}
        self.rows = dict.fromkeys(self.names, [f"word {i}" for i in range(V)]) if is_small else None

    def arguments(self, **changed):
        """The five arguments of the functions, some of them changed."""
        return *map((self.points | changed).get, self.names), self.log_co_occurrence

    def loss(self, name, array):
        return float(self.loss_GLoVe(*self.arguments(**{name: array})))

    def gradient(self):
        function, title, names = self.grad_GLoVe, self.title, ", ".join(self.names)
        value = call("loss_GLoVe", self.loss_GLoVe, self.counts, *self.arguments())
        if not isinstance(value, (int, float, np.number)):
            raise GradientCheckError(f"loss_GLoVe returns a {type(value).__name__}, not a number.")
        given = "" if "grad_b_tilde" in self.points else ", given None for W_tilde and b_tilde,"
        result = call(f"{title}grad_GLoVe{given}", function, self.counts, *self.arguments())
        if not isinstance(result, (tuple, list)) or len(result) != 4:
            is_several = isinstance(result, (tuple, list))
            found = f"{len(result)} values" if is_several else f"a {type(result).__name__}"
            raise GradientCheckError(f"{title}grad_GLoVe returns {found}; expected {names}.")
        for name, value in zip(self.names, result):
            if value is not None and name not in self.points:
                raise GradientCheckError(f"{title}found a value for {name}; expected None.")
        return dict(zip(self.names, result))


def check_GLoVe_gradients(loss_GLoVe, grad_GLoVe, vocab_size=251):
    """Check `grad_GLoVe` by finite differences of `loss_GLoVe`, in both models.

    Both are functions of W (V, d), W_tilde (V, d) or None, b (V, 1), b_tilde (V, 1) or None, and
    log_co_occurrence (V, V), all float64. One returns the loss, the other the gradients of the
    first four, None where the argument is None. Raises `GradientCheckError`.
    """
    judged = {}
    question = "where the residuals form a symmetric matrix: is a transpose missing, or wrong?"
    for model in ("asymmetric", "symmetric"):
        problem = functools.partial(GLoVe, loss_GLoVe, grad_GLoVe, model)
        other, small = problem(9, 4, SEED + 1, question=question), problem(9, 4, SEED)
        full = problem(vocab_size, 16, SEED, is_small=False)
        title = f"grad_GLoVe, {model} model"
        judged[title] = judge(GLoVe.gradient, tuple(small.points), other, small, full)
    report(judged)


# The network


class Batch:
    """A masked batch, what a model computes for it, and the questions to a student's methods."""

    title = question = ""

    def __init__(self, model, params, vocab, words, mask, seed):
        (B, N), V = words.shape, len(vocab)
        params = {name: frozen(np.array(params[name], np.float64)) for name in PARAMETERS}
        self.model = type(model)(type(model.params)(**params), list(vocab))
        self.words, self.mask = words.astype(int), mask.astype(int)
        self.inputs = frozen(self.words * (1 - self.mask))  # (B, N), 0 at the hidden words
        self.targets = frozen(self.model.indicator_matrix(self.words * self.mask))  # (B, N V)
        self.target_mask = frozen(self.mask[:, :, np.newaxis].astype(np.float64))  # (B, N, 1)
        self.activations = self.model.compute_activations(self.inputs)
        for layer in vars(self.activations).values():
            frozen(layer)
        self.y = self.activations.output_layer
        self.points = params | {"loss_derivative": np.log(np.maximum(self.y, TINY))}
        self.sizes = {"B": B, "N": N, "(B N)": B * N, "V": V}
        self.rows = self.counts = None
        # C stands for the derivative of the loss: its rows sum to 0 in the chunk of the masked
        # position and are 0 elsewhere, so that it is the derivative of sum(C * log y) by z.
        possible = self.target_mask * (self.y.reshape(B, N, V) > TINY)
        C = possible * np.random.RandomState(seed).normal(0, 3, possible.shape)
        C -= possible * C.sum(axis=2, keepdims=True) / possible.sum(axis=2, keepdims=True).clip(1)
        self.C = frozen(C.reshape(self.y.shape))

    def loss_derivative(self):
        name, arguments = "compute_loss_derivative", (self.y, self.targets, self.target_mask)
        function = getattr(self.model, name, None)
        return {"loss_derivative": call(name, function, self.counts, *arguments)}

    def gradient(self):
        name, params = "back_propagate", self.model.params
        function, watched = getattr(self.model, name, None), (self.model, params, self.activations)
        arguments = self.inputs, self.activations, self.C
        gradient = call(name, function, self.counts, *arguments, watched=watched)
        if not isinstance(gradient, type(params)):
            text = f"{name} returns a {type(gradient).__name__}; expected Params."
            raise GradientCheckError(text)
        return {name: getattr(gradient, name, None) for name in PARAMETERS}

    def loss(self, name, array):
        """What has the gradient: of z the cross-entropy, of a parameter sum(C * log y)."""
        if name == "loss_derivative":
            z = array.reshape(*self.mask.shape, -1)
            log_y = z - np.log(np.exp(z).sum(axis=2, keepdims=True))
            return -np.sum(self.targets * log_y.reshape(array.shape))
        params = type(self.model.params)(**(vars(self.model.params) | {name: array}))
        y = type(self.model)(params, self.model.vocab).compute_activations(self.inputs).output_layer
        return np.sum(self.C * np.log(np.maximum(y, TINY)))


def times(n):
    return ["never", "once", "twice", f"{n} times"][min(n, 3)]


def small_batch(model, seed):
    """A random `Batch` in which no two sizes are equal; the last word does not occur."""
    random, (B, N, V, D, H) = np.random.RandomState(seed), (8, 3, 9, 4, 7)
    params = {name: random.randn(*shape) for name, shape in parameter_shapes(N, V, D, H).items()}
    words, mask = random.randint(1, V - 1, (B, N)), np.eye(N, dtype=int)[np.arange(B) % N]
    words[0] = words[0, 0]  # a word several times in a window
    batch = Batch(model, params, SMALL_VOCAB, words, mask, seed)
    batch.counts = collections.Counter()
    n_times = np.bincount(batch.inputs.ravel(), minlength=V)
    batch.rows = dict.fromkeys(PARAMETERS, [f"unit {i}" for i in range(H)]) | {
        "loss_derivative": [" ".join(window) for window in np.array(SMALL_VOCAB)[batch.inputs]],
        "word_embedding_weights": [f"{k}, {times(n)}" for k, n in zip(SMALL_VOCAB, n_times)],
    }
    return batch


def given_batch(model, inputs, mask):
    """The `Batch` of the arguments of `check_gradients`; raises `ValueError` if they do not fit."""
    V, N = len(model.vocab), len(model.params.output_bias) // len(model.vocab)
    require_array(ValueError, "inputs", inputs, (None, N), "iu", 1, V - 1)
    require_array(ValueError, "mask", mask, inputs.shape, "iub", 0, 1)
    if not (mask.sum(axis=1) == 1).all():
        raise ValueError("mask: found other rows; expected a single 1 in each row.")
    return Batch(model, vars(model.params), model.vocab, inputs, mask, SEED)


def batches(model, inputs, mask):
    """Two small ones, and one near the arguments that no variable of the notebook is equal to."""
    given, random = given_batch(model, inputs, mask), np.random.RandomState(SEED)
    params = {k: a * random.uniform(0.9, 1.1, a.shape) for k, a in vars(model.params).items()}
    rows = np.arange(-1, len(inputs))  # the last window twice
    words, mask = given.words[rows], np.roll(given.mask[rows], 1, axis=1)
    full = Batch(model, params, model.vocab, words, mask, SEED)
    return small_batch(model, SEED + 1), small_batch(model, SEED), full


def judge_loss_derivative(model, inputs, mask):
    """Verdicts on `compute_loss_derivative`, a list of one; arguments as for `check_gradients`."""
    return judge(Batch.loss_derivative, ["loss_derivative"], *batches(model, inputs, mask))


def judge_back_propagate(model, inputs, mask):
    """Verdicts on `back_propagate`, on its own; arguments as for `check_gradients`."""
    verdicts = judge(Batch.gradient, PARAMETERS, *batches(model, inputs, mask))
    wrong = tuple(verdict.name for verdict in verdicts if verdict.text)
    hidden = "the derivative with respect to the inputs of the hidden units"
    between = {(name,): f"{hidden} and {name}" for name in PARAMETERS[2:]}
    between[PARAMETERS[2:]] = f"loss_derivative and {hidden}"
    if wrong in between:
        first = PARAMETERS.index(wrong[0])
        text = f"{verdicts[first].text}\nAll before it is right, so look between\n{between[wrong]}."
        verdicts[first] = verdicts[first]._replace(text=text)
    return verdicts


def check_loss_derivative(model, inputs, mask):
    """Check `model.compute_loss_derivative` alone; otherwise like `check_gradients`."""
    report({"compute_loss_derivative": judge_loss_derivative(model, inputs, mask)})


def check_gradients(model, inputs, mask):
    """Check `model.compute_loss_derivative` and `model.back_propagate`, each on its own.

    model: a `Model`; what is checked are copies of it in float64. inputs: integers (B, N), whole
    windows of words 1 to V - 1. mask: integers or booleans (B, N), a single 1 a row, at the word to
    hide. Raises `GradientCheckError`, or `ValueError` for arguments that do not fit.
    """
    verdicts = {"compute_loss_derivative": judge_loss_derivative(model, inputs, mask)}
    title = "back_propagate, from a random loss_derivative"
    report(verdicts | {title: judge_back_propagate(model, inputs, mask)})


# Printing


def print_gradients(model, inputs, mask):
    """Print entries of the loss derivative and of the gradients, one `name[index] value` a line.

    Arguments and errors as for `check_gradients`. The batch and the activations decide which
    entries are printed, the gradients do not. What is missing is said after the rest is printed.
    """
    batch = given_batch(model, inputs, mask)
    values = values_of(batch, Batch.loss_derivative, ["loss_derivative"])
    if isinstance(values["loss_derivative"], np.ndarray):
        batch.C = frozen(values["loss_derivative"].copy())
        values |= values_of(batch, Batch.gradient, PARAMETERS)
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
    (_, D), (_, N), V = (
        batch.points["word_embedding_weights"].shape,
        batch.mask.shape,
        batch.sizes["V"],
    )
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
