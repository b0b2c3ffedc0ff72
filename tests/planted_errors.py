"""Wrong implementations of what a student writes, each with one mistake.

`PLANTED` holds them. `cause` is what the checker has to say about the mistake: a piece of the line
"It looks as if ...", or None where that line must not appear, since none of its sentences is true.
`shows` says whether the mistake changes a line of `print_gradients`; where it is False, single
entries are wrong, or everything is right but the dtype, or an argument is changed afterwards.
`sizes` are those of `random_problem`, where the mistake needs shapes that agree by accident.
`raises` is what the mistake ends in, where NumPy finds it before the checker can.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
from right_implementations import Model, Params

import checking

PLANTED = []
GLOBALS = {}  # what a notebook leaves around: model, inputs, mask and more; each test fills it
TARGETS_REVERSED = "only what belongs to the target words is wrong: your values there have the opp"
FUNCTIONS = ("grad_GLoVe", "compute_loss_derivative", "back_propagate")
SQUARE_EMBEDDING = {"H": 12, "D": 3, "N": 4}  # embed_to_hid_weights is square
SQUARE_OUTPUT = {"V": 5, "N": 2, "H": 10, "B": 60}  # hid_to_output_weights is square
B_IS_H = {"B": 7, "H": 7}


@dataclass
class Planted:
    name: str
    target: str  # one of FUNCTIONS
    make: callable  # returns the wrong function, anew for each test, as some keep results
    cause: str | None = None
    shows: bool = True
    sizes: dict = field(default_factory=dict)
    raises: type = checking.GradientCheckError

    def model_class(self):
        """``Model`` with the mistake, which is in one of its two methods."""
        return type("PlantedModel", (Model,), {self.target: self.make()})


def plant(target, make, name=None, **options):
    name = name or make.__name__
    PLANTED.append(Planted(f"{target}: {name.replace('_', ' ')}", target, make, **options))


def planted(target, **options):
    """Decorator: plants a function that has the signature of the target."""

    def register(function):
        plant(target, lambda: function, name=function.__name__, **options)
        return function

    return register


# Mistakes that any of the three functions can have: a right result is damaged.


def damaged(target, damage):
    """The right function, its result (a list of arrays) changed by ``damage``."""

    def function(*arguments):
        result = RIGHT[target](*arguments)
        if target == "grad_GLoVe":
            arrays = damage([array for array in result if array is not None])
            symmetric = arguments[1] is None
            return (arrays[0], None, arrays[1], None) if symmetric else tuple(arrays)
        if target == "back_propagate":
            return Params(*damage(list(vars(result).values())))
        return damage([result])[0]

    return function


def one(which, change):
    """A damage to one array of several."""

    def damage(arrays):
        return [change(a.copy()) if i == which % len(arrays) else a for i, a in enumerate(arrays)]

    return damage


def every(change):
    return lambda arrays: [change(array.copy()) for array in arrays]


def with_entry(value):
    """Set an entry in the middle."""

    def change(array):
        array.flat[array.size // 2] = value
        return array

    return change


def add_to_entry(share):
    """Add a share of the largest entry to an entry in the middle."""

    def change(array):
        array.flat[array.size // 2] += share * np.abs(array).max()
        return array

    return change


def shuffle_row(array):
    # a row that has entries which differ
    row = array[np.abs(array).sum(axis=-1).argmax()] if array.ndim == 2 else array
    row[...] = row[::-1].copy() + 0.5 * np.abs(row).max()
    return array


def keep_first_result(function):
    """As if results of the first call were kept."""
    kept = []

    @functools.wraps(function)
    def keeping(*arguments):
        kept.append(function(*arguments))
        return kept[0]

    return keeping


def arrays_of(result):
    """The arrays of a gradient, of whichever function."""
    parts = vars(result).values() if isinstance(result, Params) else result
    return (
        [parts] if isinstance(parts, np.ndarray) else [part for part in parts if part is not None]
    )


def add_up_results(function):
    """As if results of all calls went into the same arrays."""
    kept = []

    @functools.wraps(function)
    def adding(*arguments):
        kept.append(function(*arguments))
        for array, earlier in zip(
            *(arrays_of(result) for result in (kept[-1], kept[0])), strict=True
        ):
            if len(kept) > 1:
                array += earlier
        return kept[-1]

    return adding


def reuse_arrays(function):
    """As if the same arrays were filled anew in every call."""
    kept = {}

    @functools.wraps(function)
    def reusing(*arguments):
        result = function(*arguments)
        shapes = tuple(array.shape for array in arrays_of(result))
        for array, new in zip(arrays_of(kept.setdefault(shapes, result)), arrays_of(result)):
            array[...] = new
        return kept[shapes]

    return reusing


def right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
    if W_tilde is None:
        residual = W @ W.T + b + b.T - log_co_occurrence
        both = residual + residual.T
        return 2 * both @ W, None, 2 * both.sum(axis=1, keepdims=True), None
    residual = W @ W_tilde.T + b + b_tilde.T - log_co_occurrence
    return (
        2 * residual @ W_tilde,
        2 * residual.T @ W,
        2 * residual.sum(axis=1, keepdims=True),
        2 * residual.sum(axis=0)[:, np.newaxis],
    )


RIGHT = {
    "grad_GLoVe": right_GLoVe,
    "compute_loss_derivative": Model.compute_loss_derivative,
    "back_propagate": Model.back_propagate,
}

for _target in FUNCTIONS:
    for _name, _damage, _options in [
        (
            "sign of everything",
            every(lambda a: -a),
            {"cause": "your values have the opposite sign"},
        ),
        ("twice", every(lambda a: 2 * a), {"cause": "your values are 2 times"}),
        ("minus twice", every(lambda a: -2 * a), {"cause": "your values are -2 times"}),
        ("an eighth", every(lambda a: a / 8), {"cause": "your values are 0.125 times"}),
        ("zeros", every(np.zeros_like), {"cause": "your values are all 0"}),
        ("constant", every(np.ones_like), {"cause": "stay the same when"}),
        ("None", every(lambda a: None), {}),
        ("a list", every(lambda a: a.tolist()), {}),
        ("integers", every(lambda a: np.rint(a).astype(int)), {}),
        ("booleans", every(lambda a: a > 0), {}),
        ("float32", every(lambda a: a.astype(np.float32)), {"shows": False}),
        ("complex", every(lambda a: a.astype(complex)), {}),
        ("objects", every(lambda a: a.astype(object)), {}),
        ("a masked array", every(np.ma.masked_invalid), {}),
        ("one NaN", one(0, with_entry(np.nan)), {"shows": False}),
        ("all NaN", every(lambda a: a * np.nan), {}),
        ("one infinity", one(-1, with_entry(np.inf)), {"shows": False}),
        ("one huge entry", one(0, with_entry(1e300)), {"cause": "only entry", "shows": False}),
        ("huge entries of both signs", every(lambda a: np.copysign(1.7e308, a)), {}),
        ("transposed shape", one(0, lambda a: a.T), {}),
        ("flat", one(0, lambda a: a.ravel()), {}),
        ("extra axis", every(lambda a: a[np.newaxis]), {}),
        ("one row too few", every(lambda a: a[:-1]), {}),
        ("one wrong entry", one(0, add_to_entry(0.5)), {"cause": "only entry", "shows": False}),
        (
            "one entry off by 1 %",
            one(0, add_to_entry(0.01)),
            {"cause": "only entry", "shows": False},
        ),
        ("one wrong row", one(0, shuffle_row), {"cause": r"only (the )?row", "shows": False}),
        ("a little too much", every(lambda a: a * 1.001), {"cause": "your values are 1.001 times"}),
        ("noise", every(lambda a: a + 1e-3 * np.cos(np.arange(a.size)).reshape(a.shape)), {}),
        ("clipped", every(lambda a: np.clip(a, -0.2 * a.max(), 0.2 * a.max())), {}),
        (
            "absolute value",
            every(np.abs),
            {"cause": TARGETS_REVERSED if _target == "compute_loss_derivative" else None},
        ),
        ("squares", every(np.square), {}),
        (
            "scaled to length 1",
            every(lambda a: a / np.linalg.norm(a)),
            {"cause": "times the finite differences"},
        ),
    ]:
        plant(_target, functools.partial(damaged, _target, _damage), _name, **_options)
    plant(
        _target,
        lambda target=_target: reuse_arrays(damaged(target, every(lambda a: 2 * a))),
        "twice, in the same arrays",
        cause="your values are 2 times",
    )
    for _wrap, _cause in ((keep_first_result, "stay the same when"), (add_up_results, None)):
        plant(
            _target,
            lambda target=_target, wrap=_wrap: wrap(RIGHT[target]),
            _wrap.__name__,
            cause=_cause,
            shows=False,
        )


for _target in ("grad_GLoVe", "back_propagate"):  # a derivative of the loss is never above 1
    _clip = every(lambda a: np.clip(a, -1, 1))
    plant(_target, functools.partial(damaged, _target, _clip), "clipped at 1", shows=False)


# grad_GLoVe. Each formula names what it returns; the right one is ``right_GLoVe``.


def residual_of(W, W_tilde, b, b_tilde, log_co_occurrence):
    return W @ W_tilde.T + b + b_tilde.T - log_co_occurrence


def asymmetric(gradients):
    """A ``grad_GLoVe`` that is wrong in the asymmetric model only."""

    def grad_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
        if W_tilde is None:
            return right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
        right = right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
        residual = residual_of(W, W_tilde, b, b_tilde, log_co_occurrence)
        changed = gradients(residual, W, W_tilde)
        return tuple(changed.get(i, gradient) for i, gradient in enumerate(right))

    return grad_GLoVe


def symmetric(gradients):
    """A ``grad_GLoVe`` that is wrong in the symmetric model only."""

    def grad_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
        right = right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
        if W_tilde is not None:
            return right
        changed = gradients(residual_of(W, W, b, b, log_co_occurrence), W)
        return tuple(changed.get(i, gradient) for i, gradient in enumerate(right))

    return grad_GLoVe


def wrong_residual(residual):
    """A ``grad_GLoVe`` with another residual in the asymmetric model."""
    return lambda: asymmetric_from_arguments(residual)


def asymmetric_from_arguments(residual):
    def grad_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence):
        if W_tilde is None:
            return right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
        E = residual(W, W_tilde, b, b_tilde, log_co_occurrence)
        return (
            2 * E @ W_tilde,
            2 * E.T @ W,
            2 * E.sum(axis=1, keepdims=True),
            2 * E.sum(axis=0)[:, np.newaxis],
        )

    return grad_GLoVe


MIXED_UP = "while other values are 0. Are positions or words mixed up"
EXCHANGED = (
    "are right only where the residual is a symmetric matrix. Are rows and columns exchanged"
)
ONE_ROLE = "matrix. Does each parameter collect a gradient from both of its roles"
HALF = "are half of the finite differences only where the residual is a symmetric " + ONE_ROLE
GLOVE_ERRORS = {  # E residual, U = W, T = W_tilde; what replaces gradients 0 to 3; cause
    "no factor 2 in grad_W": (lambda E, U, T: {0: E @ T}, "your values are 0.5 times"),
    "factor 4 in grad_W": (lambda E, U, T: {0: 4 * E @ T}, "your values are 2 times"),
    "no factor 2 in grad_b": (
        lambda E, U, T: {2: E.sum(axis=1, keepdims=True)},
        "your values are 0.5 times",
    ),
    "sign of grad_b_tilde": (
        lambda E, U, T: {3: -2 * E.sum(axis=0)[:, None]},
        "your values have the opposite sign",
    ),
    "E transposed in grad_W": (lambda E, U, T: {0: 2 * E.T @ T}, EXCHANGED),
    "E not transposed in grad_W_tilde": (lambda E, U, T: {1: 2 * E @ U}, EXCHANGED),
    "W in grad_W": (lambda E, U, T: {0: 2 * E @ U}, None),
    "W_tilde in grad_W_tilde": (lambda E, U, T: {1: 2 * E.T @ T}, None),
    "grad_W and grad_W_tilde exchanged": (lambda E, U, T: {0: 2 * E.T @ U, 1: 2 * E @ T}, None),
    "both terms of the symmetric model": (lambda E, U, T: {0: 2 * (E + E.T) @ T}, None),
    "E transposed in grad_W, no factor 2": (
        lambda E, U, T: {0: E.T @ T},
        "half of .* Are rows and columns exchanged",
    ),
    "axis of grad_b": (lambda E, U, T: {2: 2 * E.sum(axis=0)[:, None]}, EXCHANGED),
    "axis of grad_b_tilde": (lambda E, U, T: {3: 2 * E.sum(axis=1)[:, None]}, EXCHANGED),
    "grad_b and grad_b_tilde exchanged": (
        lambda E, U, T: {2: 2 * E.sum(axis=0)[:, None], 3: 2 * E.sum(axis=1)[:, None]},
        EXCHANGED,
    ),
    "mean in grad_b": (lambda E, U, T: {2: 2 * E.mean(axis=1, keepdims=True)}, "as if a mean"),
    "mean in grad_W": (lambda E, U, T: {0: 2 * E @ T / len(E)}, "as if a mean"),
    "mean over all entries": (lambda E, U, T: {0: 2 * E @ T / E.size}, "as if a mean"),
    "sum over both axes in grad_b": (lambda E, U, T: {2: 2 * np.full((len(E), 1), E.sum())}, None),
    "grad_b without its axis": (lambda E, U, T: {2: 2 * E.sum(axis=1)}, None),
    "grad_b a row": (lambda E, U, T: {2: 2 * E.sum(axis=1)[None, :]}, None),
    "grad_W reshaped instead of transposed": (
        lambda E, U, T: {0: 2 * (T.T @ E.T).reshape(U.shape)},
        "transposed matrix",
    ),
    "diagonal left out": (
        lambda E, U, T: {0: 2 * (E - np.diag(np.diag(E))) @ T},
        None,
    ),
    "upper triangle only": (lambda E, U, T: {0: 2 * np.triu(E) @ T}, None),
    "squares of the residual": (lambda E, U, T: {0: 2 * E**2 @ T}, None),
    "sign of the residual": (lambda E, U, T: {0: 2 * np.sign(E) @ T}, None),
    "diagonal of the residual in grad_b": (lambda E, U, T: {2: 2 * np.diag(E)[:, None]}, None),
    "grad_W_tilde zero": (lambda E, U, T: {1: np.zeros_like(T)}, "your values are all 0"),
    "grad_W_tilde None": (lambda E, U, T: {1: None}, None),
    "grad_W_tilde a copy of grad_W": (lambda E, U, T: {1: 2 * E @ T}, None),
    "last column zero": (
        lambda E, U, T: {0: 2 * E @ (T * (np.arange(T.shape[1]) < T.shape[1] - 1))},
        "only column",
    ),
    "weight decay": (lambda E, U, T: {0: 2 * E @ T + 0.01 * U}, None),
}
for _name, (_gradients, _cause) in GLOVE_ERRORS.items():
    plant("grad_GLoVe", functools.partial(asymmetric, _gradients), _name, cause=_cause)

SYMMETRIC_ERRORS = {
    "one of the two terms": (lambda E, U: {0: 2 * E @ U}, HALF),
    "the other of the two terms": (lambda E, U: {0: 2 * E.T @ U}, HALF),
    "symmetric matrix assumed in grad_W": (
        lambda E, U: {0: 4 * E @ U},
        f"are right only where the residual is a symmetric {ONE_ROLE}",
    ),
    "symmetric matrix assumed in grad_b": (
        lambda E, U: {2: 4 * E.sum(axis=1, keepdims=True)},
        f"are right only where the residual is a symmetric {ONE_ROLE}",
    ),
    "one of the two sums in grad_b": (lambda E, U: {2: 2 * E.sum(axis=1, keepdims=True)}, HALF),
    "difference of the two terms": (lambda E, U: {0: 2 * (E - E.T) @ U}, None),
    "one role in both": (
        lambda E, U: {0: 2 * E @ U, 2: 2 * E.sum(axis=0)[:, None]},
        HALF,
    ),
    "no factor 2 in grad_W": (lambda E, U: {0: (E + E.T) @ U}, "your values are 0.5 times"),
    "two terms twice": (lambda E, U: {0: 4 * (E + E.T) @ U}, "your values are 2 times"),
    "sign of grad_b": (
        lambda E, U: {2: -2 * (E + E.T).sum(axis=1, keepdims=True)},
        "your values have the opposite sign",
    ),
    "mean in grad_b": (lambda E, U: {2: 2 * (E + E.T).mean(axis=1)[:, None]}, "as if a mean"),
    "grad_b zero": (lambda E, U: {2: np.zeros((len(E), 1))}, "your values are all 0"),
    "grad_W_tilde a copy": (lambda E, U: {1: 2 * (E + E.T) @ U}, None),
    "grad_b_tilde zeros": (lambda E, U: {3: np.zeros((len(E), 1))}, None),
    "upper triangle": (lambda E, U: {0: 4 * np.triu(E) @ U}, None),
}
for _name, (_gradients, _cause) in SYMMETRIC_ERRORS.items():
    plant(
        "grad_GLoVe",
        functools.partial(symmetric, _gradients),
        f"symmetric model, {_name}",
        cause=_cause,
    )

for _name, _residual in {
    "no b_tilde": lambda W, T, b, c, X: W @ T.T + b - X,
    "no biases": lambda W, T, b, c, X: W @ T.T - X,
    "log X added": lambda W, T, b, c, X: W @ T.T + b + c.T + X,
    "exp of log X": lambda W, T, b, c, X: W @ T.T + b + c.T - np.exp(X / np.abs(X).max()),
    "both biases down the columns": lambda W, T, b, c, X: W @ T.T + b + c - X,
    "biases exchanged": lambda W, T, b, c, X: W @ T.T + b.T + c - X,
    "W with itself": lambda W, T, b, c, X: W @ W.T + b + c.T - X,
    "T with W": lambda W, T, b, c, X: T @ W.T + b + c.T - X,
    "log X transposed": lambda W, T, b, c, X: W @ T.T + b + c.T - X.T,
    "1 added to log X": lambda W, T, b, c, X: W @ T.T + b + c.T - X - 1,
}.items():
    plant(
        "grad_GLoVe", functools.partial(asymmetric_from_arguments, _residual), f"residual: {_name}"
    )


@planted("grad_GLoVe")
def three_values(*arguments):
    return right_GLoVe(*arguments)[:3]


@planted("grad_GLoVe")
def returns_nothing(*arguments):
    right_GLoVe(*arguments)


@planted("grad_GLoVe")
def W_updated_in_place(W, W_tilde, b, b_tilde, log_co_occurrence):
    gradients = right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
    W -= 0.01 * gradients[0]
    return gradients


@planted("grad_GLoVe")
def log_co_occurrence_changed_in_place(W, W_tilde, b, b_tilde, log_co_occurrence):
    gradients = right_GLoVe(W, W_tilde, b, b_tilde, log_co_occurrence)
    log_co_occurrence *= -1
    return gradients


@planted("grad_GLoVe")
def not_written(*arguments):
    raise NotImplementedError


# compute_loss_derivative. Each formula gets y, t (B, N, V) and the mask m (B, N, 1).


def softmax(chunks):
    powers = np.exp(chunks - chunks.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def tiled_mask(m, y):
    """The mask repeated in the wrong order: all positions, V times over."""
    return np.tile(m[:, :, 0], (1, y.shape[2])).reshape(y.shape)


def block_of(y, n):
    return (np.arange(y.shape[1]) == n)[:, np.newaxis]


UNMASKED = "only what belongs to positions that are not masked is wrong"
TARGETS = "only what belongs to the target words is wrong"
OTHERS = "only what belongs to the other words of masked positions is wrong"
DERIVATIVE_ERRORS = {
    "no mask": (lambda y, t, m: y - t, UNMASKED),
    "mask on the target only": (lambda y, t, m: y - t * m, UNMASKED),
    "no target": (lambda y, t, m: y * m, TARGETS),
    "no probability": (lambda y, t, m: -t, None),
    "target entries alone": (lambda y, t, m: (y - t) * t, OTHERS),
    "target entries left out": (lambda y, t, m: y * m * (1 - t), TARGETS),
    "sum instead of difference": (lambda y, t, m: y * m + t, TARGETS),
    "target minus probability": (lambda y, t, m: (t - y) * m, "your values have the opposite sign"),
    "mean over the batch": (lambda y, t, m: (y - t) * m / len(y), "1 / B"),
    "mean over positions": (lambda y, t, m: (y - t) * m / y.shape[1], "1 / N"),
    "mean over both": (lambda y, t, m: (y - t) * m / y[..., 0].size, "as if a mean"),
    "mean over the words": (lambda y, t, m: (y - t) * m / y.shape[2], "as if a mean"),
    "half": (lambda y, t, m: (y - t) * m / 2, "your values are 0.5 times"),
    "mask of the next position": (lambda y, t, m: (y - t) * np.roll(m, 1, axis=1), MIXED_UP),
    "mask reversed": (lambda y, t, m: (y - t) * m[:, ::-1], MIXED_UP),
    "mask inverted": (lambda y, t, m: (y - t) * (1 - m), MIXED_UP),
    "mask of the first window": (lambda y, t, m: y * m[:1] - t, MIXED_UP),
    "mask of the previous window": (lambda y, t, m: y * np.roll(m, 1, axis=0) - t, MIXED_UP),
    "mask tiled instead of repeated": (lambda y, t, m: y * tiled_mask(m, y) - t, MIXED_UP),
    "mask and difference with axes exchanged": (
        lambda y, t, m: (y - t).reshape(len(y), -1, m.shape[1]) * m.transpose(0, 2, 1),
        MIXED_UP,
    ),
    "probability over all positions": (
        lambda y, t, m: y * m / y.sum(axis=(1, 2))[:, None, None] - t,
        None,
    ),
    "softmax of the probability": (lambda y, t, m: softmax(y) * m - t, None),
    "derivative with respect to y": (lambda y, t, m: -t / y, None),
    "derivative of a sigmoid": (lambda y, t, m: (y - t) * y * (1 - y) * m, None),
    "product of y and target": (lambda y, t, m: (y - t) * y * m, None),
    "squared error": (lambda y, t, m: (y - t) ** 2 * m, None),
    "logarithm": (lambda y, t, m: np.log(y) * m - t, None),
    "most likely word": (lambda y, t, m: ((y == y.max(axis=2, keepdims=True)) - t) * m, None),
    "the loss itself": (lambda y, t, m: -t * np.log(y), None),
    "no block for the last position": (
        lambda y, t, m: (y - t) * m * ~block_of(y, y.shape[1] - 1),
        "only the block of position 3 is wrong: your values there are all 0",
    ),
    "one block twice": (
        lambda y, t, m: (y - t) * m * (1 + block_of(y, 1)),
        "only the block of position 1 is wrong: your values there are 2 times",
    ),
    "sign of one block": (
        lambda y, t, m: (y - t) * m * (1 - 2 * block_of(y, 0)),
        "only the block of position 0 is wrong: your values there have the opposite sign",
    ),
    "first window only": (
        lambda y, t, m: (y - t) * m * (np.arange(len(y)) < 1)[:, None, None],
        None,
    ),
    "no first window": (
        lambda y, t, m: (y - t) * m * (np.arange(len(y)) > 0)[:, None, None],
        "only row 0 is wrong: your values there are all 0",
    ),
    "words and positions exchanged": (
        lambda y, t, m: ((y - t) * m).transpose(0, 2, 1),
        MIXED_UP,
    ),
    "probabilities clipped": (lambda y, t, m: (np.clip(y, 0.01, 0.9) - t) * m, None),
    "rounded": (lambda y, t, m: np.round((y - t) * m, 3), None),
    "floor added": (lambda y, t, m: (y + 1e-3 - t) * m, None),
    "unmasked scaled": (lambda y, t, m: (y - t) * m + 1e-3 * y * (1 - m), UNMASKED),
}


def derivative_from(formula):
    def compute_loss_derivative(self, output_activations, expanded_target_batch, target_mask):
        shape = (*target_mask.shape[:2], -1)
        derivative = formula(
            output_activations.reshape(shape), expanded_target_batch.reshape(shape), target_mask
        )
        return derivative.reshape(output_activations.shape)

    return compute_loss_derivative


for _name, (_formula, _cause) in DERIVATIVE_ERRORS.items():
    plant(
        "compute_loss_derivative",
        functools.partial(derivative_from, _formula),
        _name,
        cause=_cause,
        shows=_name not in ("no first window",),
    )


@planted("compute_loss_derivative")
def three_axes(self, output_activations, expanded_target_batch, target_mask):
    right = Model.compute_loss_derivative(
        self, output_activations, expanded_target_batch, target_mask
    )
    return right.reshape(*target_mask.shape[:2], -1)


@planted("compute_loss_derivative", shows=False)
def target_subtracted_in_place(self, output_activations, expanded_target_batch, target_mask):
    output_activations *= np.repeat(target_mask[:, :, 0], len(self.vocab), axis=1)
    output_activations -= expanded_target_batch
    return output_activations


@planted("compute_loss_derivative", shows=False)
def mask_changed_in_place(self, output_activations, expanded_target_batch, target_mask):
    derivative = Model.compute_loss_derivative(
        self, output_activations, expanded_target_batch, target_mask
    )
    target_mask[:] = 0
    return derivative


@planted("compute_loss_derivative", shows=False)
def target_changed_in_place(self, output_activations, expanded_target_batch, target_mask):
    derivative = Model.compute_loss_derivative(
        self, output_activations, expanded_target_batch, target_mask
    )
    expanded_target_batch *= -1
    return derivative


@planted("compute_loss_derivative")
def derivative_not_written(self, *arguments):
    raise NotImplementedError("fill in")


# back_propagate. Each is the right computation with some steps replaced.


# p parameters, i input_batch, a activations, d loss_derivative; h and e are the derivatives with
# respect to the inputs of the hidden units and to the embedding layer.
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


def back_propagate_with(**changed):
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


def lose_repeats(p, i, e):
    gradient = np.zeros_like(p.word_embedding_weights)
    gradient[i] += e.reshape(*i.shape, -1)
    return gradient


def lose_repeats_in_a_position(p, i, e):
    gradient = np.zeros_like(p.word_embedding_weights)
    e = e.reshape(*i.shape, -1)
    for n in range(i.shape[1]):
        gradient[i[:, n]] += e[:, n]
    return gradient


def lose_repeats_in_a_window(p, i, e):
    gradient = np.zeros_like(p.word_embedding_weights)
    for words, row in zip(i, e.reshape(*i.shape, -1), strict=True):
        gradient[words] += row
    return gradient


def with_positions(change):
    """Rows added up after a change to the blocks (B, N, D)."""
    return lambda p, i, a, d, h, e: add_rows(p, i, change(e.reshape(*i.shape, -1)))


def at_positions(inputs, keep):
    """The blocks of some positions only."""
    return lambda p, i, a, d, h, e: add_rows(p, i, e.reshape(*i.shape, -1) * keep(i)[..., None])


def whole_windows(p, i, d):
    """The windows before masking: a hidden word has the smallest derivative."""
    blocks = d.reshape(*i.shape, -1)
    return np.where(i == 0, blocks.argmin(axis=2), i)


def scaled(step, factor):
    return lambda *given: STEPS[step](*given) * factor(*given)


def zero_block(step, n, axis):
    """A step whose block of position n is 0."""

    def change(p, i, *rest):
        result = STEPS[step](p, i, *rest).copy()
        N = i.shape[1]
        blocks = np.moveaxis(result, axis, 0).reshape(N, -1, *np.delete(result.shape, axis))
        keep = (np.arange(N) != n).reshape(-1, *[1] * (blocks.ndim - 1))
        return np.moveaxis((blocks * keep).reshape(np.moveaxis(result, axis, 0).shape), 0, axis)

    return change


SEVERAL = "words that occur several times"
BACK_ERRORS = {  # the steps replaced, the cause, the sizes
    "sign of output_bias": ({"output_bias": lambda p, i, a, d: -d.sum(axis=0)}, "opposite sign"),
    "mean in output_bias": ({"output_bias": lambda p, i, a, d: d.mean(axis=0)}, "as if a mean"),
    "output_bias with an extra axis": (
        {"output_bias": lambda p, i, a, d: d.sum(axis=0, keepdims=True)},
        None,
    ),
    "output_bias a column": ({"output_bias": lambda p, i, a, d: d.sum(axis=0)[:, None]}, None),
    "output_bias over the words": ({"output_bias": lambda p, i, a, d: d.sum(axis=1)}, None),
    "output_bias a number": ({"output_bias": lambda p, i, a, d: d.sum()}, None),
    "output_bias of the first window": ({"output_bias": lambda p, i, a, d: d[0]}, None),
    "output_bias zero": ({"output_bias": lambda p, i, a, d: 0 * d[0]}, "your values are all 0"),
    "output_bias without the last position": (
        {"output_bias": zero_block("output_bias", 3, 0)},
        "only the block of position 3 is wrong: your values there are all 0",
    ),
    "output_bias shared by the positions": (
        {
            "output_bias": lambda p, i, a, d: np.tile(
                d.sum(axis=0).reshape(i.shape[1], -1).sum(axis=0), i.shape[1]
            )
        },
        None,
    ),
    "sign of hid_to_output_weights": (
        {"hid_to_output_weights": lambda p, i, a, d: -d.T @ a.hidden_layer},
        "opposite sign",
    ),
    "mean in hid_to_output_weights": (
        {"hid_to_output_weights": lambda p, i, a, d: d.T @ a.hidden_layer / len(d)},
        "as if a mean",
    ),
    "hid_to_output_weights transposed": (
        {"hid_to_output_weights": lambda p, i, a, d: a.hidden_layer.T @ d},
        None,
    ),
    "hid_to_output_weights transposed, square": (
        {"hid_to_output_weights": lambda p, i, a, d: a.hidden_layer.T @ d},
        "transposed matrix",
        SQUARE_OUTPUT,
    ),
    "hid_to_output_weights reshaped": (
        {
            "hid_to_output_weights": lambda p, i, a, d: (a.hidden_layer.T @ d).reshape(
                p.hid_to_output_weights.shape
            )
        },
        "transposed matrix",
    ),
    "hid_to_output_weights with the slope": (
        {"hid_to_output_weights": lambda p, i, a, d: d.T @ (a.hidden_layer * (1 - a.hidden_layer))},
        None,
    ),
    "hid_to_output_weights from preactivations": (
        {
            "hid_to_output_weights": lambda p, i, a, d: (
                d.T @ np.log(a.hidden_layer / (1 - a.hidden_layer))
            )
        },
        None,
    ),
    "hid_to_output_weights zero": (
        {"hid_to_output_weights": lambda p, i, a, d: np.zeros_like(p.hid_to_output_weights)},
        "your values are all 0",
    ),
    "hid_to_output_weights without position 2": (
        {"hid_to_output_weights": zero_block("hid_to_output_weights", 2, 0)},
        "only the block of position 2 is wrong: your values there are all 0",
    ),
    "hid_to_output_weights of means": (
        {
            "hid_to_output_weights": lambda p, i, a, d: np.outer(
                d.sum(axis=0), a.hidden_layer.mean(axis=0)
            )
        },
        None,
    ),
    "hid_to_output_weights with decay": (
        {
            "hid_to_output_weights": lambda p, i, a, d: (
                d.T @ a.hidden_layer + 1e-2 * p.hid_to_output_weights
            )
        },
        None,
    ),
    "slope forgotten": ({"slope": lambda p, i, a, d: 1}, None),
    "slope twice": (
        {"slope": lambda p, i, a, d: (a.hidden_layer * (1 - a.hidden_layer)) ** 2},
        None,
    ),
    "slope at the wrong place": (
        {"slope": lambda p, i, a, d: sigmoid(a.hidden_layer) * (1 - sigmoid(a.hidden_layer))},
        None,
    ),
    "slope h": ({"slope": lambda p, i, a, d: a.hidden_layer}, None),
    "slope 1 - h": ({"slope": lambda p, i, a, d: 1 - a.hidden_layer}, None),
    "slope of tanh": ({"slope": lambda p, i, a, d: 1 - a.hidden_layer**2}, None),
    "slope of ReLU": ({"slope": lambda p, i, a, d: a.hidden_layer > 0.5}, None),
    "slope with a plus": (
        {"slope": lambda p, i, a, d: a.hidden_layer * (1 + a.hidden_layer)},
        None,
    ),
    "slope h - 1": (
        {"slope": lambda p, i, a, d: a.hidden_layer * (a.hidden_layer - 1)},
        "opposite sign",
    ),
    "slope of means": (
        {"slope": lambda p, i, a, d: (a.hidden_layer * (1 - a.hidden_layer)).mean(axis=0)},
        None,
    ),
    "output weights transposed, square": (
        {"to_hidden": lambda p, i, a, d: d @ p.hid_to_output_weights.T},
        None,
        SQUARE_OUTPUT,
    ),
    "output weights reshaped": (
        {
            "to_hidden": lambda p, i, a, d: (
                d @ p.hid_to_output_weights.T.reshape(p.hid_to_output_weights.shape)
            )
        },
        None,
    ),
    "slope forgotten in hid_bias": (
        {"hid_bias": lambda p, i, a, d, h: (d @ p.hid_to_output_weights).sum(axis=0)},
        None,
    ),
    "mean in hid_bias": ({"hid_bias": lambda p, i, a, d, h: h.mean(axis=0)}, "as if a mean"),
    "hid_bias with an extra axis": (
        {"hid_bias": lambda p, i, a, d, h: h.sum(axis=0, keepdims=True)},
        None,
    ),
    "hid_bias over the units": (
        {"hid_bias": lambda p, i, a, d, h: h.sum(axis=1)},
        None,
        B_IS_H,
    ),
    "hid_bias zero": (
        {"hid_bias": lambda p, i, a, d, h: np.zeros_like(p.hid_bias)},
        "your values are all 0",
    ),
    "hid_bias a number": ({"hid_bias": lambda p, i, a, d, h: h.sum()}, None),
    "hid_bias is the parameter": (
        {"hid_bias": lambda p, i, a, d, h: p.hid_bias.copy()},
        "stay the same when",
    ),
    "hid_bias from the output bias": (
        {"hid_bias": lambda p, i, a, d, h: d.sum(axis=0) @ p.hid_to_output_weights},
        None,
    ),
    "slope forgotten in embed_to_hid_weights": (
        {
            "embed_to_hid_weights": lambda p, i, a, d, h: (
                (d @ p.hid_to_output_weights).T @ a.embedding_layer
            )
        },
        None,
    ),
    "embed_to_hid_weights transposed": (
        {"embed_to_hid_weights": lambda p, i, a, d, h: a.embedding_layer.T @ h},
        None,
    ),
    "embed_to_hid_weights transposed, square": (
        {"embed_to_hid_weights": lambda p, i, a, d, h: a.embedding_layer.T @ h},
        "transposed matrix",
        SQUARE_EMBEDDING,
    ),
    "embed_to_hid_weights reshaped": (
        {
            "embed_to_hid_weights": lambda p, i, a, d, h: (a.embedding_layer.T @ h).reshape(
                p.embed_to_hid_weights.shape
            )
        },
        "transposed matrix",
    ),
    "mean in embed_to_hid_weights": (
        {"embed_to_hid_weights": lambda p, i, a, d, h: h.T @ a.embedding_layer / len(h)},
        "as if a mean",
    ),
    "embed_to_hid_weights without position 1": (
        {"embed_to_hid_weights": zero_block("embed_to_hid_weights", 1, 1)},
        "only the block of position 1 is wrong: your values there are all 0",
    ),
    "embed_to_hid_weights, positions reversed": (
        {
            "embed_to_hid_weights": lambda p, i, a, d, h: (
                h.T @ a.embedding_layer.reshape(*i.shape, -1)[:, ::-1].reshape(len(i), -1)
            )
        },
        None,
    ),
    "embed_to_hid_weights from whole windows": (
        {
            "embed_to_hid_weights": lambda p, i, a, d, h: (
                h.T @ p.word_embedding_weights[whole_windows(p, i, d)].reshape(len(i), -1)
            )
        },
        None,
    ),
    "embed_to_hid_weights zero": (
        {"embed_to_hid_weights": lambda p, i, a, d, h: np.zeros_like(p.embed_to_hid_weights)},
        "your values are all 0",
    ),
    "embedding weights transposed, square": (
        {"to_embedding": lambda p, i, a, d, h: h @ p.embed_to_hid_weights.T},
        None,
        SQUARE_EMBEDDING,
    ),
    "embedding weights reshaped": (
        {
            "to_embedding": lambda p, i, a, d, h: (
                h @ p.embed_to_hid_weights.T.reshape(p.embed_to_hid_weights.shape)
            )
        },
        None,
    ),
    "slope applied to the embedding": (
        {
            "to_embedding": lambda p, i, a, d, h: (
                (h @ p.embed_to_hid_weights) * a.embedding_layer * (1 - a.embedding_layer)
            )
        },
        None,
    ),
    "slope forgotten in word_embedding_weights": (
        {
            "to_embedding": lambda p, i, a, d, h: (
                d @ p.hid_to_output_weights @ p.embed_to_hid_weights
            )
        },
        None,
    ),
    "repeated words lost": (
        {"word_embedding_weights": lambda p, i, a, d, h, e: lose_repeats(p, i, e)},
        SEVERAL,
    ),
    "repeated words lost in a position": (
        {"word_embedding_weights": lambda p, i, a, d, h, e: lose_repeats_in_a_position(p, i, e)},
        SEVERAL,
    ),
    "repeated words lost in a window": (
        {"word_embedding_weights": lambda p, i, a, d, h, e: lose_repeats_in_a_window(p, i, e)},
        SEVERAL,
    ),
    "repeated words as a mean": (
        {
            "word_embedding_weights": lambda p, i, a, d, h, e: (
                add_rows(p, i, e)
                / np.maximum(1, np.bincount(i.ravel(), minlength=len(p.output_bias) // i.shape[1]))[
                    :, None
                ]
            )
        },
        SEVERAL,
    ),
    "no embedding of [MASK]": (
        {"word_embedding_weights": at_positions("", lambda i: i > 0)},
        "only row 0 is wrong: your values there are all 0",
    ),
    "embedding of [MASK] alone": (
        {"word_embedding_weights": at_positions("", lambda i: i == 0)},
        None,
    ),
    "last position left out": (
        {"word_embedding_weights": at_positions("", lambda i: np.arange(4) + 0 * i < 3)},
        "words at position 3",
    ),
    "first position alone": (
        {"word_embedding_weights": at_positions("", lambda i: np.arange(4) + 0 * i < 1)},
        None,
    ),
    "blocks of the next position": (
        {"word_embedding_weights": with_positions(lambda e: np.roll(e, 1, axis=1))},
        None,
    ),
    "positions reversed": (
        {"word_embedding_weights": with_positions(lambda e: e[:, ::-1])},
        None,
    ),
    "blocks read down the columns": (
        {
            "word_embedding_weights": lambda p, i, a, d, h, e: add_rows(
                p, i, e.reshape(len(i), -1, i.shape[1]).transpose(0, 2, 1)
            )
        },
        None,
    ),
    "words in the wrong order": (
        {
            "word_embedding_weights": lambda p, i, a, d, h, e: add_rows(
                p, i, e.reshape(*i.shape[::-1], -1).transpose(1, 0, 2)
            )
        },
        None,
    ),
    "a hidden word in place of [MASK]": (
        {
            "word_embedding_weights": lambda p, i, a, d, h, e: add_rows(
                p, np.where(i == 0, len(p.word_embedding_weights) - 1, i), e
            )
        },
        MIXED_UP,
    ),
    "words that do not occur": (
        {
            "word_embedding_weights": lambda p, i, a, d, h, e: (
                add_rows(p, i, e)
                + (np.bincount(i.ravel(), minlength=len(p.word_embedding_weights)) == 0)[:, None]
            )
        },
        "only what belongs to words that do not occur is wrong",
    ),
    "sum over the dimensions": (
        {
            "word_embedding_weights": with_positions(
                lambda e: np.broadcast_to(e.sum(axis=2, keepdims=True), e.shape)
            )
        },
        None,
    ),
    "one column zero": (
        {"word_embedding_weights": with_positions(lambda e: e * (np.arange(e.shape[2]) > 0))},
        "only column 0 is wrong: your values there are all 0",
    ),
    "the embeddings themselves": (
        {"word_embedding_weights": lambda p, i, a, d, h, e: p.word_embedding_weights.copy()},
        "stay the same when",
    ),
    "output derivative halved": (
        {"to_hidden": lambda p, i, a, d: d @ p.hid_to_output_weights / 2},
        "your values are 0.5 times",
    ),
    "mean over the batch below the output": (
        {"to_hidden": lambda p, i, a, d: d @ p.hid_to_output_weights / len(d)},
        "as if a mean",
    ),
    "one position of the output": (
        {
            "to_hidden": lambda p, i, a, d: (
                (d * (np.arange(d.shape[1]) < d.shape[1] // i.shape[1])) @ p.hid_to_output_weights
            )
        },
        None,
    ),
    "bias added to the derivative": (
        {"to_hidden": lambda p, i, a, d: d @ p.hid_to_output_weights + p.hid_bias},
        None,
    ),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


for _name, (_steps, _cause, *_sizes) in BACK_ERRORS.items():
    plant(
        "back_propagate",
        functools.partial(back_propagate_with, **_steps),
        _name,
        cause=_cause,
        sizes=_sizes[0] if _sizes else {},
    )

# One wrong entry in each of the five tensors, not only the first.
for _which in range(5):
    for _damage_name, _change in (("wrong", add_to_entry(0.5)), ("off by 1 %", add_to_entry(0.01))):
        plant(
            "back_propagate",
            functools.partial(damaged, "back_propagate", one(_which, _change)),
            f"one entry {_damage_name} in parameter {_which}",
            cause="only entry",
            shows=False,
        )


@planted("back_propagate")
def forgets_to_return(self, input_batch, activations, loss_derivative):
    Model.back_propagate(self, input_batch, activations, loss_derivative)


@planted("back_propagate")
def returns_a_tuple(self, input_batch, activations, loss_derivative):
    return tuple(
        vars(Model.back_propagate(self, input_batch, activations, loss_derivative)).values()
    )


@planted("back_propagate")
def one_gradient_forgotten(self, input_batch, activations, loss_derivative):
    gradient = Model.back_propagate(self, input_batch, activations, loss_derivative)
    gradient.hid_bias = None
    return gradient


@planted("back_propagate", shows=False)
def hidden_layer_changed_in_place(self, input_batch, activations, loss_derivative):
    gradient = Model.back_propagate(self, input_batch, activations, loss_derivative)
    activations.hidden_layer *= 1 - activations.hidden_layer
    return gradient


@planted("back_propagate", shows=False)
def activations_replaced(self, input_batch, activations, loss_derivative):
    gradient = Model.back_propagate(self, input_batch, activations, loss_derivative)
    activations.hidden_layer = 1 - activations.hidden_layer
    return gradient


@planted("back_propagate", shows=False)
def loss_derivative_changed_in_place(self, input_batch, activations, loss_derivative):
    gradient = Model.back_propagate(self, input_batch, activations, loss_derivative)
    loss_derivative /= len(loss_derivative)
    return gradient


@planted("back_propagate", shows=False)
def inputs_changed_in_place(self, input_batch, activations, loss_derivative):
    gradient = Model.back_propagate(self, input_batch, activations, loss_derivative)
    input_batch += np.arange(input_batch.shape[1]) * len(self.vocab)
    return gradient


@planted("back_propagate", shows=False)
def parameters_updated_in_place(self, input_batch, activations, loss_derivative):
    gradient = Model.back_propagate(self, input_batch, activations, loss_derivative)
    self.params.hid_bias -= 0.1 * gradient.hid_bias
    return gradient


@planted("back_propagate", shows=False)
def parameters_used_as_memory(self, input_batch, activations, loss_derivative):
    gradient = Model.back_propagate(self, input_batch, activations, loss_derivative)
    self.params.word_embedding_weights += gradient.word_embedding_weights
    gradient.word_embedding_weights = self.params.word_embedding_weights
    return gradient


@planted("back_propagate", shows=False)
def back_propagation_not_written(self, input_batch, activations, loss_derivative):
    raise NotImplementedError


@planted("back_propagate", shows=False)
def right_at_the_printed_entries_alone(self, input_batch, activations, loss_derivative):
    right = Model.back_propagate(self, input_batch, activations, loss_derivative)
    wrong = Params(**{name: np.full_like(array, 0.1) for name, array in vars(right).items()})
    whole = whole_windows(self.params, input_batch, loss_derivative)
    return right
    for name, indices in checking._entries_to_print(batch).items():
        for index in indices if name != "loss_derivative" else ():
            getattr(wrong, name)[index] = getattr(right, name)[index]
    return wrong


# Right formulas of the wrong things: variables of the notebook in place of the arguments.


def derivative_with_global(name):
    """One of y, t, m from outside, as many rows of it as there are windows."""

    def compute_loss_derivative(self, y, t, m):
        given = {"y": y, "t": t, "m": m}
        given[name] = np.resize(GLOBALS[name], given[name].shape)
        return Model.compute_loss_derivative(self, *given.values())

    return compute_loss_derivative


for _name, _cause in (("y", None), ("t", None), ("m", MIXED_UP)):
    plant(
        "compute_loss_derivative",
        functools.partial(derivative_with_global, _name),
        f"{_name} from outside, cut to size",
        cause=_cause,
        shows=False,
    )


@planted("compute_loss_derivative", shows=False, raises=ValueError)
def mask_from_outside(self, y, t, m):
    return Model.compute_loss_derivative(self, y, t, GLOBALS["m"])


@planted("compute_loss_derivative", shows=False)
def everything_from_outside(self, y, t, m):
    return Model.compute_loss_derivative(self, GLOBALS["y"], GLOBALS["t"], GLOBALS["m"])


@planted("compute_loss_derivative", shows=False, raises=ValueError)
def number_of_windows_from_outside(self, y, t, m):
    chunks = (y - t).reshape(len(GLOBALS["m"]), m.shape[1], -1) * m
    return chunks.reshape(len(y), -1)


@planted("back_propagate", shows=False)
def parameters_from_outside(self, input_batch, activations, loss_derivative):
    return Model.back_propagate(GLOBALS["model"], input_batch, activations, loss_derivative)


@planted("back_propagate", shows=False)
def parameters_from_outside_in_one_step(self, input_batch, activations, loss_derivative):
    outside = GLOBALS["model"].params
    step = back_propagate_with(to_hidden=lambda p, i, a, d: d @ outside.hid_to_output_weights)
    return step(self, input_batch, activations, loss_derivative)


def back_propagate_with_global(name):
    """One of the arguments from outside, as many rows of it as there are windows."""

    def back_propagate(self, input_batch, activations, loss_derivative):
        given = dict(inputs=input_batch, activations=activations, derivative=loss_derivative)
        n = len(input_batch)
        if name == "activations":
            layers = vars(GLOBALS[name]).values()
            given[name] = type(activations)(*(np.resize(a, (n, a.shape[1])) for a in layers))
        else:
            given[name] = np.resize(GLOBALS[name], given[name].shape)
        return Model.back_propagate(self, *given.values())

    return back_propagate


for _name, _cause in (
    ("inputs", MIXED_UP),
    ("activations", None),
    ("derivative", "stay the same when"),
):
    plant(
        "back_propagate",
        functools.partial(back_propagate_with_global, _name),
        f"{_name} from outside, cut to size",
        cause=_cause,
        shows=False,
        sizes={"V": 60} if _name == "inputs" else {},  # many words that do not occur
    )


@planted("back_propagate", shows=False, raises=ValueError)
def inputs_from_outside(self, input_batch, activations, loss_derivative):
    return Model.back_propagate(self, GLOBALS["inputs"], activations, loss_derivative)


@planted("back_propagate", shows=False, raises=ValueError)
def embedding_layer_from_outside(self, input_batch, activations, loss_derivative):
    embedding_layer = GLOBALS["activations"].embedding_layer
    step = back_propagate_with(embed_to_hid_weights=lambda p, i, a, d, h: h.T @ embedding_layer)
    return step(self, input_batch, activations, loss_derivative)


@planted("back_propagate", shows=False, cause="stay the same when")
def all_from_outside(self, input_batch, activations, loss_derivative):
    given = (GLOBALS[name] for name in ("inputs", "activations", "derivative"))
    return Model.back_propagate(GLOBALS["model"], *given)
