"""Wrong implementations of what a student writes, each with one mistake.

`PLANTED` holds them. `says` is a pattern that the message of the checker has to match; if it is
None, the message must hold no sentence about "Your values", since none of them would be true.
`shows` says whether the mistake changes a line of `print_gradients`: where it does not, one entry
is wrong, or all is right but the dtype, or an argument is changed, or a variable takes its place.
`sizes` are those of `random_problem`, where the mistake needs shapes that agree by accident.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
from right_implementations import Model, Params

PLANTED = []
GLOBALS = {}  # what a notebook leaves around: model, inputs, mask and more; each test fills it
FUNCTIONS = ("grad_GLoVe", "compute_loss_derivative", "back_propagate")
SIGN, ZERO, UNCHANGED = "so they have the opposite sign", "are all 0", "stay the same when"
TWICE, HALF, TRANSPOSED = r"ones times 2\.", r"ones times 0\.5\.", "of the transposed matrix"
MEAN = "1 / {}, as if a mean"
READ_ONLY = "read-only\nThe caller still needs what it gives"


@dataclass
class Planted:
    target: str  # one of FUNCTIONS
    name: str
    make: callable  # returns the wrong function, a new one for each test, as some keep results
    says: str | None = None
    shows: bool = True
    sizes: dict = field(default_factory=dict)

    def model_class(self):
        """``Model`` with the mistake, which is in one of its two methods."""
        return type("PlantedModel", (Model,), {self.target: self.make()})


def plant(target, table, make=lambda function: function):
    """Plant a table of mistakes by name: what `make` makes a function of, `says`, and options."""
    for name, (formula, says, *options) in table.items():
        made = functools.partial(make, formula)
        PLANTED.append(Planted(target, name, made, says, **(options[0] if options else {})))


def right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
    if W_tilde is None:
        both = W @ W.T + b + b.T - log_co_occurrence
        both = both + both.T
        return 2 * both @ W, None, 2 * both.sum(axis=1, keepdims=True), None
    E = W @ W_tilde.T + b + b_tilde.T - log_co_occurrence
    return (
        2 * E @ W_tilde,
        2 * E.T @ W,
        2 * E.sum(axis=1, keepdims=True),
        2 * E.sum(axis=0)[:, None],
    )


RIGHT = {
    "grad_GLoVe": right_GLoVe,
    "compute_loss_derivative": Model.compute_loss_derivative,
    "back_propagate": Model.back_propagate,
}
HIDDEN = {"shows": False}

# Mistakes that any of the three functions can have: a right result is damaged.


def damaged(target, change, only_first=False):
    """The right function, its arrays changed, or only the first of them."""

    def function(*arguments):
        result = RIGHT[target](*arguments)
        is_params, is_tuple = isinstance(result, Params), isinstance(result, tuple)
        arrays = (
            list(vars(result).values()) if is_params else list(result) if is_tuple else [result]
        )
        for i, array in enumerate(arrays):
            if array is not None and not (only_first and i > 0):
                arrays[i] = change(array.copy())
        return Params(*arrays) if is_params else tuple(arrays) if is_tuple else arrays[0]

    return function


def with_entry(entry):
    """A change to an entry in the middle."""

    def change(array):
        array.flat[array.size // 2] = entry(array)
        return array

    return change


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
    "None": (lambda a: None, "found None; expected finite float64, shape"),
    "a list": (lambda a: a.tolist(), "found a list of "),
    "integers": (
        lambda a: np.rint(a).astype(int),
        "found int64, shape .*; expected finite float64",
    ),
    "float32": (
        lambda a: a.astype(np.float32),
        "found float32, shape .*; expected finite float64",
        HIDDEN,
    ),
    "a masked array": (np.ma.masked_invalid, "type MaskedArray"),
    "NaN": (lambda a: a * np.nan, "from nan to nan; expected finite"),
    "extra axis": (lambda a: a[np.newaxis], r"found float64, shape \(1, "),
}
DAMAGES_OF_FIRST = {
    "transposed shape": (lambda a: a.T, "found float64, shape .*; expected finite float64, shape"),
    "one NaN": (with_entry(lambda a: np.nan), "from nan to nan; expected finite", HIDDEN),
    "one huge entry": (with_entry(lambda a: 1e300), None, HIDDEN),
    "one entry off by 1 %": (
        with_entry(lambda a: a.flat[a.size // 2] + 0.01 * np.abs(a).max()),
        None,
        HIDDEN,
    ),
}


def arrays_of(result):
    """The arrays of a gradient, of whichever function."""
    parts = vars(result).values() if isinstance(result, Params) else result
    return [parts] if isinstance(parts, np.ndarray) else [a for a in parts if a is not None]


def keep_first_result(function):
    kept = []
    return lambda *arguments: (kept.append(function(*arguments)), kept[0])[1]


def add_up_results(function):
    """As if results of all calls on problems of a size went into the same arrays."""
    kept = {}

    def adding(*arguments):
        result = function(*arguments)
        sums = kept.setdefault(str([a.shape for a in arrays_of(result)]), [])
        for i, array in enumerate(arrays_of(result)):
            array += sums[i] if len(sums) > i else 0
        sums[:] = [array.copy() for array in arrays_of(result)]
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


for _target in FUNCTIONS:
    plant(_target, DAMAGES, functools.partial(damaged, _target))
    plant(
        _target,
        DAMAGES_OF_FIRST,
        lambda change, target=_target: damaged(target, change, only_first=True),
    )
    KEPT = {
        "keep first result": (keep_first_result, UNCHANGED, HIDDEN),
        "twice, in the same arrays": (twice_in_the_same_arrays, TWICE),
    }
    if _target != "grad_GLoVe":  # whose first problem is easier than the second
        KEPT["add up results"] = (add_up_results, None, HIDDEN)
    plant(_target, KEPT, lambda wrap, target=_target: wrap(RIGHT[target]))

# grad_GLoVe. Each formula returns what replaces the gradients 0 to 3, from E the residual, U = W
# and T = W_tilde; the right one is `right_GLoVe`.


def glove_with(gradients, is_symmetric=False):
    """A ``grad_GLoVe`` that is wrong in one of the two models only."""

    def grad_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
        right = right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
        if (W_tilde is None) != is_symmetric:
            return right
        T, c = (W, b) if is_symmetric else (W_tilde, b_tilde)
        changed = gradients(W @ T.T + b + c.T - log_co_occurrence, W, T)
        return tuple(changed.get(i, gradient) for i, gradient in enumerate(right))

    return grad_GLoVe


def glove_of_residual(residual):
    """A ``grad_GLoVe`` with another residual in the asymmetric model."""

    def grad_GLoVe(W, T, b, c, X):
        if T is None:
            return right_GLoVe(W, T, b, c, X)
        E = residual(W, T, b, c, X)
        return 2 * E @ T, 2 * E.T @ W, 2 * E.sum(axis=1, keepdims=True), 2 * E.sum(axis=0)[:, None]

    return grad_GLoVe


plant(
    "grad_GLoVe",
    {
        "no factor 2 in grad_W": (lambda E, U, T: {0: E @ T}, f"grad_W is wrong(.|\n)*{HALF}"),
        "sign of grad_b_tilde": (lambda E, U, T: {3: -2 * E.sum(axis=0)[:, None]}, SIGN),
        "E transposed in grad_W": (lambda E, U, T: {0: 2 * E.T @ T}, None),
        "E not transposed in grad_W_tilde": (lambda E, U, T: {1: 2 * E @ U}, None),
        "W in grad_W": (lambda E, U, T: {0: 2 * E @ U}, None),
        "grad_W and grad_W_tilde exchanged": (
            lambda E, U, T: {0: 2 * E.T @ U, 1: 2 * E @ T},
            "grad_W is wrong",
        ),
        "both terms of the symmetric model": (lambda E, U, T: {0: 2 * (E + E.T) @ T}, None),
        "axis of grad_b": (lambda E, U, T: {2: 2 * E.sum(axis=0)[:, None]}, None),
        "mean in grad_b": (lambda E, U, T: {2: 2 * E.mean(axis=1)[:, None]}, MEAN.format("V")),
        "mean over all entries": (lambda E, U, T: {0: 2 * E @ T / E.size}, "V V., as if a mean"),
        "grad_b without its axis": (lambda E, U, T: {2: 2 * E.sum(axis=1)}, r"shape \(251,\)"),
        "reshaped, not transposed": (
            lambda E, U, T: {0: 2 * (T.T @ E.T).reshape(U.shape)},
            TRANSPOSED,
        ),
        "diagonal left out": (lambda E, U, T: {0: 2 * (E - np.diag(np.diag(E))) @ T}, None),
        "squares of the residual": (lambda E, U, T: {0: 2 * E**2 @ T}, None),
        "grad_W_tilde zero": (lambda E, U, T: {1: np.zeros_like(T)}, ZERO),
        "weight decay": (lambda E, U, T: {0: 2 * E @ T + 0.01 * U}, None),
    },
    glove_with,
)
plant(
    "grad_GLoVe",
    {
        "symmetric model, one of two terms": (lambda E, U, T: {0: 2 * E @ U}, None),
        "symmetric model, the other term": (lambda E, U, T: {0: 2 * E.T @ U}, None),
        "symmetric model, E taken as symmetric": (lambda E, U, T: {0: 4 * E @ U}, None),
        "symmetric model, one of two sums": (
            lambda E, U, T: {2: 2 * E.sum(axis=1, keepdims=True)},
            None,
        ),
        "symmetric model, difference": (lambda E, U, T: {0: 2 * (E - E.T) @ U}, None),
        "symmetric model, no factor 2": (lambda E, U, T: {0: (E + E.T) @ U}, HALF),
        "symmetric model, grad_W_tilde a copy": (
            lambda E, U, T: {1: 2 * (E + E.T) @ U},
            "expected 4: grad_W, None, grad_b, None",
        ),
    },
    functools.partial(glove_with, is_symmetric=True),
)
plant(
    "grad_GLoVe",
    {
        "residual without biases": (lambda W, T, b, c, X: W @ T.T - X, None),
        "log X added": (lambda W, T, b, c, X: W @ T.T + b + c.T + X, None),
        "exp of log X": (lambda W, T, b, c, X: W @ T.T + b + c.T - np.exp(X / 9), None),
        "biases down the columns": (lambda W, T, b, c, X: W @ T.T + b + c - X, None),
    },
    glove_of_residual,
)


def w_updated_in_place(W, *rest):
    gradients = right_GLoVe(W, *rest)
    W -= 0.01 * gradients[0]
    return gradients


def no_branch_for_none(W, T, b, c, X):
    E = W @ T.T + b + c.T - X
    return 2 * E @ T, 2 * E.T @ W, 2 * E.sum(axis=1, keepdims=True), 2 * E.sum(axis=0)[:, None]


def not_written(*arguments):
    raise NotImplementedError("fill in")


plant(
    "grad_GLoVe",
    {
        "three values": (
            lambda *a: right_GLoVe(*a)[:3],
            "returns a tuple of 3 values; expected 4: grad_W",
        ),
        "five values": (
            lambda *a: (0, *right_GLoVe(*a)),
            "returns a tuple of 5 values; expected 4: grad_W",
        ),
        "returns nothing": (lambda *a: None, "returns None; expected 4: grad_W"),
        "updated in place": (w_updated_in_place, rf"W -= 0.01(.|\n)*{READ_ONLY}"),
        "no branch for None": (
            no_branch_for_none,
            "grad_GLoVe stops in line(.|\n)*NoneType",
        ),
        "not written": (not_written, "grad_GLoVe is not written yet"),
    },
)

# compute_loss_derivative. Each formula gets y, t (B, N, V) and the mask m (B, N, 1).


def softmax(chunks):
    powers = np.exp(chunks - chunks.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def block_of(y, n):
    return (np.arange(y.shape[1]) == n)[:, np.newaxis]


def derivative_from(formula):
    def compute_loss_derivative(self, output_activations, expanded_target_batch, target_mask):
        y, t = (
            a.reshape(*target_mask.shape[:2], -1)
            for a in (output_activations, expanded_target_batch)
        )
        return formula(y, t, target_mask).reshape(output_activations.shape)

    return compute_loss_derivative


plant(
    "compute_loss_derivative",
    {
        "no mask": (lambda y, t, m: y - t, None),
        "no target": (lambda y, t, m: y * m, None),
        "target entries alone": (lambda y, t, m: (y - t) * t, None),
        "sum, not difference": (lambda y, t, m: y * m + t, None),
        "target minus probability": (lambda y, t, m: (t - y) * m, SIGN),
        "mean over the batch": (lambda y, t, m: (y - t) * m / len(y), MEAN.format("B")),
        "mean over both": (lambda y, t, m: (y - t) * m / y[..., 0].size, "B N., as if a mean"),
        "mask of the next position": (lambda y, t, m: (y - t) * np.roll(m, 1, axis=1), None),
        "mask tiled, not repeated": (
            lambda y, t, m: y * np.tile(m[:, :, 0], (1, y.shape[2])).reshape(y.shape) - t,
            None,
        ),
        "probability over all positions": (
            lambda y, t, m: y * m / y.sum(axis=(1, 2))[:, None, None] - t,
            None,
        ),
        "softmax of the probability": (lambda y, t, m: softmax(y) * m - t, None),
        "derivative with respect to y": (lambda y, t, m: -t / y, None),
        "derivative of a sigmoid": (lambda y, t, m: (y - t) * y * (1 - y) * m, None),
        "squared error": (lambda y, t, m: (y - t) ** 2 * m, None),
        "most likely word": (lambda y, t, m: ((y == y.max(2, keepdims=True)) - t) * m, None),
        "one position twice": (lambda y, t, m: (y - t) * m * (1 + block_of(y, 1)), None),
        "first window only": (
            lambda y, t, m: (y - t) * m * (np.arange(len(y)) < 1)[:, None, None],
            None,
        ),
        "words and positions exchanged": (lambda y, t, m: ((y - t) * m).transpose(0, 2, 1), None),
        "probabilities clipped": (lambda y, t, m: (np.clip(y, 0.01, 0.9) - t) * m, None),
        "rounded": (lambda y, t, m: np.round((y - t) * m, 3), None),
    },
    derivative_from,
)


def changed_in_place(self, y, t, m):
    y -= t
    return y * np.repeat(m[:, :, 0], len(self.vocab), axis=1)


plant(
    "compute_loss_derivative",
    {
        "three axes": (
            lambda self, y, t, m: (y - t).reshape(*m.shape[:2], -1) * m,
            r"shape \(17, 4, 30\).*; expected .*shape \(17, 120\)",
        ),
        "changed in place": (changed_in_place, f"y -= t(.|\n)*{READ_ONLY}", HIDDEN),
        "not written": (not_written, "compute_loss_derivative is not written yet"),
    },
)

# back_propagate: the right computation with some steps replaced. p parameters, i input_batch, a
# activations, d loss_derivative; h and e are the derivatives with respect to the inputs of the
# hidden units and to the embedding layer.

STEPS = {  # in the order of the computation
    "to_hidden": lambda p, i, a, d: d @ p.hid_to_output_weights,
    "slope": lambda p, i, a, d: a.hidden_layer * (1 - a.hidden_layer),
    "output_bias": lambda p, i, a, d: d.sum(axis=0),
    "hid_to_output_weights": lambda p, i, a, d: d.T @ a.hidden_layer,
    "hid_bias": lambda p, i, a, d, h: h.sum(axis=0),
    "embed_to_hid_weights": lambda p, i, a, d, h: h.T @ a.embedding_layer,
    "to_embedding": lambda p, i, a, d, h: h @ p.embed_to_hid_weights,
    "word_embedding_weights": lambda p, i, a, d, h, e: add_rows(p, i, e),
}


def add_rows(p, i, e):
    gradient = np.zeros_like(p.word_embedding_weights)
    np.add.at(gradient, i, e.reshape(*i.shape, -1))
    return gradient


def back_propagate_with(changed):
    """A ``back_propagate`` with some of the steps replaced."""
    step = STEPS | changed

    def back_propagate(self, input_batch, activations, loss_derivative):
        given = (self.params, input_batch, activations, loss_derivative)
        h = step["to_hidden"](*given) * step["slope"](*given)
        e = step["to_embedding"](*given, h)
        return Params(
            output_bias=step["output_bias"](*given),
            hid_to_output_weights=step["hid_to_output_weights"](*given),
            hid_bias=step["hid_bias"](*given, h),
            embed_to_hid_weights=step["embed_to_hid_weights"](*given, h),
            word_embedding_weights=step["word_embedding_weights"](*given, h, e),
        )

    return back_propagate


def lose_repeats(p, i, a, d, h, e):
    gradient = np.zeros_like(p.word_embedding_weights)
    gradient[i] += e.reshape(*i.shape, -1)
    return gradient


def lose_repeats_in_a_position(p, i, a, d, h, e):
    gradient = np.zeros_like(p.word_embedding_weights)
    for n, at_position in enumerate(np.split(e, i.shape[1], axis=1)):
        gradient[i[:, n]] += at_position
    return gradient


def lose_repeats_in_a_window(p, i, a, d, h, e):
    gradient = np.zeros_like(p.word_embedding_weights)
    for words, row in zip(i, e.reshape(*i.shape, -1), strict=True):
        gradient[words] += row
    return gradient


def repeats_as_a_mean(p, i, a, d, h, e):
    counts = np.bincount(i.ravel(), minlength=len(p.word_embedding_weights))
    return add_rows(p, i, e) / np.maximum(1, counts)[:, None]


def blocks(change):
    """Rows added up after a change to the blocks (B, N, D)."""
    return lambda p, i, a, d, h, e: add_rows(p, i, change(e.reshape(*i.shape, -1), i))


AFTER_HIDDEN = "look between\nloss_derivative and the derivative with respect to the inputs of the"
TO_EMBEDDING = "look between\nthe derivative with respect to the .* and word_embedding_weights"
ALL_BEHIND = "hid_bias is wrong(.|\n)*" + AFTER_HIDDEN
SQUARE_EMBEDDING = {"sizes": {"H": 12, "D": 3, "N": 4}}  # embed_to_hid_weights is square
SQUARE_OUTPUT = {"sizes": {"V": 5, "N": 2, "H": 10, "B": 60}}  # hid_to_output_weights is square
MIXED = "Along a random direction"  # the shapes agree by accident at the larger one
STEP_ERRORS = {  # by name of the step that is replaced, and then of the mistake
    "output_bias": {
        "mean": (lambda p, i, a, d: d.mean(axis=0), MEAN.format("B")),
        "extra axis": (lambda p, i, a, d: d.sum(axis=0, keepdims=True), r"shape \(1, 120\)"),
        "shared by the positions": (
            lambda p, i, a, d: np.tile(d.sum(0).reshape(i.shape[1], -1).sum(0), i.shape[1]),
            None,
        ),
    },
    "hid_to_output_weights": {
        "mean": (lambda p, i, a, d: d.T @ a.hidden_layer / len(d), MEAN.format("B")),
        "transposed": (lambda p, i, a, d: a.hidden_layer.T @ d, r"shape \(7, 120\).*; expected"),
        "transposed, square": (lambda p, i, a, d: a.hidden_layer.T @ d, MIXED, SQUARE_OUTPUT),
        "reshaped": (
            lambda p, i, a, d: (a.hidden_layer.T @ d).reshape(p.hid_to_output_weights.shape),
            TRANSPOSED,
        ),
        "with the slope": (lambda p, i, a, d: d.T @ (a.hidden_layer * (1 - a.hidden_layer)), None),
    },
    "slope": {
        "forgotten": (lambda p, i, a, d: 1, ALL_BEHIND),
        "twice": (lambda p, i, a, d: (a.hidden_layer * (1 - a.hidden_layer)) ** 2, ALL_BEHIND),
        "h": (lambda p, i, a, d: a.hidden_layer, ALL_BEHIND),
        "1 - h": (lambda p, i, a, d: 1 - a.hidden_layer, ALL_BEHIND),
        "of tanh": (lambda p, i, a, d: 1 - a.hidden_layer**2, ALL_BEHIND),
        "of ReLU": (lambda p, i, a, d: a.hidden_layer > 0.5, ALL_BEHIND),
        "h - 1": (lambda p, i, a, d: a.hidden_layer * (a.hidden_layer - 1), SIGN),
    },
    "to_hidden": {
        "halved": (lambda p, i, a, d: d @ p.hid_to_output_weights / 2, HALF),
        "weights transposed, square": (
            lambda p, i, a, d: d @ p.hid_to_output_weights.T,
            MIXED,
            SQUARE_OUTPUT,
        ),
        "one position": (
            lambda p, i, a, d: d * (np.arange(len(d[0])) < 9) @ p.hid_to_output_weights,
            ALL_BEHIND,
        ),
        "bias added": (lambda p, i, a, d: d @ p.hid_to_output_weights + p.hid_bias, ALL_BEHIND),
    },
    "hid_bias": {
        "no slope": (
            lambda p, i, a, d, h: (d @ p.hid_to_output_weights).sum(axis=0),
            "look between\nthe derivative with respect to the .* and hid_bias",
        ),
        "mean": (lambda p, i, a, d, h: h.mean(axis=0), MEAN.format("B")),
        "over the units": (lambda p, i, a, d, h: h.sum(axis=1), MIXED, {"sizes": {"B": 6, "H": 7}}),
        "the parameter": (lambda p, i, a, d, h: p.hid_bias.copy(), None),
    },
    "embed_to_hid_weights": {
        "no slope": (
            lambda p, i, a, d, h: (d @ p.hid_to_output_weights).T @ a.embedding_layer,
            "look between\nthe derivative with respect to the .* and embed_to_hid_weights",
        ),
        "transposed": (
            lambda p, i, a, d, h: a.embedding_layer.T @ h,
            r"shape \(12, 7\).*; expected",
        ),
        "transposed, square": (
            lambda p, i, a, d, h: a.embedding_layer.T @ h,
            MIXED,
            SQUARE_EMBEDDING,
        ),
        "positions reversed": (
            lambda p, i, a, d, h: (
                h.T @ a.embedding_layer.reshape(*i.shape, -1)[:, ::-1].reshape(len(i), -1)
            ),
            None,
        ),
    },
    "to_embedding": {
        "weights reshaped": (
            lambda p, i, a, d, h: (
                h @ p.embed_to_hid_weights.T.reshape(p.embed_to_hid_weights.shape)
            ),
            TO_EMBEDDING,
        ),
        "a slope": (
            lambda p, i, a, d, h: (
                (h @ p.embed_to_hid_weights) * a.embedding_layer * (1 - a.embedding_layer)
            ),
            TO_EMBEDDING,
        ),
    },
    "word_embedding_weights": {
        "repeated words lost": (lose_repeats, TO_EMBEDDING),
        "repeated words lost in a position": (lose_repeats_in_a_position, TO_EMBEDDING),
        "repeated words lost in a window": (lose_repeats_in_a_window, TO_EMBEDDING),
        "repeated words as a mean": (repeats_as_a_mean, TO_EMBEDDING),
        "nothing for [MASK]": (blocks(lambda e, i: e * (i > 0)[..., None]), None),
        "[MASK] alone": (blocks(lambda e, i: e * (i == 0)[..., None]), None),
        "last position left out": (
            blocks(lambda e, i: np.concatenate([e[:, :-1], 0 * e[:, -1:]], axis=1)),
            None,
        ),
        "the next position": (blocks(lambda e, i: np.roll(e, 1, axis=1)), None),
        "blocks read down the columns": (
            blocks(lambda e, i: e.reshape(len(i), -1, i.shape[1]).transpose(0, 2, 1)),
            None,
        ),
        "another word for [MASK]": (
            lambda p, i, a, d, h, e: add_rows(
                p, np.where(i == 0, len(p.output_bias) // i.shape[1] - 1, i), e
            ),
            None,
        ),
    },
}
for _step, _table in STEP_ERRORS.items():
    plant(
        "back_propagate",
        {f"{_step}, {name}": mistake for name, mistake in _table.items()},
        lambda formula, step=_step: back_propagate_with({step: formula}),
    )


def afterwards(damage):
    """The right gradient, and then damage to it or to what the function got."""

    def back_propagate(self, i, a, d):
        gradient = Model.back_propagate(self, i, a, d)
        damage(self, gradient, i, a, d)
        return gradient

    return back_propagate


def statement(text):
    return lambda self, gradient, i, a, d: exec(text, {"np": np}, locals())


plant(
    "back_propagate",
    {
        "forgets to return": (lambda s, i, a, d: None, "returns None; expected Params"),
        "returns a tuple": (
            lambda s, i, a, d: (i, a, d),
            "returns a tuple of 3 values; expected Params",
        ),
        "fields in another order": (
            lambda *given: Params(*list(vars(Model.back_propagate(*given)).values())[::-1]),
            "output_bias is wrong: found float64, shape",
        ),
        "not written": (not_written, "back_propagate is not written yet"),
    },
)
plant(
    "back_propagate",
    {
        "a gradient forgotten": (statement("gradient.hid_bias = None"), "found None"),
        "hidden layer changed": (statement("a.hidden_layer *= 2"), READ_ONLY, HIDDEN),
        "derivative changed": (statement("d /= len(d)"), READ_ONLY, HIDDEN),
        "inputs changed": (statement("i += 1"), READ_ONLY, HIDDEN),
        "parameters updated": (statement("self.params.hid_bias -= 0.1"), READ_ONLY, HIDDEN),
        "parameters replaced": (
            statement("self.params = gradient"),
            "back_propagate replaces output_bias, which the caller still needs",
            HIDDEN,
        ),
        "hidden layer replaced": (
            statement("a.hidden_layer = a.hidden_layer / 2"),
            "back_propagate replaces hidden_layer",
            HIDDEN,
        ),
    },
    afterwards,
)

# Variables of the notebook in the place of arguments.


def derivative_with_global(name):
    def compute_loss_derivative(self, y, t, m):
        given = {"y": y, "t": t, "m": m}
        given[name] = np.resize(GLOBALS[name], given[name].shape)
        return Model.compute_loss_derivative(self, *given.values())

    return compute_loss_derivative


def back_with_global(name):
    def back_propagate(self, i, a, d):
        given = {"model": self, "inputs": i, "activations": a, "derivative": d}
        return Model.back_propagate(*(given | {name: GLOBALS[name]}).values())

    return back_propagate


plant(
    "compute_loss_derivative",
    {f"{name} from outside": (name, None, HIDDEN) for name in ("y", "t", "m")},
    derivative_with_global,
)
plant(
    "back_propagate",
    {
        "parameters from outside": ("model", MIXED, HIDDEN),
        "inputs from outside": ("inputs", "stops in line", HIDDEN),
        "activations from outside": ("activations", "stops in line", HIDDEN),
        "derivative from outside": ("derivative", "stops in line", HIDDEN),
    },
    back_with_global,
)
