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
GLOBALS = {}  # what a notebook leaves around: model, inputs, y and t; each test fills it
HIDDEN = {"shows": False}


@dataclass
class Planted:
    target: str  # a key of RIGHT
    name: str
    make: callable  # returns the wrong function, a new one for each test, as some keep results
    says: str | None = None
    shows: bool = True
    sizes: dict = field(default_factory=dict)


def plant(target, make, table):
    """Plant mistakes. The table has by name: what `make` makes a function of, `says`, options."""
    for name, (change, says, *options) in table.items():
        made = functools.partial(make, change)
        PLANTED.append(Planted(target, name, made, says, **(options[0] if options else {})))


# Mistakes that any of the three functions can have: a right result is damaged.


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


SIGN, UNCHANGED = "so they have the opposite sign", "stay the same when"
TWICE = r"ones times 2\."
NO_FLOAT64 = "found {}, shape .*; expected finite float64, shape"
DAMAGES = {
    "sign": (lambda a: -a, SIGN),
    "twice": (lambda a: 2 * a, TWICE),
    "a little too much": (lambda a: a * 1.001, r"ones times 1\.001"),
    "zeros": (np.zeros_like, "are all 0"),
    "constant": (np.ones_like, UNCHANGED),
    "absolute value": (np.abs, None),
    "huge entries of both signs": (lambda a: np.copysign(1.7e308, a), None),
    "one entry off by 1 %": (with_entry(lambda x, a: x + 0.01 * np.abs(a).max()), None, HIDDEN),
    "one NaN": (with_entry(lambda x, a: np.nan), "from nan to nan; expected finite", HIDDEN),
    "None": (lambda a: None, "found None; expected finite float64, shape"),
    "float32": (lambda a: a.astype(np.float32), NO_FLOAT64.format("float32"), HIDDEN),
    "a masked array": (np.ma.masked_invalid, "type MaskedArray"),
    "transposed shape": (lambda a: a.T, NO_FLOAT64.format("float64")),
}


def keep_first_result(function):
    kept = []
    return lambda *arguments: (kept.append(function(*arguments)), kept[0])[1]


def twice_in_the_same_arrays(function):
    """As if the same arrays were filled again in every call on problems of a size."""
    kept = {}

    def filling(*arguments):
        result = function(*arguments)
        arrays = vars(result).values() if isinstance(result, Params) else result
        arrays = (
            [arrays] if isinstance(arrays, np.ndarray) else [a for a in arrays if a is not None]
        )
        first, kept_arrays = kept.setdefault(str([a.shape for a in arrays]), (result, arrays))
        for array, new in zip(kept_arrays, arrays):
            array[...] = 2 * new
        return first

    return filling


def not_written(*arguments):
    raise NotImplementedError("fill in")


for _target, _right in RIGHT.items():
    plant(_target, functools.partial(damaged, _right), DAMAGES)
    wrapped = {
        "keep first result": (keep_first_result, UNCHANGED, HIDDEN),
        "twice, in the same arrays": (twice_in_the_same_arrays, TWICE),
        "not written": (lambda right: not_written, f"{_target} is not written yet"),
    }
    plant(_target, lambda wrap, right=_right: wrap(right), wrapped)


# Mistakes in the source


def softmax(chunks):
    powers = np.exp(chunks - chunks.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


MEAN = "1 / {}, as if a mean"
READ_ONLY = "read-only\nThe caller still needs what it gives"
BEHIND = "look between\n{} and {}".format
TO_HIDDEN = "the derivative with respect to the inputs of the hidden units"
NO_SLOPE = "hid_bias is wrong.*" + BEHIND("loss_derivative", TO_HIDDEN)
TO_EMBEDDING = BEHIND(TO_HIDDEN, "word_embedding_weights")
SQUARE_EMBEDDING = {"sizes": {"H": 12, "D": 3, "N": 4}}  # embed_to_hid_weights is square
SQUARE_OUTPUT = {"sizes": {"V": 5, "N": 2, "H": 10, "B": 60}}  # hid_to_output_weights is square
MIXED = "Along a random direction"  # the shapes agree by accident at the larger one
IN_SOURCE = {  # by the function, and the piece of its source that is replaced
    "grad_GLoVe": {
        "2 * E @ T": {
            "no factor 2 in grad_W": ("E @ T", r"grad_W is wrong.*ones times 0\.5\."),
            "W in grad_W": ("2 * E @ W", None),
            "mean over all entries": ("2 * E @ T / E.size", "V V., as if a mean"),
            "reshaped": ("2 * (T.T @ E.T).reshape(W.shape)", "of the transposed matrix"),
            "five values": ("0, 2 * E @ T", "returns a tuple of 5 values; expected 4: grad_W"),
        },
        "2 * E.T @ W": {"E not transposed in grad_W_tilde": ("2 * E @ W", None)},
        "2 * E @ T, 2 * E.T @ W": {
            "grad_W and grad_W_tilde exchanged": ("2 * E.T @ W, 2 * E @ T", "grad_W is wrong"),
        },
        "2 * E.sum(axis=1)[:, None]": {
            "axis of grad_b": ("2 * E.sum(axis=0)[:, None]", None),
            "mean in grad_b": ("2 * E.mean(axis=1)[:, None]", MEAN.format("V")),
            "grad_b without its axis": ("2 * E.sum(axis=1)", r"shape \(60,\)"),
        },
        "return 2 * E @ T": {
            "returns nothing": ("2 * E @ T", "returns None; expected 4: grad_W"),
        },
        "W @ T.T + b + c.T - X": {
            "residual without biases": ("W @ T.T - X", None),
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
            "symmetric model, E taken as symmetric": ("4 * E @ W", None),
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
    },
    "compute_loss_derivative": {
        "(y - t) * m": {
            "no mask": ("y - t", None),
            "no target": ("y * m", None),
            "target entries alone": ("(y - t) * t", None),
            "target minus probability": ("(t - y) * m", SIGN),
            "mean over the batch": ("(y - t) * m / len(y)", MEAN.format("B")),
            "mean over both": ("(y - t) * m / m.size", "B N., as if a mean"),
            "mask of the next position": ("(y - t) * np.roll(m, 1, axis=1)", None),
            "one position twice": ("(y - t) * m * [[1], [2], *[[1]] * (len(m[0]) - 2)]", None),
            "mask tiled, not repeated": ("y * np.resize(m, y.shape) - t", None),
            "one softmax": ("y * m / y.sum(axis=(1, 2), keepdims=True) - t", None),
            "softmax of the probability": ("softmax(y) * m - t", None),
            "derivative with respect to y": ("-t / y", None),
            "derivative of a sigmoid": ("(y - t) * y * (1 - y) * m", None),
            "words and positions exchanged": ("((y - t) * m).transpose(0, 2, 1)", None),
            "rounded": ("np.round((y - t) * m, 3)", None),
        },
        ".reshape(shape)": {
            "three axes": ("", r"shape \(17, 4, 30\).*; expected .*shape \(17, 120\)"),
        },
        "return": {"changed in place": ("y -= t; return", f"y -= t.*{READ_ONLY}", HIDDEN)},
        "shape = y.shape": {
            "y from outside": ("shape = y.shape; y = np.resize(GLOBALS['y'], shape)", None, HIDDEN),
            "t from outside": ("shape = y.shape; t = np.resize(GLOBALS['t'], shape)", None, HIDDEN),
        },
    },
    "back_propagate": {
        "d.sum(axis=0)": {
            "output_bias, mean": ("d.mean(axis=0)", MEAN.format("B")),
            "output_bias, shared by the positions": (
                "np.tile(d.reshape(-1, len(p.word_embedding_weights)).sum(axis=0), i.shape[1])",
                None,
            ),
        },
        "d.T @ S": {
            "hid_to_output_weights, transposed": ("S.T @ d", r"shape \(7, 120\).*; expected"),
            "hid_to_output_weights, transposed, square": ("S.T @ d", MIXED, SQUARE_OUTPUT),
            "hid_to_output_weights, with the slope": ("d.T @ (S * (1 - S))", None),
        },
        "slope = S * (1 - S)": {
            "slope, forgotten": ("slope = 1", NO_SLOPE),
            "slope, of tanh": ("slope = 1 - S**2", NO_SLOPE),
            "slope, of ReLU": ("slope = S > 0.5", NO_SLOPE),
        },
        "d @ W2": {
            "to hidden units, one position": ("d * (np.arange(len(d[0])) < 9) @ W2", NO_SLOPE),
        },
        "h.sum(axis=0)": {
            "hid_bias, no slope": ("(d @ W2).sum(axis=0)", BEHIND(TO_HIDDEN, "hid_bias")),
            "hid_bias, over the units": ("h.sum(axis=1)", MIXED, {"sizes": {"B": 6, "H": 7}}),
            "a gradient forgotten": ("None", "found None"),
        },
        "h.T @ E": {
            "embed_to_hid_weights, no slope": (
                "(d @ W2).T @ E",
                BEHIND(TO_HIDDEN, "embed_to_hid_weights"),
            ),
            "embed_to_hid_weights, transposed, square": ("E.T @ h", MIXED, SQUARE_EMBEDDING),
            "embed_to_hid_weights, positions reversed": (
                "h.T @ E.reshape(*i.shape, -1)[:, ::-1].reshape(E.shape)",
                None,
            ),
        },
        "h @ W1": {"weights reshaped": ("h @ W1.T.reshape(W1.shape)", TO_EMBEDDING)},
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
        },
        "word_embedding, i, e": {
            "nothing for [MASK]": ("word_embedding, i, e * (i > 0)[..., None]", None),
            "another word for [MASK]": ("word_embedding, np.where(i, i, i.max() + 1), e", None),
            "last position left out": ("word_embedding, i[:, :-1], e[:, :-1]", None),
            "the next position": ("word_embedding, i, np.roll(e, 1, axis=1)", None),
            "blocks read down the columns": (
                "word_embedding, i, e.reshape(len(i), -1, i.shape[1]).transpose(0, 2, 1)",
                None,
            ),
        },
        "return gradient": {
            "forgets to return": ("pass", "returns None; expected Params"),
            "fields in another order": (
                "return Params(*list(vars(gradient).values())[::-1])",
                "output_bias is wrong: found float64, shape",
            ),
            "a layer changed": ("a.hidden_layer *= 2; return gradient", READ_ONLY, HIDDEN),
            "an argument changed": ("d /= len(d); return gradient", READ_ONLY, HIDDEN),
            "parameters replaced": (
                "self.params = gradient; return gradient",
                "back_propagate replaces output_bias, which the caller still needs",
                HIDDEN,
            ),
            "a layer replaced": (
                "a.hidden_layer = S / 2; return gradient",
                "back_propagate replaces hidden_layer",
                HIDDEN,
            ),
        },
        "p, E": {
            "parameters from outside": ("self = GLOBALS['model']; p, E", MIXED, HIDDEN),
            "inputs from outside": ("i = GLOBALS['inputs']; p, E", "stops in line", HIDDEN),
        },
    },
}


def with_piece(target, old, new):
    """A right function with a piece of its source replaced."""
    return replaced(RIGHT[target], old, new, GLOBALS=GLOBALS, softmax=softmax)


for _target, _pieces in IN_SOURCE.items():
    for _old, _table in _pieces.items():
        plant(_target, functools.partial(with_piece, _target, _old), _table)
