"""Load the data files, check gradients by finite differences, print gradients.

The module has three parts, each of which can be read on its own:

1. Loading: ``load_data`` and ``load_partially_trained`` read pickles without running code in them.
2. Checking: ``check_GLoVe_gradients``, ``check_loss_derivative`` and ``check_gradients`` compare
   your gradients with finite differences of the loss, and say where and how they differ.
3. Printing: ``print_gradients`` prints the entries that go into the write-up.

Letters for sizes: V words in the vocabulary, N words in a window, D entries in an embedding,
H hidden units, B windows in a batch.
"""

import copy
import dataclasses
import io
import pickle
import pickletools
import re
from pathlib import Path

import numpy as np

MASK_WORD = "[MASK]"  # index 0 of every vocabulary
PARAMETERS = (  # from the output backwards: a mistake in one can spoil those after it
    "output_bias",
    "hid_to_output_weights",
    "hid_bias",
    "embed_to_hid_weights",
    "word_embedding_weights",
)


def _array_problem(value, shape, kinds):
    """What is wrong with an array, as (found, expected); None when nothing is.

    The order is the one in which a mistake is easiest to see: type, shape, dtype, finite values.
    ``shape`` may hold None for any length, ``kinds`` holds letters of ``np.dtype.kind``.
    """
    words = {
        "iu": "whole numbers",
        "f": "floating-point numbers",
        "iub": "whole numbers or booleans",
    }
    if type(value) is not np.ndarray:
        return f"an object of type {type(value).__name__}", "a NumPy array"
    if len(value.shape) != len(shape) or any(
        want not in (None, have) for have, want in zip(value.shape, shape, strict=True)
    ):
        expected = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
        hint = ", which is its transpose" if value.shape == shape[::-1] else ""
        return f"shape {value.shape}", f"shape {expected}{hint}"
    if value.dtype.kind not in kinds:
        return f"dtype {value.dtype}", words[kinds]
    if value.size == 0:
        return "no entries", "at least one"
    if not np.isfinite(value).all():
        return f"{np.count_nonzero(~np.isfinite(value))} entries that are NaN or infinite", "none"
    return None


# 1. Loading


class DataFileError(ValueError):
    """A data file is missing, damaged, unsafe or inconsistent; the message says what to do."""


class _PickledDtype:
    """What a pickle says about a NumPy dtype; only plain numbers and text are accepted."""

    def __init__(self, code, *_):
        if not re.fullmatch(r"[iu][1248]|f[248]|U\d+", code):
            raise pickle.UnpicklingError(f"an array of dtype {code!r}, not of plain numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _PickledArray:
    """An array in the making: a pickle names it first and sends its contents afterwards."""

    def __setstate__(self, state):
        _, shape, pickled_dtype, is_fortran, content = state
        self.array = _array(content, pickled_dtype, shape, "F" if is_fortran else "C")


def _array(content, pickled_dtype, shape, order):
    # A view of the bytes that the file really holds: a shape that promises more is an error, and
    # no memory is set aside for it.
    return np.frombuffer(content, pickled_dtype.dtype).reshape(shape, order=order)


class _SafeUnpickler(pickle.Unpickler):
    """Unpickler that can call five functions of its own, and nothing that a file asks for.

    A pickle is a program: it names functions and calls them. The names that NumPy writes for arrays
    and strings are answered with the stand-ins below; any other name ends the loading.
    """

    def find_class(self, module, name):
        stand_ins = {  # NumPy 2 renamed numpy.core to numpy._core
            "numpy.core.multiarray._reconstruct": self._new_array,
            "numpy.core.multiarray.scalar": self._scalar,
            "numpy.core.numeric._frombuffer": self._array_from_buffer,
            "numpy.dtype": self._dtype,
            "numpy.ndarray": None,  # only ever an argument of _reconstruct
            "_codecs.encode": self._encode,
        }
        wanted = f"{module}.{name}"
        if (key := wanted.replace("numpy._core", "numpy.core")) not in stand_ins:
            raise pickle.UnpicklingError(f"it asks to call {wanted}, which no data file needs")
        return stand_ins[key]

    # Bound methods, since a pickle cannot set attributes on them.
    def _new_array(self, *_):
        return _PickledArray()

    def _scalar(self, pickled_dtype, content):
        return np.frombuffer(content, pickled_dtype.dtype).item()

    def _array_from_buffer(self, *arguments):
        pickled = _PickledArray()
        pickled.array = _array(*arguments)
        return pickled

    def _dtype(self, *arguments):
        return _PickledDtype(*arguments)

    def _encode(self, text, encoding):
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}, not latin1")
        return text.encode("latin1")


def _read_dict(path, required):
    """The pickled dict at ``path``, arrays as ``np.ndarray``; it has at least the keys ``required``."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataFileError(
            f"{path}: cannot be read from the folder {Path.cwd()} ({error.strerror}). Put the file "
            "into the folder of the notebook, and start the notebook there."
        ) from error
    try:
        # The lengths that the file claims are compared with its real length before memory is set aside.
        for operation, argument, _ in pickletools.genops(content):
            if operation.name.endswith("PUT") and (argument or 0) > len(content):
                raise pickle.UnpicklingError("a number of remembered objects beyond its length")
        found = _SafeUnpickler(io.BytesIO(content)).load()
    except Exception as error:  # broken bytes can make an unpickler raise anything
        raise DataFileError(
            f"{path}: {len(content)} bytes that begin with {content[:8]!r} and do not load: {error}. "
            "Expected a pickled dict of NumPy arrays, whole and from a source you trust. Get the "
            "file anew."
        ) from error
    if not isinstance(found, dict):
        raise _bad(path, "the pickle", f"a {type(found).__name__}", "a dict")
    if missing := [key for key in required if key not in found]:
        raise _bad(path, "the dict", f"no {', '.join(missing)}", f"the keys {', '.join(required)}")
    return {k: v.array if isinstance(v, _PickledArray) else v for k, v in found.items()}


def _bad(path, what, found, expected):
    return DataFileError(
        f"{path}: {what}: found {found}, expected {expected}. Get the file anew, together with the "
        "other data file, or make both with the commands in the README."
    )


def _require_array(path, name, value, shape, kinds):
    if problem := _array_problem(value, shape, kinds):
        raise _bad(path, name, *problem)
    return value


def _load_vocab(path, vocab):
    if not isinstance(vocab, list) or not all(isinstance(word, str) for word in vocab):
        raise _bad(path, "vocab", f"a {type(vocab).__name__}", "a list of str")
    if len(vocab) < 2 or vocab[0] != MASK_WORD:
        raise _bad(
            path, "vocab", f"a first word {vocab[:1]}", f"{MASK_WORD!r} and then other words"
        )
    if len(set(vocab)) < len(vocab):
        raise _bad(
            path, "vocab", f"{len(vocab) - len(set(vocab))} repeated words", "distinct words"
        )
    return vocab


def load_data(path="data.pk"):
    """Load the windows of the corpus.

    Returns a dict with ``vocab``, a list of V str, and ``train_inputs``, ``train_targets``,
    ``valid_inputs``, ``valid_targets``, ``test_inputs``, ``test_targets``: int32 arrays (n, N) of word
    indices 1 to V - 1. A file without targets gets them: the same array objects as the inputs.
    Raises ``DataFileError``.
    """
    splits = ("train", "valid", "test")
    found = _read_dict(path, ("vocab", *(f"{split}_inputs" for split in splits)))
    data = {"vocab": _load_vocab(path, found["vocab"])}
    shape = (None, None)
    for split in splits:
        inputs, targets = f"{split}_inputs", f"{split}_targets"
        data[inputs] = _load_windows(path, inputs, found[inputs], shape, len(data["vocab"]))
        if targets not in found or found[targets] is found[inputs]:
            data[targets] = data[inputs]
        else:
            shape = data[inputs].shape
            data[targets] = _load_windows(path, targets, found[targets], shape, len(data["vocab"]))
        shape = (None, data[inputs].shape[1])
    return data


def _load_windows(path, name, value, shape, V):
    windows = _require_array(path, name, value, shape, "iu")
    low, high = windows.min(), windows.max()
    if low < 1 or high >= V:
        raise _bad(
            path, name, f"word indices {low} to {high}", f"1 to {V - 1}, as vocab has {V} words"
        )
    return windows.astype(np.int32)


def load_partially_trained(path="partially_trained.pk", vocab=None):
    """Load the parameters of the partially trained network.

    Returns a dict with ``vocab``, a list of V str, and the float64 arrays ``word_embedding_weights``
    (V, D), ``embed_to_hid_weights`` (H, N*D), ``hid_bias`` (H,), ``hid_to_output_weights`` (N*V, H)
    and ``output_bias`` (N*V,). With ``vocab`` given, the two vocabularies have to agree.
    Raises ``DataFileError``.
    """
    found = _read_dict(path, ("vocab", *PARAMETERS))
    own_vocab = _load_vocab(path, found["vocab"])
    if vocab is not None and list(vocab) != own_vocab:
        raise _bad(
            path, "vocab", f"{len(own_vocab)} words", f"the {len(vocab)} words of the data file"
        )

    def require(name, *shape):
        return _require_array(path, name, found[name], shape, "f")

    V = len(own_vocab)
    D = require("word_embedding_weights", V, None).shape[1]
    H, ND = require("embed_to_hid_weights", None, None).shape
    if ND % D:
        raise _bad(path, "embed_to_hid_weights", f"{ND} columns", f"a multiple of D = {D}")
    require("hid_bias", H)
    require("hid_to_output_weights", ND // D * V, H)
    require("output_bias", ND // D * V)
    return {"vocab": own_vocab} | {name: found[name].astype(np.float64) for name in PARAMETERS}


# 2. Checking

STEP = 2.0**-10
DIRECTIONS = 3
TOLERANCE = 1e-6  # of the largest of the directional derivatives of the tensor
NOISE = 1e-11  # of the loss: what is lost by subtracting two nearly equal losses
SAME_FACTOR = 1e-5  # relative spread of a factor that counts as constant
SEED = 0
TINY = np.finfo(np.float64).tiny


class GradientCheckError(AssertionError):
    """A gradient is wrong or not written yet; the message says where and what was found."""


def derivative_along(function, point, direction, step=STEP):
    """d/ds function(point + s * direction) at s = 0: Richardson-extrapolated central differences."""

    def central(h):
        return (function(point + h * direction) - function(point - h * direction)) / (2 * h)

    return (4 * central(step / 2) - central(step)) / 3


@dataclasses.dataclass
class _Tensor:
    """One gradient tensor on trial: what a function returned, against the loss itself."""

    function: str  # that returned it
    name: str
    claim: object  # what was returned
    earlier: object  # what the same function had returned for another problem
    point: np.ndarray  # where the gradient is taken
    loss: callable  # from an array like point to a float
    sizes: dict  # from a description to a length that a mean may have been taken over
    regions: dict  # from a description to a boolean array that broadcasts to the shape of point
    probe: callable = lambda: ""  # says in words what another problem shows

    def __post_init__(self):
        random = np.random.RandomState(SEED)
        shape = (DIRECTIONS, *self.point.shape)
        # Lengths between 1 and 2: no entry is left out, and equal errors cannot cancel exactly.
        self.directions = random.choice([-1.0, 1.0], shape) * random.uniform(1, 2, shape)
        self.problem = None

    def measured(self, part=True):
        """Derivatives (DIRECTIONS,) of the loss along the directions, restricted to ``part``."""
        return np.array(
            [derivative_along(self.loss, self.point, v * part) for v in self.directions]
        )

    def claimed(self, part=True, claim=None):
        """What ``measured`` would be if the claim were right."""
        claim = self.claim if claim is None else claim
        return np.array([np.sum(claim * v * part) for v in self.directions])

    def agrees(self, claimed, measured):
        """True if the numbers are equal up to the errors of finite differences; never for NaN."""
        return bool(np.all(np.abs(claimed - measured) <= self.allowed))

    def is_right(self):
        """Judge the claim, first as an array, then by its values along the directions."""
        self.problem = _array_problem(self.claim, self.point.shape, "f")
        if self.problem is None and self.claim.dtype != self.point.dtype:
            self.problem = f"dtype {self.claim.dtype}", f"{self.point.dtype}, as the parameters"
        if self.problem:
            return False
        measured = self.measured()
        if not np.isfinite(measured).all():
            raise GradientCheckError("The loss is not finite, so that no gradient can be checked.")
        self.allowed = TOLERANCE * np.abs(measured).max() + NOISE * abs(self.loss(self.point))
        return self.agrees(self.claimed(), measured)

    # What follows explains a failure.

    def explain(self):
        """What is wrong, in lines of text."""
        title = f"{self.function}: {self.name} is wrong."
        if self.problem:
            return f"{title}\nFound {self.problem[0]}; expected {self.problem[1]}."
        index = self.worst_entry()
        yours, numerical = self.claim[index], self.entry(index)
        ratio = f"{yours / numerical:.5g}" if abs(numerical) > self.allowed else "none"
        text = (
            f"{title}\nEntry {list(index)}: yours {yours:.6g}, finite difference {numerical:.6g}, "
            f"ratio {ratio}."
        )
        hypothesis = self.hypothesis(index)
        return text + (f"\nIt looks as if {hypothesis}." if hypothesis else "")

    def entry(self, index):
        """The finite difference of one entry."""
        direction = np.zeros_like(self.point)
        direction[index] = 1
        return derivative_along(self.loss, self.point, direction)

    def worst_entry(self):
        """Index of a wrong entry, found by halving; or of the largest one, if it is further off.

        Of two halves of the suspected entries, the one whose derivative is further off is kept.
        """
        direction = self.directions[0]

        def error(entries):
            part = np.zeros(self.point.size)
            part[entries] = direction.flat[entries]
            part = part.reshape(self.point.shape)
            return np.sum(self.claim * part) - derivative_along(self.loss, self.point, part)

        suspects = np.arange(self.point.size)
        total = error(suspects)
        while len(suspects) > 1:
            half, rest = np.array_split(suspects, 2)
            half_error = error(half)
            keep_half = abs(half_error) >= abs(total - half_error)
            suspects, total = (half, half_error) if keep_half else (rest, total - half_error)
        candidates = suspects[0], np.abs(self.claim).argmax()
        candidates = [
            tuple(map(int, np.unravel_index(flat, self.point.shape))) for flat in candidates
        ]
        return max(candidates, key=lambda index: abs(self.claim[index] - self.entry(index)))

    def hypothesis(self, index):
        """What the wrong entries have in common, in words; '' if nothing was found."""
        if np.any(self.claim) and np.array_equal(self.claim, self.earlier):
            return "your values are those of an earlier call, or do not depend on the arguments"
        if manner := self.manner(np.ones(self.point.shape, bool)):
            return f"all your values {manner}"
        # The smallest part outside of which everything is right.
        for name, part in sorted(self.parts(index).items(), key=lambda item: item[1].sum()):
            if self.agrees(self.claimed(~part), self.measured(~part)):
                manner = self.manner(part)
                return f"only {name} is wrong" + (f": your values there {manner}" if manner else "")
        return self.probe()

    def parts(self, index):
        """The parts that may be wrong on their own: the regions, and those around ``index``."""
        parts = dict(self.regions)
        if self.point.ndim == 2:
            rows, columns = np.ogrid[tuple(map(slice, self.point.shape))]
            parts[f"row {index[0]}"] = rows == index[0]
            parts[f"column {index[1]}"] = columns == index[1]
        parts[f"entry {list(index)}"] = np.zeros(self.point.shape, bool)
        parts[f"entry {list(index)}"][index] = True
        return {name: np.broadcast_to(part, self.point.shape) for name, part in parts.items()}

    def manner(self, part):
        """How the claim differs from the finite differences within a part; '' if not known."""
        claimed, measured = self.claimed(part), self.measured(part)
        if not np.any(self.claim * part):
            return "are all 0"
        if not measured.any():
            return "are not 0, although the loss does not depend on them"
        factor = claimed @ measured / (measured @ measured)
        if np.all(np.abs(claimed - factor * measured) <= SAME_FACTOR * np.abs(claimed)):
            if abs(factor + 1) < SAME_FACTOR:
                return "have the opposite sign"
            over = [what for what, n in self.sizes.items() if abs(factor * n - 1) < SAME_FACTOR]
            return f"are {factor:.6g} times the finite differences" + (
                f", which is 1 / {over[0]}: a mean where the loss has a sum?" if over else ""
            )
        transposed = self.claim.reshape(self.point.shape[::-1]).T
        if part.all() and self.agrees(self.claimed(claim=transposed), measured):
            return "are those of the transposed matrix"
        return ""


def _arrays(value, label=""):
    """Yield (label, array) for every array inside tuples, dicts and dataclasses."""
    if isinstance(value, np.ndarray):
        yield label, value
    elif isinstance(value, (tuple, list)):
        for i, part in enumerate(value):
            yield from _arrays(part, f"{label}[{i}]")
    elif dataclasses.is_dataclass(value):
        yield from _arrays(vars(value), label)
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _arrays(part, f"{label}.{name}" if label else name)


def _call(function, arguments, watched=None):
    """function(*arguments.values()), which must be written and leave arguments and watched alone."""
    name = function.__name__
    before = {label: array.copy() for label, array in _arrays(arguments | (watched or {}))}
    try:
        result = function(*arguments.values())
    except NotImplementedError:
        raise GradientCheckError(
            f"{name} is not written yet. Write it, run its cell, then run this cell again."
        ) from None
    after = dict(_arrays(arguments | (watched or {})))
    for label, array in before.items():
        if label not in after or not np.array_equal(array, after[label]):
            raise GradientCheckError(
                f"{name} changed its argument {label} in place. The caller still needs the old "
                "values: write the result into a new array."
            )
    return result


def _print_verdicts(title, tensors):
    """Judge the tensors, print one row each, return those that are wrong."""
    print(title)
    wrong = []
    for tensor in tensors:
        if not (is_right := tensor.is_right()):
            wrong.append(tensor)
        print(f"  {tensor.name:<24}{tensor.point.shape!s:<14}{'right' if is_right else 'WRONG'}")
    return wrong


def _conclude(wrong):
    """Raise ``GradientCheckError`` if any tensor is wrong, and explain the first of them."""
    if wrong:
        text = wrong[0].explain()
        if others := ", ".join(tensor.name for tensor in wrong[1:]):
            text += f"\nBegin there. Also wrong, perhaps as a consequence: {others}."
        raise GradientCheckError(text)


def check_GLoVe_gradients(loss_GLoVe, grad_GLoVe):
    """Check ``grad_GLoVe`` against ``loss_GLoVe`` on a small random problem, for both models.

    Both are functions of ``W`` (V, d), ``W_tilde`` (V, d) or None, ``b`` (V, 1), ``b_tilde`` (V, 1)
    or None, ``log_co_occurrence`` (V, V), all float64. The loss returns a float, the gradient a tuple
    of an array, or None, for each of the first four. Raises ``GradientCheckError``.
    """
    wrong = []
    for model in ("asymmetric", "symmetric"):
        tensors = _GLoVe_tensors(loss_GLoVe, grad_GLoVe, model)
        wrong += _print_verdicts(f"grad_GLoVe, {model} model", tensors)
    _conclude(wrong)


def _GLoVe_tensors(loss_GLoVe, grad_GLoVe, model, residual_is_symmetric=False):
    """The tensors of one random problem, in which V and d differ."""
    problem = _GLoVe_problem(model, residual_is_symmetric)
    other = {k: v if v is None else v + 1 for k, v in problem.items()}
    earlier = copy.deepcopy(_GLoVe_claims(grad_GLoVe, other))
    claims = _GLoVe_claims(grad_GLoVe, problem)
    V = len(problem["W"])

    def tensor(name):
        def probe():
            if not residual_is_symmetric:
                for tensor in _GLoVe_tensors(loss_GLoVe, grad_GLoVe, model, True):
                    if tensor.name == f"grad_{name}" and tensor.is_right():
                        return (
                            "your values are right only where the residual is a symmetric matrix: "
                            "are rows and columns exchanged, or a symmetric matrix assumed?"
                        )
            return ""

        return _Tensor(
            function=f"grad_GLoVe, {model} model",
            name=f"grad_{name}",
            claim=claims[name],
            earlier=earlier[name],
            point=problem[name],
            loss=lambda array: float(loss_GLoVe(*(problem | {name: array}).values())),
            sizes={f"V, with V = {V}": V, f"V * V, with V = {V}": V * V},
            regions={},
            probe=probe,
        )

    return [tensor(name) for name in claims if problem[name] is not None]


def _GLoVe_problem(model, residual_is_symmetric):
    """Random arguments of ``loss_GLoVe``, in its order."""
    V, d = 9, 4
    random = np.random.RandomState(SEED)
    W, W_tilde = random.randn(2, V, d)
    b, b_tilde = random.randn(2, V, 1)
    residual = random.randn(V, V)
    if residual_is_symmetric:
        residual = residual + residual.T
    if model == "symmetric":
        log_co_occurrence = W @ W.T + b + b.T - residual
        W_tilde = b_tilde = None
    else:
        log_co_occurrence = W @ W_tilde.T + b + b_tilde.T - residual
    return {
        "W": W,
        "W_tilde": W_tilde,
        "b": b,
        "b_tilde": b_tilde,
        "log_co_occurrence": log_co_occurrence,
    }


def _GLoVe_claims(grad_GLoVe, problem):
    """What ``grad_GLoVe`` returns, by the name of the parameter."""
    result = _call(grad_GLoVe, problem)
    if not isinstance(result, tuple) or len(result) != 4:
        found = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
        raise GradientCheckError(
            f"grad_GLoVe: found {found}; expected grad_W, grad_W_tilde, grad_b, grad_b_tilde."
        )
    claims = dict(zip(problem, result, strict=False))
    for name, claim in claims.items():
        if problem[name] is None and claim is not None:
            raise GradientCheckError(
                f"grad_GLoVe: found a grad_{name} for the symmetric model; expected None."
            )
    return claims


def check_loss_derivative(model, inputs, mask):
    """Check ``model.compute_loss_derivative`` alone; arguments and errors as ``check_gradients``."""
    _conclude(_judge_loss_derivative(_Batch(model, inputs, mask)))


def check_gradients(model, inputs, mask):
    """Check ``compute_loss_derivative``, then ``back_propagate``, by finite differences.

    model: a ``Model``; a float64 copy of it is checked. inputs: integers (B, N), the words of whole
    windows, 1 to V - 1. mask: integers or booleans (B, N), a single 1 a row, at the word to hide.
    Raises ``GradientCheckError``, or ``ValueError`` for arguments that do not fit each other.
    """
    batch = _Batch(model, inputs, mask)
    wrong = _judge_loss_derivative(batch)
    try:
        wrong += _judge_back_propagate(batch, stand_in=bool(wrong))
    except GradientCheckError:
        if not wrong:  # else what comes first in the computation is explained first
            raise
    _conclude(wrong)


class _Batch:
    """A float64 copy of a model, a masked batch, and what the model computes for it."""

    def __init__(self, model, inputs, mask):
        self.V = len(model.vocab)
        self.D = np.shape(model.params.word_embedding_weights)[1]
        self.N = np.shape(model.params.embed_to_hid_weights)[1] // self.D
        _check_batch(inputs, mask, self.N, self.V)
        self.words, self.mask = inputs, mask.astype(int)
        self.inputs = inputs * (1 - self.mask)  # (B, N), 0 at the hidden words
        params = {k: np.array(getattr(model.params, k), dtype=np.float64) for k in PARAMETERS}
        self.model = type(model)(type(model.params)(**params), list(model.vocab))
        self.targets = self.model.indicator_matrix(inputs * self.mask)  # (B, NV)
        self.activations = self.model.compute_activations(self.inputs)
        self.sizes = {f"B, with B = {len(inputs)} windows": len(inputs)}
        self.sizes[f"N, with N = {self.N} positions"] = self.N

    def reversed(self):
        """The same model with every window read backwards: another problem of the same shapes."""
        return _Batch(self.model, self.words[:, ::-1], self.mask)

    def output_layer(self, name, array):
        """The output layer (B, NV) with the parameter ``name`` replaced."""
        params = dataclasses.replace(self.model.params, **{name: array})
        return (
            type(self.model)(params, self.model.vocab).compute_activations(self.inputs).output_layer
        )

    def loss(self, output_layer):
        return float(self.model.compute_loss(output_layer, self.targets))

    def loss_derivative(self):
        """What ``compute_loss_derivative`` returns."""
        arguments = {
            "output_activations": self.activations.output_layer,
            "expanded_target_batch": self.targets,
            "target_mask": self.mask[:, :, np.newaxis],
        }
        watched = {"self.params": self.model.params}
        return _call(self.model.compute_loss_derivative, arguments, watched)

    def gradient(self, loss_derivative):
        """What ``back_propagate`` returns, as a dict of arrays."""
        arguments = {
            "input_batch": self.inputs,
            "activations": self.activations,
            "loss_derivative": loss_derivative,
        }
        result = _call(self.model.back_propagate, arguments, {"self.params": self.model.params})
        if not isinstance(result, type(self.model.params)):
            raise GradientCheckError(
                f"back_propagate: found a {type(result).__name__}; expected Params."
            )
        return {name: getattr(result, name) for name in PARAMETERS}


def _check_batch(inputs, mask, N, V):
    """``ValueError`` if inputs or mask do not fit the model."""
    problem = _array_problem(inputs, (None, N), "iu")
    if problem is None and (inputs.min() < 1 or inputs.max() >= V):
        problem = f"words {inputs.min()} to {inputs.max()}", f"whole windows of words 1 to {V - 1}"
    if problem:
        raise ValueError(f"inputs: found {problem[0]}, expected {problem[1]}.")
    problem = _array_problem(mask, inputs.shape, "iub")
    if problem is None and not (np.isin(mask, (0, 1)).all() and (mask.sum(axis=1) == 1).all()):
        problem = "other rows", "a single 1 in each row, else 0"
    if problem:
        raise ValueError(f"mask: found {problem[0]}, expected {problem[1]}.")


def _judge_loss_derivative(batch):
    """Print a row, return a list of what is wrong."""
    masked = np.repeat(batch.mask, batch.V, axis=1) == 1
    target = np.asarray(batch.targets) == 1
    earlier = copy.deepcopy(batch.reversed().loss_derivative())
    tensor = _Tensor(
        function="compute_loss_derivative",
        name="loss_derivative",
        claim=batch.loss_derivative(),
        earlier=earlier,
        point=np.log(np.maximum(batch.activations.output_layer, TINY)),  # their softmax is y again
        loss=lambda z: batch.loss(_softmax(z, batch.V)),
        sizes=batch.sizes,
        regions={
            "what belongs to the target words": target,
            "what belongs to masked positions, apart from the target words": masked & ~target,
            "what belongs to masked positions": masked,
            "what belongs to positions that are not masked": ~masked,
            **_blocks(batch.N, batch.V),
        },
    )
    return _print_verdicts("compute_loss_derivative", [tensor])


def _softmax(z, V):
    """Probabilities (B, NV) from z (B, NV), in chunks of V."""
    chunks = z.reshape(-1, V)
    powers = np.exp(chunks - chunks.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).reshape(z.shape)


def _blocks(N, width):
    """Which of N * width entries belong to which position."""
    return {f"the block of position {n}": np.arange(N * width) // width == n for n in range(N)}


def _judge_back_propagate(batch, stand_in):
    """Print a row a parameter, return a list of what is wrong.

    With ``stand_in`` the derivative of the loss is not known, and the gradient is checked for
    another function of the output layer y, sum(S * log y) with fixed S. Where every chunk of S sums
    to 0, the normalisation of the softmax drops out, and S is the derivative with respect to z.
    """
    title, objective = "back_propagate", batch.loss
    if stand_in:
        title += ", for a made-up loss_derivative"
        S = np.random.RandomState(SEED).randn(*batch.mask.shape, batch.V)
        S = (S - S.mean(axis=2, keepdims=True)) * batch.mask[:, :, np.newaxis]
        loss_derivative = S.reshape(len(S), -1)

        def objective(y):
            return float(np.sum(loss_derivative * np.log(np.maximum(y, TINY))))

    else:
        loss_derivative = batch.loss_derivative()
    earlier = copy.deepcopy(batch.reversed().gradient(loss_derivative))
    claims = batch.gradient(loss_derivative)
    rows, columns = _blocks(batch.N, batch.V), _blocks(batch.N, batch.D)
    counts = np.bincount(batch.inputs.ravel(), minlength=batch.V)
    words = {
        "the row of [MASK]": np.arange(batch.V) == 0,
        "what belongs to words that occur several times": counts > 1,
        "what belongs to words that do not occur": counts == 0,
    }
    for n in range(batch.N):
        words[f"what belongs to words at position {n}"] = np.isin(
            np.arange(batch.V), batch.inputs[:, n]
        )
    regions = {
        "output_bias": rows,
        "hid_to_output_weights": {name: part[:, np.newaxis] for name, part in rows.items()},
        "hid_bias": {},
        "embed_to_hid_weights": columns,
        "word_embedding_weights": {name: part[:, np.newaxis] for name, part in words.items()},
    }
    tensors = [
        _Tensor(
            function="back_propagate",
            name=name,
            claim=claims[name],
            earlier=earlier[name],
            point=getattr(batch.model.params, name),
            loss=lambda array, name=name: objective(batch.output_layer(name, array)),
            sizes=batch.sizes,
            regions=regions[name],
        )
        for name in PARAMETERS
    ]
    return _print_verdicts(title, tensors)


# 3. Printing


def print_gradients(model, inputs, mask):
    """Print entries of the loss derivative and of the five gradients, as ``name[index] value``.

    Arguments and errors as ``check_gradients``. The choice of entries depends on the batch and on
    what the network computes for it, not on the gradients.
    """
    batch = _Batch(model, inputs, mask)
    loss_derivative = batch.loss_derivative()
    shapes = {k: getattr(batch.model.params, k).shape for k in PARAMETERS}
    shapes["loss_derivative"] = batch.targets.shape
    gradients = {"loss_derivative": loss_derivative}
    _require_gradient("loss_derivative", loss_derivative, batch.targets.shape)
    gradients |= batch.gradient(loss_derivative)
    for name in PARAMETERS:
        _require_gradient(name, gradients[name], getattr(batch.model.params, name).shape)
    for name, index in _entries_to_print(batch):
        value = gradients[name][index] + 0.0  # 0.0 instead of -0.0
        print(f"{name}[{', '.join(map(str, index))}] {value:.6e}")


def _require_gradient(name, value, shape):
    if problem := _array_problem(value, shape, "f"):
        raise GradientCheckError(f"{name}: found {problem[0]}; expected {problem[1]}.")


def _entries_to_print(batch):
    """A list of (name, index), chosen so that any mistake in a formula changes one of them."""
    V, D = batch.V, batch.D
    y, hidden = batch.activations.output_layer, batch.activations.hidden_layer
    entries = []
    for n in range(batch.N):
        if not batch.mask[:, n].any():
            continue
        row = int(batch.mask[:, n].argmax())  # the first window in which position n is masked
        target = n * V + int(batch.words[row, n])
        chunk = y[row, n * V : (n + 1) * V].copy()
        chunk[target - n * V] = -1
        likeliest_other = n * V + int(chunk.argmax())
        other = (n + 1) % batch.N  # a position that is not masked in this window
        unit = int(np.abs(hidden[row] - 0.5).argmin())  # a unit that is not saturated
        entries += [
            ("loss_derivative", (row, target)),
            ("loss_derivative", (row, likeliest_other)),
            ("loss_derivative", (row, other * V + int(batch.words[row, other]))),
            ("output_bias", (target,)),
            ("hid_to_output_weights", (target, unit)),
            ("hid_bias", (unit,)),
            ("embed_to_hid_weights", (unit, n * D + n % D)),
        ]
    counts = np.bincount(batch.inputs.ravel(), minlength=V)
    hidden_counts = np.bincount(batch.words.ravel(), minlength=V)
    words = [0]
    for n in range(batch.N):  # the most frequent word at each position
        at_n = np.bincount(batch.inputs[:, n], minlength=V)
        words.append(int(at_n[1:].argmax()) + 1)
    for which in (counts == 1, (counts == 0) & (hidden_counts > 0), hidden_counts == 0):
        which[0] = False
        if which.any():
            words.append(int(which.argmax()))
    entries += [("word_embedding_weights", (word, i % D)) for i, word in enumerate(words)]
    order = ("loss_derivative", *PARAMETERS)
    return sorted(dict.fromkeys(entries), key=lambda entry: order.index(entry[0]))
