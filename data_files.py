"""Load the data files without running code in them, and say what is wrong with a damaged one.

Letters: V words in the vocabulary, N words in a window, D entries in an embedding, H hidden units.
"""

import io
import pickle
import pickletools
import re
import reprlib
import textwrap
from pathlib import Path

import numpy as np

PARAMETERS = (  # from the output backwards: a mistake in one can spoil those after it
    "output_bias",
    "hid_to_output_weights",
    "hid_bias",
    "embed_to_hid_weights",
    "word_embedding_weights",
)
MAX_BYTES = 2**30  # of a file; ours has 7 MB
MAX_OPERATIONS = 200_000  # in a pickle; one of 250 words has 700, or 9000 if they are numpy.str_
MAX_SLOW_KEYS = 5000  # in a pickle; one of 250 words has 20, or 1000 if the words are numpy.str_
FREE_OPERATIONS = frozenset({"PROTO", "FRAME"})  # which leave the stack as it is
OPERATIONS = FREE_OPERATIONS | frozenset(  # that pickles of dicts of arrays and text consist of
    """
    STOP MARK MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD
    UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING
    BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 NONE NEWTRUE NEWFALSE
    INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS
    EMPTY_DICT DICT SETITEM SETITEMS
    """.split()
)


class DataFileError(ValueError):
    """A data file is missing, damaged, unsafe or inconsistent; the message says what to do."""


def array_problem(value, shape, kinds, low=-np.inf, high=np.inf):
    """What is wrong with an array, as (found, expected), or None; the coarsest mistake comes first.

    A None in `shape` stands for any length; `kinds` holds letters of `np.dtype.kind`.
    """
    if isinstance(value, (int, float, np.number)):
        return "a single number", f"shape {str(shape).replace('None', 'any')}"
    if type(value) is not np.ndarray:
        return f"an object of type {type(value).__name__}", "a NumPy array"
    if value.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, value.shape)):
        return f"shape {value.shape}", f"shape {str(shape).replace('None', 'any')}"
    if value.dtype.kind not in kinds:
        return f"dtype {value.dtype}", "floating-point numbers" if kinds == "f" else "whole numbers"
    if value.size == 0:
        return "no entries", "at least one"
    if not (is_finite := np.isfinite(value)).all():
        return f"{np.count_nonzero(~is_finite)} entries that are NaN or infinite", "finite numbers"
    if value.min() < low or value.max() > high:
        return f"values from {value.min()} to {value.max()}", f"{low} to {high}"
    return None


def require_array(error, name, value, *requirements):
    """The value, if `array_problem` finds nothing; otherwise raises error(text)."""
    if problem := array_problem(value, *requirements):
        raise error(f"{name}: found {problem[0]}; expected {problem[1]}.")
    return value


class _PickledDtype:
    """Stands for a NumPy dtype in a pickle; only numbers and text are accepted."""

    def __init__(self, code, *_):
        if not re.fullmatch(r"[iu][1248]|f[248]|U\d{1,9}", code):
            found = reprlib.repr(code)
            raise pickle.UnpicklingError(f"it holds arrays of dtype {found}, not of plain numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        self.dtype = self.dtype.newbyteorder(state[1])


class _PickledArray:
    """Stands for a NumPy array in a pickle, which sends the contents after the name."""

    def __setstate__(self, state):
        _, shape, pickled_dtype, is_fortran, content = state
        # A view of bytes that are there: a shape that promises more is an error, not an allocation.
        flat = np.frombuffer(content, pickled_dtype.dtype)
        self.array = flat.reshape(shape, order="F" if is_fortran else "C")


class _SafeUnpickler(pickle.Unpickler):
    """Unpickler for arrays, text and built-in containers.

    A pickle is a program, which names functions and calls them. Here the names that NumPy writes
    stand for the harmless functions below, made anew for each use, and any other name is refused.
    What these functions make can be no larger than if each of them were given another part of the
    file: its bytes, or its text at 4 bytes a letter.
    """

    def __init__(self, content):
        super().__init__(io.BytesIO(content))
        self._bytes_left = 5 * len(content)

    def _spend(self, n_bytes):
        self._bytes_left -= n_bytes
        if self._bytes_left < 0:
            raise pickle.UnpicklingError("it makes more text than it holds")

    def find_class(self, module, name):
        def scalar(pickled_dtype, content):
            self._spend(len(content))
            return np.frombuffer(content, pickled_dtype.dtype).item()

        def array_from_buffer(content, pickled_dtype, shape, order):
            pickled = _PickledArray()
            pickled.__setstate__((1, shape, pickled_dtype, order == "F", content))
            return pickled

        def encode(text, encoding):
            if encoding != "latin1":
                raise pickle.UnpicklingError("it holds bytes in another encoding than latin1")
            self._spend(len(text))
            return text.encode("latin1")

        stand_ins = {
            "numpy.core.multiarray._reconstruct": lambda *_: _PickledArray(),
            "numpy.core.multiarray.scalar": scalar,
            "numpy.core.numeric._frombuffer": array_from_buffer,
            "numpy.dtype": lambda *arguments: _PickledDtype(*arguments),
            "numpy.ndarray": None,  # an argument of _reconstruct, never called
            "_codecs.encode": encode,
        }
        wanted = f"{module}.{name}".replace("numpy._core", "numpy.core")  # the name since NumPy 2
        if wanted not in stand_ins:
            raise pickle.UnpicklingError(f"it asks for {wanted!r}, which no data file needs")
        return stand_ins[wanted]


def _look_through(content):
    """Refuse a pickle that would exhaust memory, time or Python's stack, without running it.

    A memo number beyond the end of the file would make the unpickler set memory aside. Deeply
    nested tuples would crash Python, and the hash of one that holds its predecessor twice, and so
    on, would take for ever: so no tuple may be used again. In a dict of many tuples or large whole
    numbers all keys can have the same hash, so that each is compared with all others.
    """
    n_slow_keys, last, may_be_tuple = 0, "", {}  # by memo number
    for number, (operation, argument, _) in enumerate(pickletools.genops(content)):
        name = operation.name
        if name not in OPERATIONS:
            raise pickle.UnpicklingError(f"it has the operation {name}, which no data file needs")
        n_slow_keys += "TUPLE" in name or isinstance(argument, int) and abs(argument) >= 2**31
        is_too_long = number > MAX_OPERATIONS or n_slow_keys > MAX_SLOW_KEYS
        if is_too_long or "PUT" in name and argument > len(content):
            raise pickle.UnpicklingError("it makes more objects than a data file needs")
        if "GET" in name and may_be_tuple.get(argument):
            raise pickle.UnpicklingError("it uses a tuple twice, as no data file does")
        if name == "MEMOIZE" or "PUT" in name:
            place = argument if "PUT" in name else len(may_be_tuple)
            may_be_tuple[place] = re.search("TUPLE|BUILD|APPEND|ITEM", last)
        elif name not in FREE_OPERATIONS:
            last = name


def _file_error(path):
    """A function from what is wrong to the exception that says so."""
    remedy = "Get the files of the assignment anew, all together."
    return lambda text: DataFileError(f"{path}: {text} {remedy}")


def _reason(problem):
    """What an exception says, in one short line; its name, if it says nothing."""
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return textwrap.shorten(text[:1000], 200)


def _read_bytes(path):
    """The bytes of a file. Raises OSError, TypeError, ValueError or MemoryError.

    A pipe or a device is not opened, as it could give bytes, or none, for ever.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("found a pipe or a device, expected a file")
    if path.is_file() and (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"found {size / 2**30:.1f} GB, expected at most {MAX_BYTES / 2**30:g}")
    return path.read_bytes()


def _read_dict(path, keys):
    """The pickled dict at `path`, which has at least these keys, and a valid vocabulary."""
    error = _file_error(path)
    try:
        content = _read_bytes(path)
    except (OSError, TypeError, ValueError, MemoryError) as problem:
        raise DataFileError(
            f"{path}: cannot be read from the folder {Path.cwd()} ({_reason(problem)}). Put the "
            "files of the assignment beside the notebook, and start the notebook in their folder."
        ) from None
    try:
        _look_through(content)
        loaded = _SafeUnpickler(content).load()
    except Exception as problem:  # broken bytes can make an unpickler raise anything
        reason = _reason(problem)
        found = f"{len(content)} bytes, {content[:9]!r}..., that cannot be loaded ({reason})"
        raise error(f"found {found}; expected a pickled dict of arrays and text.") from None
    if not isinstance(loaded, dict):
        raise error(f"found a {type(loaded).__name__}; expected a dict.")
    if missing := [key for key in keys if key not in loaded]:
        raise error(f"found no {', '.join(missing)}; expected the keys {', '.join(keys)}.")
    vocab = loaded["vocab"]
    if not (isinstance(vocab, list) and all(isinstance(word, str) for word in vocab)):
        raise error(f"vocab: found a {type(vocab).__name__}; expected a list of str.")
    if len(vocab) < 2 or vocab[0] != "[MASK]" or len(set(vocab)) < len(vocab):
        first = reprlib.repr(vocab[:1])
        found = f"{len(vocab)} words, {len(set(vocab))} different ones, the first {first}"
        raise error(f"vocab: found {found}; expected different words, the first [MASK].")
    return {name: getattr(value, "array", value) for name, value in loaded.items()}


def require_parameters(error, found, V):
    """N, if the arrays in a dict fit each other and V words; otherwise raises error(text)."""

    def require(name, *shape):
        return require_array(error, name, found[name], shape, "f")

    D = require("word_embedding_weights", V, None).shape[1]
    H, N_D = require("embed_to_hid_weights", None, None).shape
    if N_D % D:
        raise error(f"embed_to_hid_weights: found {N_D} columns; expected a multiple of {D}.")
    require("hid_bias", H)
    require("hid_to_output_weights", N_D // D * V, H)
    require("output_bias", N_D // D * V)
    return N_D // D


def load_data(path="data.pk"):
    """Load the windows of the corpus.

    Returns a dict: `vocab`, a list of V str, and `train_inputs`, `train_targets`, `valid_inputs`,
    `valid_targets`, `test_inputs`, `test_targets`, int32 (n, N), with word indices from 1 to V - 1.
    Targets that are not in the file are the inputs, the same array objects.
    Raises `DataFileError`.
    """
    found = _read_dict(path, ["vocab", "train_inputs", "valid_inputs", "test_inputs"])
    V, N = len(found["vocab"]), None

    def windows(name, shape):
        array = require_array(_file_error(path), name, found[name], shape, "iu", 1, V - 1)
        return array.astype(np.int32)

    data = {"vocab": found["vocab"]}
    for split in ("train", "valid", "test"):
        inputs, targets = f"{split}_inputs", f"{split}_targets"
        data[inputs] = data[targets] = windows(inputs, (None, N))
        if found.get(targets, found[inputs]) is not found[inputs]:
            data[targets] = windows(targets, data[inputs].shape)
        N = data[inputs].shape[1]
    return data


def load_partially_trained(path="partially_trained.pk", vocab=None):
    """Load the parameters of the partially trained network.

    Returns a dict: `vocab`, a list of V str, and float64 arrays `word_embedding_weights` (V, D),
    `embed_to_hid_weights` (H, N*D), `hid_bias` (H,), `hid_to_output_weights` (N*V, H) and
    `output_bias` (N*V,). The vocabulary has to be `vocab`, if that is given.
    Raises `DataFileError`.
    """
    found, error = _read_dict(path, ["vocab", *PARAMETERS]), _file_error(path)
    V = len(found["vocab"])
    if vocab is not None and list(vocab) != found["vocab"]:
        raise error(f"vocab: found other words ({V}) than in the data file ({len(vocab)}).")
    require_parameters(error, found, V)
    return {"vocab": found["vocab"]} | {
        k: found[k].astype(np.float64, order="C") for k in PARAMETERS
    }
