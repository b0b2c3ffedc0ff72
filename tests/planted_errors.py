"""Wrong implementations of what a student writes, each with one mistake.

`PLANTED` holds them. Most replace a piece of the source of the right function. `says` is a pattern
that the message of the checker has to match; if it is None, the message must hold no sentence about
"Your values", since none of them would be true. `shows` says whether the mistake changes a line of
`print_gradients`: where it does not, one entry is wrong, or all is right but the dtype, or an
argument is changed, or a variable takes its place. `sizes` are those of `random_problem`, where the
mistake needs shapes that agree by accident.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
from right_implementations import Model, Params, grad_GLoVe, replaced

RIGHT = {
    "grad_GLoVe": grad_GLoVe,
    "compute_loss_derivative": Model.compute_loss_derivative,
    "back_propagate": Model.back_propagate,
}
PLANTED = []
GLOBALS = {}  # what a notebook leaves around: model, inputs, mask and more; each test fills it
HIDDEN = {"shows": False}
SIGN, ZERO, UNCHANGED = "so they have the opposite sign", "are all 0", "stay the same when"
TWICE, HALF, TRANSPOSED = r"ones times 2\.", r"ones times 0\.5\.", "of the transposed matrix"
MEAN = "1 / {}, as if a mean"
READ_ONLY = "read-only\nThe caller still needs what it gives"


@dataclass
class Planted:
    target: str  # a key of RIGHT
    name: str
    make: callable  # returns the wrong function, a new one for each test, as some keep results
    says: str | None = None
    shows: bool = True
    sizes: dict = field(default_factory=dict)

    def model_class(self):
        """`Model` with the mistake, which is in one of its two methods."""
        return type("PlantedModel", (Model,), {self.target: self.make()})


def softmax(chunks):
    powers = np.exp(chunks - chunks.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def plant(target, make, table):
    """Plant mistakes. The table has by name: what `make` makes a function of, `says`, options."""
    for name, (change, says, *options) in table.items():
        made = functools.partial(make, change)
        PLANTED.append(Planted(target, name, made, says, **(options[0] if options else {})))


def plant_in_place_of(old, target, table):
    """Plant mistakes that have something else than `old` in the source."""
    names = {"GLOBALS": GLOBALS, "softmax": softmax}
    plant(target, lambda new: replaced(RIGHT[target], old, new, **names), table)


# Mistakes that any of the three functions can have: a right result is damaged.


def arrays_of(result):
    """The arrays of a gradient, of whichever function."""
    parts = vars(result).values() if isinstance(result, Params) else result
    return [parts] if isinstance(parts, np.ndarray) else [a for a in parts if a is not None]


def damaged(function, change):
    """A function whose results are those of another one, with each array changed."""

    def damaging(*arguments):
        result = function(*arguments)
        if isinstance(result, Params):
            return Params(*map(change, vars(result).values()))
        if isinstance(result, tuple):
            return tuple(None if array is None else change(array) for array in result)
        return change(result)

    return damaging


def with_entry(entry):
    """A change to an entry in the middle."""

    def change(array):
        middle = array.size // 2
        array.flat[middle] = entry(array.flat[middle], array)
        return array

    return change


NO_FLOAT64 = "found {}, shape .*; expected finite float64, shape"
DAMAGES = {
    "sign": (lambda a: -a, SIGN),
    "twice": (lambda a: 2 * a, TWICE),
    "a little too much": (lambda a: a * 1.001, r"ones times 1\.001"),
    "scaled to length 1": (lambda a: a / np.linalg.norm(a), "ones times 0"),
    "zeros": (np.zeros_like, ZERO),
    "constant": (np.ones_like, UNCHANGED),
    "noise": (lambda a: a + 1e-3 * np.cos(np.arange(a.size)).reshape(a.shape), None),
    "absolute value": (np.abs, None),
    "clipped": (lambda a: np.clip(a, -0.2 * a.max(), 0.2 * a.max()), None),
    "huge entries of both signs": (lambda a: np.copysign(1.7e308, a), None),
    "one huge entry": (with_entry(lambda x, a: 1e300), None, HIDDEN),
    "one entry off by 1 %": (with_entry(lambda x, a: x + 0.01 * np.abs(a).max()), None, HIDDEN),
    "NaN": (lambda a: a * np.nan, "from nan to nan; expected finite"),
    "one NaN": (with_entry(lambda x, a: np.nan), "from nan to nan; expected finite", HIDDEN),
    "None": (lambda a: None, "found None; expected finite float64, shape"),
    "a list": (lambda a: a.tolist(), "found a list of "),
    "integers": (lambda a: np.rint(a).astype(int), NO_FLOAT64.format("int64")),
    "float32": (lambda a: a.astype(np.float32), NO_FLOAT64.format("float32"), HIDDEN),
    "a masked array": (np.ma.masked_invalid, "type MaskedArray"),
    "extra axis": (lambda a: a[np.newaxis], r"found float64, shape \(1, "),
    "transposed shape": (lambda a: a.T, NO_FLOAT64.format("float64")),
}


def keep_first_result(function):
    kept = []
    return lambda *arguments: (kept.append(function(*arguments)), kept[0])[1]


def add_up_results(function):
    """As if results of all calls on problems of a size went into the same arrays."""
    kept = {}

    def adding(*arguments):
        result = function(*arguments)
        for i, array in enumerate(arrays_of(result)):
            array += kept.get((i, array.shape), 0)
            kept[i, array.shape] = array.copy()
        return result

    return adding


def twice_in_the_same_arrays(function):
    """As if the same arrays were filled again in every call on problems of a size."""
    kept = {}

    def filling(*arguments):
        result = function(*arguments)
        first = kept.setdefault(str([a.shape for a in arrays_of(result)]), result)
        for array, new in zip(arrays_of(first), arrays_of(result)):
            array[...] = 2 * new
        return first

    return filling


def not_written(*arguments):
    raise NotImplementedError("fill in")


for _target, _right in RIGHT.items():
    plant(_target, functools.partial(damaged, _right), DAMAGES)
    WRAPPED = {
        "keep first result": (keep_first_result, UNCHANGED, HIDDEN),
        "twice, in the same arrays": (twice_in_the_same_arrays, TWICE),
        "not written": (lambda right: not_written, f"{_target} is not written yet"),
    }
    if _target != "grad_GLoVe":  # whose first problem is easier than the second
        WRAPPED["add up results"] = (add_up_results, None, HIDDEN)
    plant(_target, lambda wrap, right=_right: wrap(right), WRAPPED)

# grad_GLoVe

IN_GLOVE = {  # by the piece of the source that is replaced
    "2 * E @ T": {
        "no factor 2 in grad_W": ("E @ T", f"grad_W is wrong.*{HALF}"),
        "E transposed in grad_W": ("2 * E.T @ T", None),
        "W in grad_W": ("2 * E @ W", None),
        "both terms of the symmetric model": ("2 * (E + E.T) @ T", None),
        "mean over all entries": ("2 * E @ T / E.size", "V V., as if a mean"),
        "reshaped, not transposed": ("2 * (T.T @ E.T).reshape(W.shape)", TRANSPOSED),
        "diagonal left out": ("2 * (E - np.diag(np.diag(E))) @ T", None),
        "squares of the residual": ("2 * E**2 @ T", None),
        "weight decay": ("2 * E @ T + 0.01 * W", None),
        "five values": ("0, 2 * E @ T", "returns a tuple of 5 values; expected 4: grad_W"),
    },
    "2 * E.T @ W": {
        "E not transposed in grad_W_tilde": ("2 * E @ W", None),
        "grad_W_tilde zero": ("np.zeros_like(T)", ZERO),
    },
    "2 * E @ T, 2 * E.T @ W": {
        "grad_W and grad_W_tilde exchanged": ("2 * E.T @ W, 2 * E @ T", "grad_W is wrong"),
    },
    "2 * E.sum(axis=1)[:, None]": {
        "axis of grad_b": ("2 * E.sum(axis=0)[:, None]", None),
        "mean in grad_b": ("2 * E.mean(axis=1)[:, None]", MEAN.format("V")),
        "grad_b without its axis": ("2 * E.sum(axis=1)", r"shape \(60,\)"),
    },
    "2 * E.sum(axis=0)[:, None]": {
        "sign of grad_b_tilde": ("-2 * E.sum(axis=0)[:, None]", SIGN),
    },
    ", 2 * E.sum(axis=0)[:, None]": {
        "three values": ("", "returns a tuple of 3 values; expected 4: grad_W"),
    },
    "return 2 * E @ T": {
        "returns nothing": ("2 * E @ T", "returns None; expected 4: grad_W"),
    },
    "W @ T.T + b + c.T - X": {
        "residual without biases": ("W @ T.T - X", None),
        "log X added": ("W @ T.T + b + c.T + X", None),
        "exp of log X": ("W @ T.T + b + c.T - np.exp(X / 9)", None),
        "biases down the columns": ("W @ T.T + b + c - X", None),
    },
    "E = W @ T.T": {
        "updated in place": ("W -= 0.01; E = W @ T.T", f"W -= 0.01.*{READ_ONLY}"),
    },
    "if T is None": {
        "no branch for None": ("if False", "grad_GLoVe stops in line.*NoneType"),
    },
    "2 * S @ W": {
        "symmetric model, one of two terms": ("2 * E @ W", None),
        "symmetric model, the other term": ("2 * E.T @ W", None),
        "symmetric model, E taken as symmetric": ("4 * E @ W", None),
        "symmetric model, difference": ("2 * (E - E.T) @ W", None),
        "symmetric model, no factor 2": ("S @ W", HALF),
    },
    "2 * S.sum(axis=1)[:, None]": {
        "symmetric model, one of two sums": ("2 * E.sum(axis=1)[:, None]", None),
    },
    "2 * S @ W, None": {
        "symmetric model, grad_W_tilde a copy": (
            "2 * S @ W, 2 * S @ W",
            "expected 4: grad_W, None, grad_b, None",
        ),
    },
}
for _old, _table in IN_GLOVE.items():
    plant_in_place_of(_old, "grad_GLoVe", _table)

# compute_loss_derivative

IN_LOSS_DERIVATIVE = {
    "(y - t) * m": {
        "no mask": ("y - t", None),
        "no target": ("y * m", None),
        "target entries alone": ("(y - t) * t", None),
        "sum, not difference": ("y * m + t", None),
        "target minus probability": ("(t - y) * m", SIGN),
        "mean over the batch": ("(y - t) * m / len(y)", MEAN.format("B")),
        "mean over both": ("(y - t) * m / m.size", "B N., as if a mean"),
        "mask of the next position": ("(y - t) * np.roll(m, 1, axis=1)", None),
        "mask tiled, not repeated": (
            "y * np.resize(m, y.shape) - t",
            None,
        ),
        "probability over all positions": ("y * m / y.sum(axis=(1, 2), keepdims=True) - t", None),
        "softmax of the probability": ("softmax(y) * m - t", None),
        "derivative with respect to y": ("-t / y", None),
        "derivative of a sigmoid": ("(y - t) * y * (1 - y) * m", None),
        "squared error": ("(y - t) ** 2 * m", None),
        "most likely word": ("((y == y.max(axis=2, keepdims=True)) - t) * m", None),
        "one position twice": ("(y - t) * m * [[1], [2], *[[1]] * (len(m[0]) - 2)]", None),
        "first window only": ("(y - t) * m * [[[1]], *[[[0]]] * (len(m) - 1)]", None),
        "words and positions exchanged": ("((y - t) * m).transpose(0, 2, 1)", None),
        "probabilities clipped": ("(np.clip(y, 0.01, 0.9) - t) * m", None),
        "rounded": ("np.round((y - t) * m, 3)", None),
    },
    ".reshape(shape)": {
        "three axes": ("", r"shape \(17, 4, 30\).*; expected .*shape \(17, 120\)"),
    },
    "return": {
        "changed in place": ("y -= t; return", f"y -= t.*{READ_ONLY}", HIDDEN),
    },
    "shape = y.shape": {
        "y from outside": ("shape = y.shape; y = np.resize(GLOBALS['y'], shape)", None, HIDDEN),
        "t from outside": ("shape = y.shape; t = np.resize(GLOBALS['t'], shape)", None, HIDDEN),
        "m from outside": ("shape = y.shape; m = np.resize(GLOBALS['m'], m.shape)", None, HIDDEN),
    },
}
for _old, _table in IN_LOSS_DERIVATIVE.items():
    plant_in_place_of(_old, "compute_loss_derivative", _table)

# back_propagate

AFTER_HIDDEN = "look between\nloss_derivative and the derivative with respect to the inputs of the"
BEFORE = "look between\nthe derivative with respect to the .* and {}"
ALL_BEHIND = "hid_bias is wrong.*" + AFTER_HIDDEN
TO_EMBEDDING = BEFORE.format("word_embedding_weights")
SQUARE_EMBEDDING = {"sizes": {"H": 12, "D": 3, "N": 4}}  # embed_to_hid_weights is square
SQUARE_OUTPUT = {"sizes": {"V": 5, "N": 2, "H": 10, "B": 60}}  # hid_to_output_weights is square
MIXED = "Along a random direction"  # the shapes agree by accident at the larger one
IN_BACK_PROPAGATE = {
    "d.sum(axis=0)": {
        "output_bias, mean": ("d.mean(axis=0)", MEAN.format("B")),
        "output_bias, extra axis": ("d.sum(axis=0, keepdims=True)", r"shape \(1, 120\)"),
        "output_bias, shared by the positions": (
            "np.tile(d.reshape(-1, len(p.word_embedding_weights)).sum(axis=0), i.shape[1])",
            None,
        ),
    },
    "d.T @ S": {
        "hid_to_output_weights, mean": ("d.T @ S / len(d)", MEAN.format("B")),
        "hid_to_output_weights, transposed": ("S.T @ d", r"shape \(7, 120\).*; expected"),
        "hid_to_output_weights, transposed, square": ("S.T @ d", MIXED, SQUARE_OUTPUT),
        "hid_to_output_weights, reshaped": ("(S.T @ d).reshape(W2.shape)", TRANSPOSED),
        "hid_to_output_weights, with the slope": ("d.T @ (S * (1 - S))", None),
    },
    "slope = S * (1 - S)": {
        "slope, forgotten": ("slope = 1", ALL_BEHIND),
        "slope, twice": ("slope = (S * (1 - S)) ** 2", ALL_BEHIND),
        "slope, S": ("slope = S", ALL_BEHIND),
        "slope, 1 - S": ("slope = 1 - S", ALL_BEHIND),
        "slope, of tanh": ("slope = 1 - S**2", ALL_BEHIND),
        "slope, of ReLU": ("slope = S > 0.5", ALL_BEHIND),
        "slope, S - 1": ("slope = S * (S - 1)", SIGN),
    },
    "d @ W2": {
        "to hidden units, halved": ("d @ W2 / 2", HALF),
        "to hidden units, weights transposed, square": ("d @ W2.T", MIXED, SQUARE_OUTPUT),
        "to hidden units, one position": ("d * (np.arange(len(d[0])) < 9) @ W2", ALL_BEHIND),
        "to hidden units, bias added": ("(d @ W2 + p.hid_bias)", ALL_BEHIND),
    },
    "h.sum(axis=0)": {
        "hid_bias, no slope": ("(d @ W2).sum(axis=0)", BEFORE.format("hid_bias")),
        "hid_bias, mean": ("h.mean(axis=0)", MEAN.format("B")),
        "hid_bias, over the units": ("h.sum(axis=1)", MIXED, {"sizes": {"B": 6, "H": 7}}),
        "hid_bias, the parameter": ("p.hid_bias.copy()", None),
        "a gradient forgotten": ("None", "found None"),
    },
    "h.T @ E": {
        "embed_to_hid_weights, no slope": ("(d @ W2).T @ E", BEFORE.format("embed_to_hid_weights")),
        "embed_to_hid_weights, transposed": ("E.T @ h", r"shape \(12, 7\).*; expected"),
        "embed_to_hid_weights, transposed, square": ("E.T @ h", MIXED, SQUARE_EMBEDDING),
        "embed_to_hid_weights, positions reversed": (
            "h.T @ E.reshape(*i.shape, -1)[:, ::-1].reshape(E.shape)",
            None,
        ),
    },
    "h @ W1": {
        "to embedding, weights reshaped": ("h @ W1.T.reshape(W1.shape)", TO_EMBEDDING),
        "to embedding, a slope": ("h @ W1 * E * (1 - E)", TO_EMBEDDING),
    },
    "np.add.at(word_embedding, i, e)": {
        "repeated words lost": ("word_embedding[i] += e", TO_EMBEDDING),
        "repeated words lost in a position": (
            "for n in range(i.shape[1]): word_embedding[i[:, n]] += e[:, n]",
            TO_EMBEDDING,
        ),
        "repeated words lost in a window": (
            "for words, rows in zip(i, e): word_embedding[words] += rows",
            TO_EMBEDDING,
        ),
        "repeated words as a mean": (
            "np.add.at(word_embedding, i, e / np.bincount(i.flat)[i][..., None])",
            TO_EMBEDDING,
        ),
    },
    "word_embedding, i, e": {
        "nothing for [MASK]": ("word_embedding, i, e * (i > 0)[..., None]", None),
        "[MASK] alone": ("word_embedding, i, e * (i == 0)[..., None]", None),
        "last position left out": ("word_embedding, i[:, :-1], e[:, :-1]", None),
        "the next position": ("word_embedding, i, np.roll(e, 1, axis=1)", None),
        "blocks read down the columns": (
            "word_embedding, i, e.reshape(len(i), -1, i.shape[1]).transpose(0, 2, 1)",
            None,
        ),
        "another word for [MASK]": (
            "word_embedding, np.where(i, i, i.max() + 1), e",
            None,
        ),
    },
    "return gradient": {
        "forgets to return": ("pass", "returns None; expected Params"),
        "returns a tuple": ("return i, a, d", "returns a tuple of 3 values; expected Params"),
        "fields in another order": (
            "return Params(*list(vars(gradient).values())[::-1])",
            "output_bias is wrong: found float64, shape",
        ),
    },
}
for _statement, _says in {
    "a.hidden_layer *= 2": READ_ONLY,
    "d /= len(d)": READ_ONLY,
    "i += 1": READ_ONLY,
    "p.hid_bias -= 0.1": READ_ONLY,
    "self.params = gradient": "back_propagate replaces output_bias, which the caller still needs",
    "a.hidden_layer = S / 2": "back_propagate replaces hidden_layer",
}.items():
    IN_BACK_PROPAGATE["return gradient"][_statement] = (
        f"{_statement}; return gradient",
        _says,
        HIDDEN,
    )
IN_BACK_PROPAGATE["p, E"] = {
    "parameters from outside": ("self = GLOBALS['model']; p, E", MIXED, HIDDEN),
    "inputs from outside": ("i = GLOBALS['inputs']; p, E", "stops in line", HIDDEN),
    "activations from outside": ("a = GLOBALS['activations']; p, E", "stops in line", HIDDEN),
    "derivative from outside": ("d = GLOBALS['derivative']; p, E", "stops in line", HIDDEN),
}
for _old, _table in IN_BACK_PROPAGATE.items():
    plant_in_place_of(_old, "back_propagate", _table)
