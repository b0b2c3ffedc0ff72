"""The loading of data files: files of the course's own kind, broken files, and files that attack.

The contract of `data.pk` and `partially_trained.pk` themselves is tested beside the tools that
make them.
"""

import io
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from types import FunctionType

import numpy as np
import pytest

import checking

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
WORDS = ["[MASK]", "the", "cat", "sat", ".", "né"]
SPLITS = ("train", "valid", "test")


class OldNumPyPickler(pickle._Pickler):
    """Writes the module names that NumPy had before version 2."""

    def save_global(self, obj, name=None):
        module = getattr(obj, "__module__", "") or ""
        if not module.startswith("numpy._core"):
            return super().save_global(obj, name)
        module, name = module.replace("numpy._core", "numpy.core"), name or obj.__qualname__
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    dispatch = pickle._Pickler.dispatch | {FunctionType: save_global}


def old_dumps(value, protocol):
    file = io.BytesIO()
    OldNumPyPickler(file, protocol).dump(value)
    return file.getvalue()


def small_data(dtype=np.int32, **changes):
    """A valid dict, or one with some entries changed; None removes an entry."""
    random = np.random.RandomState(0)
    data = {"vocab": list(WORDS)}
    for split, n in zip(SPLITS, (20, 5, 3), strict=True):
        data[f"{split}_inputs"] = random.randint(1, len(WORDS), size=(n, 4)).astype(dtype)
    data |= changes
    return {name: value for name, value in data.items() if value is not None}


def small_parameters(**changes):
    random = np.random.RandomState(0)
    V, N, D, H = len(WORDS), 4, 3, 5
    parameters = {
        "vocab": list(WORDS),
        "word_embedding_weights": random.randn(V, D),
        "embed_to_hid_weights": random.randn(H, N * D),
        "hid_bias": random.randn(H),
        "hid_to_output_weights": random.randn(N * V, H),
        "output_bias": random.randn(N * V),
    }
    parameters |= changes
    return {name: value for name, value in parameters.items() if value is not None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.pk"


def write(path, value, protocol=pickle.DEFAULT_PROTOCOL):
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def assert_refused(load, path, *words):
    """The message names the file and all words, and says what to do."""
    with pytest.raises(checking.DataFileError) as caught:
        load(path)
    message = str(caught.value)
    for word in (str(path), *words):
        assert word in message
    assert "assignment" in message  # get, or put, the files of the assignment
    return message


# What loads


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dumps", [pickle.dumps, old_dumps])
@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, ">i4"])
def test_data_of_any_protocol_numpy_and_integers(path, protocol, dumps, dtype):
    data = small_data(dtype)
    path.write_bytes(dumps(data, protocol))
    loaded = checking.load_data(path)
    assert loaded["vocab"] == WORDS
    for split in SPLITS:
        inputs = loaded[f"{split}_inputs"]
        assert inputs.dtype == np.int32 and inputs.flags.writeable and inputs.flags.c_contiguous
        np.testing.assert_array_equal(inputs, data[f"{split}_inputs"])
        assert loaded[f"{split}_targets"] is inputs


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dumps", [pickle.dumps, old_dumps])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f8"])
def test_parameters_of_any_protocol_and_numpy(path, protocol, dumps, dtype):
    parameters = {
        name: value if name == "vocab" else np.asfortranarray(value.astype(dtype))
        for name, value in small_parameters().items()
    }
    path.write_bytes(dumps(parameters, protocol))
    loaded = checking.load_partially_trained(path, WORDS)
    assert set(loaded) == set(parameters)
    for name in checking.PARAMETERS:
        assert loaded[name].dtype == np.float64 and loaded[name].flags.writeable
        np.testing.assert_array_equal(loaded[name], parameters[name])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_file_of_the_kind_of_the_course(path, protocol):
    """int64, words of type numpy.str_, no targets, the module names of an old NumPy."""
    words = [np.str_(word) for word in WORDS]
    path.write_bytes(old_dumps(small_data(np.int64, vocab=words), protocol))
    assert b"numpy.core" in path.read_bytes() and b"numpy._core" not in path.read_bytes()
    vocab = checking.load_data(path)["vocab"]
    assert vocab == WORDS and {type(word) for word in vocab} == {str}


def test_targets_are_the_inputs_or_what_the_file_has(path):
    data = small_data()
    data |= {f"{split}_targets": data[f"{split}_inputs"] for split in SPLITS}
    loaded = checking.load_data(write(path, data))
    assert all(loaded[f"{split}_targets"] is loaded[f"{split}_inputs"] for split in SPLITS)
    data["valid_targets"] = data["valid_inputs"][::-1].copy()
    loaded = checking.load_data(write(path, data))
    np.testing.assert_array_equal(loaded["valid_targets"], data["valid_targets"])
    np.testing.assert_array_equal(loaded["valid_inputs"], data["valid_inputs"])


def test_more_than_is_needed_is_left_out(path):
    loaded = checking.load_data(write(path, small_data(note="made by hand")))
    assert "note" not in loaded
    write(path, small_parameters(seed=3))
    assert "seed" not in checking.load_partially_trained(path)


def test_windows_of_other_lengths_and_path_as_text(path):
    data = {k: v if k == "vocab" else v[:, :2] for k, v in small_data().items()}
    assert checking.load_data(str(write(path, data)))["train_inputs"].shape == (20, 2)


def test_large_file_loads_fast(path):
    """A file of the course's size, 465500 windows of int64."""
    random = np.random.RandomState(0)
    windows = random.randint(1, len(WORDS), size=(465_500, 4))
    write(path, small_data(train_inputs=windows))
    assert path.stat().st_size > 14e6
    times = []
    for _ in range(3):
        start = time.process_time()
        checking.load_data(path)
        times.append(time.process_time() - start)
    assert min(times) < 0.25


# What is broken


def test_missing_file_and_folder(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert_refused(checking.load_data, path, "No such file", str(tmp_path), "beside the notebook")
    assert_refused(checking.load_partially_trained, tmp_path, "directory")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"<!DOCTYPE html><html>404</html>",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x1f\x8b\x08\x00 something compressed",
        b"PK\x03\x04 something zipped",
        b"\x93NUMPY\x01\x00v\x00{'descr': '<i4'}",
        bytes(1000),
        b"\x80\x7f.",
        b".",
    ],
)
def test_foreign_file(path, content):
    path.write_bytes(content)
    assert_refused(
        checking.load_data, path, f"{len(content)} bytes", "cannot be loaded", "expected"
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_truncation(path, protocol):
    content = pickle.dumps(small_data(), protocol)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(checking.DataFileError):
            checking.load_data(path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_damaged_byte_gives_a_clear_error_or_other_values(path, protocol):
    content = pickle.dumps(small_data(), protocol)
    random = np.random.RandomState(protocol)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= random.randint(1, 256)
        path.write_bytes(damaged)
        try:
            checking.load_data(path)
        except checking.DataFileError:
            pass


@pytest.mark.parametrize("value", [[1, 2], None, 3.5, "text", np.arange(3)])
def test_not_a_dict(path, value):
    assert_refused(checking.load_data, write(path, value), "expected a dict")


@pytest.mark.parametrize("name", ["vocab", "train_inputs", "valid_inputs", "test_inputs"])
def test_missing_entry_of_the_data(path, name):
    assert_refused(checking.load_data, write(path, small_data(**{name: None})), f"found no {name}")


@pytest.mark.parametrize("name", ["vocab", *checking.PARAMETERS])
def test_missing_parameter(path, name):
    write(path, small_parameters(**{name: None}))
    assert_refused(checking.load_partially_trained, path, f"found no {name}")


BAD_VOCABULARIES = [
    ("a tuple", tuple(WORDS), "expected a list of str"),
    ("an array", np.array(WORDS), "expected a list of str"),
    ("a number in it", [*WORDS[:-1], 7], "expected a list of str"),
    ("bytes in it", [*WORDS[:-1], b"cat"], "expected a list of str"),
    ("empty", [], "found 0 words"),
    ("one word", ["[MASK]"], "found 1 words"),
    ("no mask", WORDS[1:], "the first ['the']"),
    ("a word twice", [*WORDS, "cat"], "7 words, 6 different"),
]


@pytest.mark.parametrize("name, vocab, words", BAD_VOCABULARIES, ids=lambda value: str(value)[:12])
def test_bad_vocabulary(path, name, vocab, words):
    assert_refused(checking.load_data, write(path, small_data(vocab=vocab)), "vocab", words)
    write(path, small_parameters(vocab=vocab))
    assert_refused(checking.load_partially_trained, path, "vocab", words)


def with_entry(value):
    windows = small_data()["valid_inputs"]
    windows[2, 1] = value
    return windows


BAD_WINDOWS = [
    ("a list", [[1, 2, 3, 4]], "type list"),
    ("one axis", np.ones(4, int), "shape (4,)"),
    ("three axes", np.ones((2, 4, 1), int), "shape (2, 4, 1)"),
    ("other length", np.ones((5, 3), int), "expected shape (any, 4)"),
    ("floats", np.ones((5, 4)), "dtype float64"),
    ("booleans", np.ones((5, 4), bool), "dtype 'b1'"),
    ("text", np.full((5, 4), "the"), "dtype <U3"),
    ("empty", np.ones((0, 4), int), ""),  # NumPy gives an empty buffer another wording
    ("a mask", with_entry(0), "values from 0 to"),
    ("negative", with_entry(-1), "values from -1 to"),
    ("beyond the vocabulary", with_entry(len(WORDS)), "expected 1 to 5"),
]


@pytest.mark.parametrize("name, windows, words", BAD_WINDOWS, ids=lambda value: str(value)[:12])
def test_bad_windows(path, name, windows, words):
    assert_refused(checking.load_data, write(path, small_data(valid_inputs=windows)), words)


def test_bad_targets(path):
    data = small_data(valid_targets=np.ones((5, 3), int))
    assert_refused(checking.load_data, write(path, data), "valid_targets", "expected shape (5, 4)")
    data = small_data(test_targets=np.zeros((3, 4), int))
    assert_refused(checking.load_data, write(path, data), "test_targets", "expected 1 to 5")


BAD_PARAMETERS = [
    ("word_embedding_weights", lambda a: a[:-1], "expected shape (6, any)"),
    ("word_embedding_weights", lambda a: a[:, :0], ""),
    ("word_embedding_weights", lambda a: a.tolist(), "type list"),
    ("embed_to_hid_weights", lambda a: a[:, :-1], "expected a multiple of 3"),
    ("embed_to_hid_weights", lambda a: a.T, ""),
    ("hid_bias", lambda a: a[:-1], "expected shape (5,)"),
    ("hid_bias", lambda a: a[:, None], "shape (5, 1)"),
    ("hid_to_output_weights", lambda a: a.T, "expected shape (24, 5)"),
    ("hid_to_output_weights", lambda a: a.astype(int), "dtype int64"),
    ("hid_to_output_weights", lambda a: a.astype(complex), ""),
    ("output_bias", lambda a: a[:6], "expected shape (24,)"),
    ("output_bias", lambda a: a * np.nan, "24 entries that are NaN"),
    ("output_bias", lambda a: a / 0, "24 entries that are NaN or infinite"),
]


@pytest.mark.parametrize("name, change, words", BAD_PARAMETERS)
def test_bad_parameter(path, name, change, words):
    with np.errstate(all="ignore"):
        write(path, small_parameters(**{name: change(small_parameters()[name])}))
    assert_refused(checking.load_partially_trained, path, words)


def test_vocabularies_that_disagree(path):
    write(path, small_parameters())
    exchanged = [WORDS[0], *WORDS[:0:-1]]
    for vocab in (exchanged, WORDS[:-1]):
        with pytest.raises(checking.DataFileError, match="vocab: found other words"):
            checking.load_partially_trained(path, vocab)


# What attacks. `Calls` is pickled as a call of a function.


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(mark):
    """Pickles that would create the file `mark` if they were run."""
    command = f"open({str(mark)!r}, 'w').close()"
    shell = f"touch {mark}"
    yield "system", pickle.dumps(Calls(os.system, shell))
    yield "eval", pickle.dumps(Calls(eval, command))
    yield "exec", pickle.dumps(Calls(exec, command))
    yield "open", pickle.dumps(Calls(open, str(mark), "w"))
    yield "import", pickle.dumps(Calls(__import__, "os"))
    yield "getattr", pickle.dumps(Calls(getattr, [], "append"))
    yield "save", pickle.dumps(Calls(np.save, str(mark), np.ones(1)))
    yield "method", pickle.dumps(Calls(np.ndarray.tofile, np.ones(1), str(mark)))
    yield "old protocol", pickle.dumps(Calls(os.system, shell), 0)
    yield "INST", f"(S'{shell}'\nios\nsystem\n.".encode()
    yield "OBJ", f"(cos\nsystem\nS'{shell}'\no.".encode()
    yield "NEWOBJ", f"cos\nsystem\n(S'{shell}'\nt\x81.".encode()
    yield "in the vocabulary", pickle.dumps(small_data(vocab=[*WORDS, Calls(eval, command)]))
    yield (
        "in an object array",
        pickle.dumps(small_data(train_inputs=np.array([[Calls(eval, command)] * 4], dtype=object))),
    )
    yield "as a key", pickle.dumps({Calls(eval, command): 1})
    yield "a class", pickle.dumps(small_data(train_inputs=np.ones((1, 4)).view(np.recarray)))
    yield "a memory map", b"cnumpy\nmemmap\n(S'" + str(mark).encode() + b"'\nS'i4'\nS'w+'\ntR."
    yield "persistent id", b"Pos.system\n."
    yield "extension registry", b"\x82\x01."


def test_attacks_are_refused_and_run_nothing(path, tmp_path):
    mark = tmp_path / "mark"
    for name, content in attacks(mark):
        path.write_bytes(content)
        assert_refused(checking.load_data, path)
        assert not mark.exists(), name


def test_attacks_would_work_on_plain_pickle(tmp_path):
    """Shows that the test above tests something."""
    mark = tmp_path / "mark"
    ran = 0
    for _, content in attacks(mark):
        try:
            pickle.loads(content)
        except Exception:
            pass
        ran += mark.exists()
        mark.unlink(missing_ok=True)
    assert ran >= 10


@pytest.mark.parametrize(
    "array",
    [
        np.array([["the", 1, None, 2]], dtype=object),
        np.zeros((3, 4), dtype=[("a", int)]),
        np.zeros((3, 4), dtype="datetime64[D]"),
        np.zeros((3, 4), dtype="V8"),
        np.zeros((3, 4), dtype="S4"),
        np.ma.ones((3, 4), int),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_other_things(path, array):
    assert_refused(
        checking.load_data, write(path, small_data(train_inputs=array)), "cannot be loaded"
    )


def reduced(function, arguments, state=None):
    """Protocol 2 by hand: function(*arguments), then its state set."""

    class Reduced:
        def __reduce__(self):
            return (function, arguments) if state is None else (function, arguments, state)

    return pickle.dumps(Reduced(), 2)


def test_gigantic_arrays_take_no_memory(path):
    reconstruct, i8 = np.ones(1).__reduce__()[0], np.dtype("i8")
    big = 10**12
    contents = [
        reduced(reconstruct, (np.ndarray, (big,), b"b")),
        reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (big, 4), i8, False, b"few bytes")),
        reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (2**62, 4), i8, False, b"")),
        reduced(reconstruct, (np.ndarray, (0,), b"b"), (1, (-1, -1), i8, False, bytes(64))),
        reduced(np.ndarray, ((big,),)),
        reduced(np.dtype, (f"U{big}",)),
        reduced(np.dtype, (f"({big},)i8",)),
        b"\x80\x04\x8e" + struct.pack("<Q", 2**30) + b"few bytes.",  # BINBYTES8
        b"\x80\x05\x96" + struct.pack("<Q", 2**30) + b"few bytes.",  # BYTEARRAY8
        b"\x80\x04\x8d" + struct.pack("<Q", 2**30) + b"few bytes.",  # BINUNICODE8
        b"\x80\x04\x95" + struct.pack("<Q", 2**30) + b"few bytes.",  # FRAME
        b"\x80\x02]r" + struct.pack("<I", 2**27) + b".",  # LONG_BINPUT
        b"]p134217728\n.",  # PUT
        b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b".",  # LONG4
        b"".join([b"]", *[b"(" for _ in range(1000)], b"t" * 1000, b"."]),
    ]
    tracemalloc.start()
    for content in contents:
        path.write_bytes(content)
        assert_refused(checking.load_data, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_tuples_nested_deeply_do_not_crash_Python(path):
    """The hash of the outermost tuple would visit a million others, each on Python's stack."""
    nested = b")" + 1_000_000 * b"\x85"
    for content in (b"\x80\x02}" + nested + b"K\x01s.", b"\x80\x04(" + nested + b"\x91."):
        path.write_bytes(content)
        program = f"import checking; checking.load_data({str(path)!r})"
        run = [sys.executable, "-c", program]
        folder = Path(checking.__file__).parent
        result = subprocess.run(run, cwd=folder, capture_output=True, text=True, timeout=60)
        assert result.returncode == 1  # an exception, and no signal
        assert "DataFileError" in result.stderr and "more objects than" in result.stderr


@pytest.mark.parametrize("encoding", ["utf-16", "rot13", "zlib_codec", "unicode_escape"])
def test_text_is_encoded_in_latin1_only(path, encoding):
    content = f"c_codecs\nencode\n(Vtext\nV{encoding}\ntR.".encode()
    path.write_bytes(content)
    assert_refused(checking.load_data, path, "another encoding than latin1")


def test_a_file_cannot_change_how_the_next_one_loads(path):
    """State set on the stand-ins of NumPy's functions does not outlive the file."""
    for name in ("_reconstruct", "scalar"):
        head = f"cnumpy.core.multiarray\n{name}\n".encode()
        path.write_bytes(head + b"(N}S'__defaults__'\n(I1\nI2\ntstb.")
        assert_refused(checking.load_data, path)
    path.write_bytes(b"cnumpy\ndtype\n(N}S'__defaults__'\n(I1\nI2\ntstb.")
    assert_refused(checking.load_data, path)
    checking.load_data(write(path, small_data()))
