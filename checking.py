"""Check gradients by finite differences, and print gradients.

`check_GLoVe_gradients`, `check_loss_derivative` and `check_gradients` compare what you wrote with
finite differences of the loss, and say where and how the two differ. `print_gradients` prints the
entries that go into the write-up. `load_data` and `load_partially_trained` come from `data_files`.

Letters: V words in the vocabulary, N words in a window, D entries in an embedding, H hidden units,
B windows in a batch.
"""

import copy
import dataclasses

import numpy as np

from data_files import (  # noqa: F401 -- the notebook finds the loading here
    PARAMETERS,
    DataFileError,
    array_problem,
    load_data,
    load_partially_trained,
    require_array,
    require_parameters,
)

STEP = 2.0**-11
TOLERANCE = 1e-7  # of the largest of the derivatives along the directions
DIRECTIONS = 3
NOISE = 1e-10  # of the loss: what subtraction leaves where the loss does not change
SAME_FACTOR = 1e-5  # relative difference of factors that count as one
SEED = 0
GLOVE_WORDS, GLOVE_DIM = 9, 4  # of the problem on which `grad_GLoVe` is checked
TINY = np.finfo(np.float64).tiny  # stands for a probability that underflowed


class GradientCheckError(AssertionError):
    """A gradient is wrong, or not written yet; the message says which, where and how."""


def derivative_along(function, point, direction, step=STEP):
    """Derivative of function(point + s * direction) at s = 0, by finite differences.

    Two central differences are combined so that the leading terms of their errors cancel
    (Richardson's extrapolation). A large step leaves higher terms, a small one rounding errors.
    `python -m tests.step_table` measures both on ten networks of the size of the assignment,
    relative to the largest of the derivatives along the directions:

    step      error if all is right   error if one entry is wrong by 1 %
    2**-3     1e-01                   5e-04
    2**-7     5e-06                   2e-04
    2**-9     2e-08                   2e-04
    2**-11    7e-11                   2e-04
    2**-13    2e-10                   2e-04
    2**-15    9e-10                   2e-04
    2**-20    2e-08                   2e-04

    The first column is a maximum over networks and tensors, the second a minimum; 1 % is of the
    largest entry. `STEP` is where the first is smallest, and `TOLERANCE` lies halfway between the
    two, a factor of at least 1400 from either: no platform rounds that differently, and an entry
    that is wrong by 1e-5 of the largest still shows. Along any direction the loss of GLoVe is a
    polynomial of degree 4, for which the formula is exact.
    """

    def central(h):
        return (function(point + h * direction) - function(point - h * direction)) / (2 * h)

    return (4 * central(step / 2) - central(step)) / 3


@dataclasses.dataclass
class _Tensor:
    """One tensor on trial: the gradient that a function returned, against the loss itself.

    They are compared along a few random directions in the space of all entries of the tensor. Every
    entry takes part in each direction, so that a single wrong one shows.
    """

    function: str  # for messages, like the next
    name: str
    claim: object  # the gradient that was returned
    point: np.ndarray  # where it is taken, float64
    loss: callable  # from such an array to a float
    # The rest serves explanations.
    sizes: dict  # lengths that a mean may have been taken over, by name
    earlier: object = None  # what the function returned for another problem
    regions: dict = dataclasses.field(default_factory=dict)  # boolean arrays, parts of the tensor
    labels: tuple = ()  # what the indices stand for, a list (or nothing) an axis
    on_symmetric: "_Tensor" = None  # this tensor where the residual is a symmetric matrix
    question: str = ""  # to ask if it is right there

    def __post_init__(self):
        self.problem = self.allowed = None  # `is_right` sets them, `explain` needs them
        random = np.random.RandomState(SEED)  # its own, so that no other use of chance matters
        shape = (DIRECTIONS, *self.point.shape)
        # Lengths between 1 and 2: no entry is left out, and equal errors do not cancel.
        self.directions = random.choice([-1.0, 1.0], shape) * random.uniform(1, 2, shape)
        self.regions = {k: np.broadcast_to(v, shape[1:]) for k, v in self.regions.items()}

    def compare(self, part=True, directions=DIRECTIONS):
        """Claimed and measured derivatives along the directions, moving a part of the tensor."""
        steps = self.directions[:directions] * part
        with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are never allowed
            claimed = np.array([np.sum(self.claim * step) for step in steps])
        return claimed, np.array([derivative_along(self.loss, self.point, step) for step in steps])

    def is_allowed(self, differences):
        return bool(np.all(np.abs(differences) <= self.allowed))

    def is_right(self):
        """Judge the claim, as an array first and then by its values."""
        self.problem = array_problem(self.claim, self.point.shape, "f")
        if self.claim is None:
            self.problem = "None, as a function without `return` gives it", "a NumPy array"
        if self.problem is None and self.claim.dtype != self.point.dtype:
            self.problem = f"dtype {self.claim.dtype}", f"{self.point.dtype}, as the parameters"
        if self.problem:
            return False
        claimed, measured = self.compare()
        if not np.isfinite(measured).all():
            raise GradientCheckError(f"The loss is not finite, so {self.name} cannot be checked.")
        self.allowed = TOLERANCE * np.abs(measured).max() + NOISE * abs(self.loss(self.point))
        return self.is_allowed(claimed - measured)

    # The rest explains a failure.

    def explain(self):
        title = f"{self.function}: {self.name} is wrong."
        if self.problem:
            return f"{title}\nFound {self.problem[0]}; expected {self.problem[1]}."
        index = self.worst_entry()
        yours, numerical = self.entry(index)
        ratio = f"{yours / numerical + 0.0:.8g}" if abs(numerical) > self.allowed else "undefined"
        place = "".join(f", {names[i]}" for names, i in zip(self.labels, index) if names)
        text = (
            f"{title}\nEntry {list(index)}{place}: yours {yours:.8g}, finite difference "
            f"{numerical:.8g}, ratio {ratio}."
        )
        hypothesis = self.hypothesis(index)
        return text + f"\nIt looks as if {hypothesis}" if hypothesis else text

    def entry(self, index):
        """The claim and the finite difference for one entry, neither of them -0."""
        direction = np.zeros_like(self.point)
        direction[index] = 1
        return self.claim[index] + 0.0, derivative_along(self.loss, self.point, direction) + 0.0

    def worst_entry(self):
        """Index of a wrong entry, found by halving, or of the largest, whichever is further off."""

        def error_within(entries):
            part = np.zeros(self.point.size, bool)
            part[entries] = True
            claimed, measured = self.compare(part.reshape(self.point.shape), directions=1)
            return abs(claimed - measured)

        suspects = np.arange(self.point.size)
        while len(suspects) > 1:  # keep the half whose derivative is further off
            suspects = max(np.array_split(suspects, 2), key=error_within)
        candidates = [
            tuple(map(int, np.unravel_index(number, self.point.shape)))
            for number in (suspects[0], np.abs(self.claim).argmax())
        ]
        return max(candidates, key=lambda index: abs(np.subtract(*self.entry(index))))

    def hypothesis(self, index):
        """What the wrong entries have in common, as a sentence; empty if nothing was found."""
        everywhere = np.ones(self.point.shape, bool)
        if np.any(self.claim) and np.array_equal(self.claim, self.earlier):
            return "your values stay the same when all the arguments change."
        if manner := self.manner(everywhere):
            return f"your values {manner}."
        transposed = self.claim.reshape(self.point.shape[::-1]).T
        if dataclasses.replace(self, claim=transposed).is_right():
            return "your values are those of the transposed matrix."
        for name, part in self.parts(index):
            claimed, measured = self.compare(~part)
            # "Only here" means something if there is a gradient elsewhere, and it is right.
            if self.is_allowed(claimed - measured) and not self.is_allowed(measured):
                manner = part.sum() > 1 and self.manner(part)
                there = f": your values there {manner}" if manner else ""
                return f"only {name} is wrong{there}."
        for name, part in self.regions.items():
            there, elsewhere = self.claim[part], self.claim[~part]
            is_swapped = there.any() and not elsewhere.all()
            is_swapped &= not (there.all() and elsewhere.any())
            if is_swapped and not self.compare(part)[1].any():
                return (
                    f"{name} is not 0, although the loss does not depend on it, while other values "
                    "are 0. Are positions or words mixed up?"
                )
        if self.on_symmetric:
            claim, where = self.on_symmetric.claim, "only where the residual is a symmetric matrix"
            for factor, manner in ((1, "right"), (2, "half of the finite differences")):
                if dataclasses.replace(self.on_symmetric, claim=factor * claim).is_right():
                    return f"your values are {manner} {where}. {self.question}"
        return ""

    def parts(self, index):
        """Pairs (name, boolean array) of what may be wrong on its own, small parts first."""
        at_entry = np.zeros(self.point.shape, bool)
        at_entry[index] = True
        yield f"entry {list(index)}", at_entry
        for axis, name in enumerate(("row", "column") if at_entry.ndim == 2 else ()):
            along = at_entry.any(axis=1 - axis, keepdims=True)
            yield f"{name} {index[axis]}", np.broadcast_to(along, at_entry.shape)
        yield from self.regions.items()

    def manner(self, part):
        """How claim and finite differences differ within a part; empty if it is not simple."""
        if not np.any(self.claim * part):
            return "are all 0"
        claimed, measured = self.compare(part)
        if not measured.any():
            return "are not 0, although the loss does not depend on them"
        factor = claimed @ measured / (measured @ measured)
        is_multiple = np.all(np.abs(claimed - factor * measured) <= SAME_FACTOR * np.abs(claimed))
        if is_multiple and abs(factor - 1) > SAME_FACTOR:  # else the values differ in few places
            if abs(factor + 1) < SAME_FACTOR:
                return "have the opposite sign"
            over = [size for size, n in self.sizes.items() if abs(factor * n - 1) < SAME_FACTOR]
            mean = f", 1 / {over[0]}, as if a mean were taken in place of a sum" if over else ""
            return f"are {factor:.6g} times the finite differences{mean}"
        return ""


def _print_verdicts(tensors):
    """Judge the tensors, print a row for each, and return those that are wrong."""
    wrong = []
    for tensor in tensors:
        is_right = tensor.is_right()
        wrong += [] if is_right else [tensor]
        print(f"  {tensor.name:<24}{tensor.point.shape!s:<14}{'right' if is_right else 'WRONG'}")
    return wrong


def _conclude(wrong):
    """Raise `GradientCheckError` if any tensor is wrong, and explain the first of them."""
    if wrong:
        text = wrong[0].explain()
        if others := ", ".join(tensor.name for tensor in wrong[1:]):
            text += f"\nBegin there. Also wrong, perhaps for the same reason: {others}."
        raise GradientCheckError(text)


def _arrays(values):
    """The arrays among values by name, and those inside objects."""
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            yield name, value
        elif hasattr(value, "__dict__"):
            yield from _arrays({f"{name}.{field}": part for field, part in vars(value).items()})


def _call(name, function, watched, **arguments):
    """A copy of function(*arguments), if it is written and changes no array that it can see."""
    before = copy.deepcopy(dict(_arrays(arguments | watched)))
    try:
        if function is None:  # the cell that adds it to the class was not run
            raise NotImplementedError
        result = function(*arguments.values())
    except NotImplementedError:
        raise GradientCheckError(
            f"{name} is not written yet, or still contains the line raise NotImplementedError(...)."
            " Write it, run its cell, and then this one again."
        ) from None
    after = dict(_arrays(arguments | watched))
    if changed := [k for k in before if not np.array_equal(before[k], after.get(k))]:
        raise GradientCheckError(
            f"{name} changed {' and '.join(changed)} in place. The caller still needs the old "
            "values: write results into new arrays."
        )
    return copy.deepcopy(result)


def check_GLoVe_gradients(loss_GLoVe, grad_GLoVe):
    """Check `grad_GLoVe` by finite differences of `loss_GLoVe` on a small problem, in both models.

    Both are functions of W (V, d), W_tilde (V, d) or None, b (V, 1), b_tilde (V, 1) or None, and
    log_co_occurrence (V, V), all float64. One returns the loss, the other the gradients of the
    first four, None where the argument is None. Raises `GradientCheckError`.
    """
    print(f"a random problem with {GLOVE_WORDS} words, d = {GLOVE_DIM}")
    for model, question in {
        "asymmetric": "Are rows and columns exchanged?",
        "symmetric": "Does each parameter collect a gradient from both of its roles?",
    }.items():
        print(f"grad_GLoVe, {model} model")
        easy, tensors, easy_again = (
            _GLoVe_tensors(loss_GLoVe, grad_GLoVe, model, has_symmetric_residual)
            for has_symmetric_residual in (True, False, True)
        )
        for name, tensor in tensors.items():
            tensor.earlier = easy[name].claim
            tensor.on_symmetric, tensor.question = easy_again[name], question
        _conclude(_print_verdicts(tensors.values()))


def _GLoVe_tensors(loss_GLoVe, grad_GLoVe, model, has_symmetric_residual):
    """The tensors of a random problem, by name."""
    problem = _GLoVe_problem(model, has_symmetric_residual)
    value = _call("loss_GLoVe", loss_GLoVe, {}, **problem)
    if not isinstance(value, (int, float, np.floating)):
        raise GradientCheckError(f"loss_GLoVe returns {str(value)[:40]}...; expected a number.")
    result = _call("grad_GLoVe", grad_GLoVe, {}, **problem)
    if not isinstance(result, (tuple, list)) or len(result) != 4:
        raise GradientCheckError(
            f"grad_GLoVe returns {str(result)[:40]}...; expected four gradients, grad_W, "
            "grad_W_tilde, grad_b and grad_b_tilde."
        )
    V = len(problem["W"])
    sizes, tensors = {"V": V, "(V V)": V * V}, {}
    for argument, claim in zip(list(problem)[:4], result, strict=True):

        def loss(array, argument=argument):
            return float(loss_GLoVe(*(problem | {argument: array}).values()))

        name, point = f"grad_{argument}", problem[argument]
        if point is not None:
            tensors[name] = _Tensor("grad_GLoVe", name, claim, point, loss, sizes)
        elif claim is not None:
            raise GradientCheckError(
                f"{name}: found a value in the symmetric model; expected None."
            )
    return tensors


def _GLoVe_problem(model, has_symmetric_residual):
    """Random arguments of `loss_GLoVe`, by name and in order."""
    random = np.random.RandomState(SEED + has_symmetric_residual)
    V, d = GLOVE_WORDS, GLOVE_DIM
    W, W_tilde = random.randn(2, V, d)
    b, b_tilde = random.randn(2, V, 1)
    residual = random.randn(V, V)
    if has_symmetric_residual:
        residual += residual.T
    W_used, b_used = (W, b) if model == "symmetric" else (W_tilde, b_tilde)
    log_co_occurrence = W @ W_used.T + b + b_used.T - residual
    if model == "symmetric":
        W_tilde = b_tilde = None
    return dict(W=W, W_tilde=W_tilde, b=b, b_tilde=b_tilde, log_co_occurrence=log_co_occurrence)


def check_loss_derivative(model, inputs, mask):
    """Check `model.compute_loss_derivative` alone; otherwise like `check_gradients`."""
    _conclude(_judge_loss_derivative(_unknown_batch(model, inputs, mask)))


def check_gradients(model, inputs, mask):
    """Check `model.compute_loss_derivative`, then `model.back_propagate`, by finite differences.

    model: a `Model`; what is checked is a copy of it in float64. inputs: integers (B, N), whole
    windows of words 1 to V - 1. mask: integers or booleans (B, N), a single 1 a row, at the word to
    hide. Raises `GradientCheckError`, or `ValueError` for arguments that do not fit.
    """
    batch = _unknown_batch(model, inputs, mask)
    wrong = _judge_loss_derivative(batch)
    try:
        wrong += _judge_back_propagate(batch)
    except GradientCheckError:
        if not wrong:  # else the mistake nearer to the output is explained
            raise
    _conclude(wrong)


class _Batch:
    """A float64 copy of a model, a masked batch, and what the model computes for it."""

    def __init__(self, model, inputs, mask):
        vocab, params = getattr(model, "vocab", None), getattr(model, "params", None)
        if not isinstance(vocab, list) or params is None:
            found = f"{type(model).__name__} without params or a list vocab"
            raise ValueError(f"model: found a {found}; expected a Model with both.")
        params = {k: getattr(params, k, None) for k in PARAMETERS}
        self.V, self.N = len(vocab), require_parameters(ValueError, params, len(vocab))
        self.D = params["word_embedding_weights"].shape[1]
        require_array(ValueError, "inputs", inputs, (None, self.N), "iu", 1, self.V - 1)
        require_array(ValueError, "mask", mask, inputs.shape, "iub", 0, 1)
        if not (mask.sum(axis=1) == 1).all():
            raise ValueError("mask: found other rows; expected a single 1 in each row.")
        self.words, self.mask = inputs.astype(int), mask.astype(int)
        self.inputs = self.words * (1 - self.mask)  # (B, N), 0 at the hidden words
        params = {k: np.array(array, np.float64) for k, array in params.items()}
        self.model = type(model)(type(model.params)(**params), list(model.vocab))
        self.targets = self.model.indicator_matrix(self.words * self.mask)  # (B, NV)
        self.activations = self.model.compute_activations(self.inputs)
        B, N, V = len(inputs), self.N, self.V
        self.sizes = {"B": B, "N": N, "(B N)": B * N, "V": V}
        self.outputs = [f"position {n}, word '{word}'" for n in range(N) for word in model.vocab]

    def other(self):
        """Another problem of the same sizes: the vocabulary read backwards."""
        return _Batch(self.model, self.V - self.words, self.mask)

    def stand_in(self):
        """Random T (B, N, V), 0 where nothing is masked, and the derivative of sum(T * y) by z."""
        y = self.activations.output_layer.reshape(*self.mask.shape, self.V)
        T = 10 * np.random.RandomState(SEED).randn(*y.shape) * self.mask[:, :, np.newaxis]
        return T, (y * (T - (T * y).sum(axis=2, keepdims=True))).reshape(len(y), -1)

    def output_layer(self, name, array):
        """The output layer (B, NV) after one parameter was replaced."""
        params = dataclasses.replace(self.model.params, **{name: array})
        model = type(self.model)(params, self.model.vocab)
        return model.compute_activations(self.inputs).output_layer

    def loss_derivative(self):
        """What `compute_loss_derivative` returns."""
        return _call(
            "compute_loss_derivative",
            getattr(self.model, "compute_loss_derivative", None),
            {"self": self.model},
            output_activations=self.activations.output_layer,
            expanded_target_batch=self.targets,
            target_mask=self.mask[:, :, np.newaxis].astype(float),  # as in training
        )

    def gradient(self, loss_derivative):
        """What `back_propagate` returns."""
        result = _call(
            "back_propagate",
            getattr(self.model, "back_propagate", None),
            {"self": self.model},
            input_batch=self.inputs,
            activations=self.activations,
            loss_derivative=loss_derivative,
        )
        if not isinstance(result, type(self.model.params)):
            found = type(result).__name__
            raise GradientCheckError(f"back_propagate returns a {found}; expected Params.")
        return result


def _unknown_batch(model, inputs, mask):
    """A `_Batch` that no variable of the notebook equals, so that only the arguments are of use.

    The windows come in reverse order, another word is hidden, N windows are added, and parameters
    change by up to 10 %. The added windows repeat a word, which shows mistakes that others do not.
    """
    batch, random = _Batch(model, inputs, mask), np.random.RandomState(SEED)
    for array in vars(batch.model.params).values():
        array *= random.uniform(0.9, 1.1, array.shape)
    words = np.vstack([batch.words[::-1], np.repeat(batch.words[:1].T, batch.N, axis=1)])
    mask = np.vstack([np.roll(batch.mask[::-1], 1, axis=1), np.eye(batch.N, dtype=int)])
    print(f"your windows in another order and {batch.N} more, at parameters near yours")
    return _Batch(batch.model, words, mask)


def _blocks(N, length):
    """The entries of each position, among N * length entries."""
    return {f"the block of position {n}": np.arange(N * length) // length == n for n in range(N)}


def _judge_loss_derivative(batch):
    """Print a row; return the list of what is wrong."""
    name = "compute_loss_derivative"
    print(name)
    other, claim = batch.other().loss_derivative(), batch.loss_derivative()
    z = np.log(np.maximum(batch.activations.output_layer, TINY))  # its softmax is y again
    is_masked, is_target = np.repeat(batch.mask, batch.V, axis=1) == 1, batch.targets == 1
    regions = {
        "what belongs to the target words": is_target,
        "what belongs to the other words of masked positions": is_masked & ~is_target,
        "what belongs to positions that are not masked": ~is_masked,
    } | _blocks(batch.N, batch.V)

    def loss(z):
        powers = np.exp(z).reshape(-1, batch.V)
        y = (powers / powers.sum(axis=1, keepdims=True)).reshape(z.shape)
        return float(batch.model.compute_loss(y, batch.targets))

    windows = np.array(batch.model.vocab)[batch.inputs]
    labels = [f"window '{' '.join(window)}'" for window in windows], batch.outputs
    tensor = _Tensor(name, "loss_derivative", claim, z, loss, batch.sizes, other, regions, labels)
    return _print_verdicts([tensor])


def _judge_back_propagate(batch):
    """Print a row for each parameter; return the list of what is wrong.

    It gets a stand-in for the derivative of the loss, so that it is judged on its own: the
    derivative with respect to z of sum(T * y), where T is random, and 0 where nothing is masked.
    """
    print("back_propagate, from a random loss_derivative")
    other, (T, S) = batch.other(), batch.stand_in()
    other_gradient = other.gradient(other.stand_in()[1])
    gradient, parts = batch.gradient(S), _parameter_parts(batch)
    tensors = []
    for name in PARAMETERS:

        def loss(array, name=name):
            return float(np.sum(T.ravel() * batch.output_layer(name, array).ravel()))

        claim, point = getattr(gradient, name), getattr(batch.model.params, name)
        explaining = batch.sizes, getattr(other_gradient, name), *parts[name]
        tensors.append(_Tensor("back_propagate", name, claim, point, loss, *explaining))
    return _print_verdicts(tensors)


def _parameter_parts(batch):
    """By name, parts of each parameter that may be wrong on their own, and labels for its axes."""
    N, V, D, vocab = batch.N, batch.V, batch.D, batch.model.vocab
    blocks = _blocks(N, V)
    counts = np.array([np.bincount(column, minlength=V) for column in batch.inputs.T])
    words = {
        "what belongs to words that occur several times": counts.sum(axis=0) > 1,
        "what belongs to words that do not occur": counts.sum(axis=0) == 0,
    } | {f"what belongs to words at position {n}": counts[n] > 0 for n in range(N)}

    def rows(parts):
        return {name: part[:, np.newaxis] for name, part in parts.items()}

    return {
        "output_bias": (blocks, [batch.outputs]),
        "hid_to_output_weights": (rows(blocks), [batch.outputs]),
        "hid_bias": ({}, []),
        "embed_to_hid_weights": (
            _blocks(N, D),
            [None, [f"position {i // D}" for i in range(N * D)]],
        ),
        "word_embedding_weights": (rows(words), [[f"word '{word}'" for word in vocab]]),
    }


def print_gradients(model, inputs, mask):
    """Print entries of the loss derivative and of the gradients, one `name[index] value` a line.

    Arguments and errors as for `check_gradients`. The batch and the activations decide which
    entries are printed, the gradients do not.
    """
    batch = _Batch(model, inputs, mask)
    loss_derivative = batch.loss_derivative()
    gradients = {"loss_derivative": loss_derivative}
    require_array(GradientCheckError, "loss_derivative", loss_derivative, batch.targets.shape, "f")
    gradients |= vars(batch.gradient(loss_derivative))
    for name, point in vars(batch.model.params).items():
        require_array(GradientCheckError, name, gradients[name], point.shape, "f")
    for name, indices in _entries_to_print(batch).items():
        for index in indices:
            value = gradients[name][index] + 0.0  # never -0
            print(f"{name}[{', '.join(map(str, index))}] {value:.6e}")


def _entries_to_print(batch):
    """Indices by name of the tensor, such that a mistake in any formula changes an entry."""
    entries = {name: [] for name in ("loss_derivative", *PARAMETERS)}
    words = [0]  # [MASK]
    for n in np.flatnonzero(batch.mask.any(axis=0)):
        row = batch.mask[:, n].argmax()  # the first window in which position n is masked
        chunk = slice(n * batch.V, (n + 1) * batch.V)
        target = chunk.start + batch.words[row, n]
        others = batch.activations.output_layer[row, chunk] * (1 - batch.targets[row, chunk])
        unmasked = (n + 1) % batch.N
        unit = np.abs(batch.activations.hidden_layer[row] - 0.5).argmin()  # far from saturation
        entries["loss_derivative"] += [
            (row, target),
            (row, chunk.start + others.argmax()),
            (row, unmasked * batch.V + batch.words[row, unmasked]),
        ]
        entries["output_bias"] += [(target,)]
        entries["hid_to_output_weights"] += [(target, unit)]
        entries["hid_bias"] += [(unit,)]
        entries["embed_to_hid_weights"] += [(unit, n * batch.D + n % batch.D)]
        seen = np.bincount(batch.inputs[:, n], minlength=batch.V)
        words += [1 + seen[1:].argmax()]  # the most frequent word of the position
    seen = np.bincount(batch.inputs.flat, minlength=batch.V)
    there = np.bincount(batch.words.flat, minlength=batch.V)
    there[0] = seen[0]
    for which in (seen == 1, (seen == 0) & (there > 0), there == 0):  # once, hidden only, never
        words += [which.argmax()] if which.any() else []
    entries["word_embedding_weights"] = [(word, i % batch.D) for i, word in enumerate(words)]
    return entries
