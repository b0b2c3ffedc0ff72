"""The loading of data files: of every kind that is in use, and of broken ones in one table."""

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import checking

WORDS = ["[MASK]", "the", "cat", "sat", ".", "né"]
SPLITS = ("train", "valid", "test")
pytestmark = pytest.mark.filterwarnings("ignore:numpy.core:DeprecationWarning")  # old pickles
COURSE = os.environ.get("HW1_COURSE_FILES")


def without_none(values):
    return {name: value for name, value in values.items() if value is not None}


def small_data(dtype=np.int32, **changes):
    """A valid dict, or one with some entries changed; None removes an entry."""
    random, sizes = np.random.RandomState(0), zip(SPLITS, (20, 5, 3))
    inputs = {f"{split}_inputs": random.randint(1, len(WORDS), (n, 4)) for split, n in sizes}
    arrays = {name: array.astype(dtype) for name, array in inputs.items()}
    return without_none({"vocab": list(WORDS)} | arrays | changes)


def small_parameters(dtype=np.float64, **changes):
    random, shapes = np.random.RandomState(0), checking.parameter_shapes(4, len(WORDS), 3, 5)
    arrays = {name: random.randn(*shape).astype(dtype) for name, shape in shapes.items()}
    return without_none({"vocab": list(WORDS)} | arrays | changes)


def old_dumps(value, protocol):
    """A pickle with the names of modules that NumPy had before version 2."""
    called = [np.zeros(1).__reduce_ex__(n)[0] for n in (2, 5)] + [np.float64().__reduce__()[0]]
    with pytest.MonkeyPatch.context() as patch:
        for function in called:
            old = function.__module__.replace("numpy._core", "numpy.core")
            patch.setattr(function, "__module__", old)
        content = pickle.dumps(value, protocol)
    assert b"numpy._core" not in content
    return content


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.pk"


# What loads


def assert_plain(array, dtype, expected):
    """Of the type that a dataset has, whatever the file had; and the numbers of the file."""
    assert array.dtype == dtype and array.flags.writeable and array.flags.c_contiguous
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("dumps", [pickle.dumps, old_dumps])
def test_files_of_any_protocol_numpy_and_numbers(path, protocol, dumps):
    for dtype in (np.int8, np.uint16, np.int64, ">i4"):
        data = small_data(dtype, vocab=[*map(np.str_, WORDS)])
        path.write_bytes(dumps(data, protocol))
        loaded = checking.load_data(path)
        assert loaded["vocab"] == WORDS and {type(word) for word in loaded["vocab"]} == {str}
        assert len(loaded) == 7
        for split in SPLITS:
            assert_plain(loaded[f"{split}_inputs"], np.int32, data[f"{split}_inputs"])
            assert loaded[f"{split}_targets"] is loaded[f"{split}_inputs"]
    for dtype in (np.float32, ">f8"):
        parameters = small_parameters(dtype)
        parameters |= {k: np.asfortranarray(parameters[k]) for k in checking.PARAMETERS}
        path.write_bytes(dumps(parameters, protocol))
        loaded = checking.load_partially_trained(path, WORDS)
        assert set(loaded) == set(parameters)
        for name in checking.PARAMETERS:
            assert_plain(loaded[name], np.float64, parameters[name])
    assert np.dtype(np.float64).isnative  # what a file says of its byte order stays with it


def python_2_pickle(value):
    """Protocol 2 as Python 2 wrote it, with text and contents of arrays as byte strings.

    Written by hand, operation by operation: no Python 2 is at hand.
    """

    def string(data):
        return b"T" + len(data).to_bytes(4, "little") + data

    def dump(value):
        if isinstance(value, dict):
            return b"}(" + b"".join(string(k.encode()) + dump(v) for k, v in value.items()) + b"u"
        if isinstance(value, list):
            return b"](" + b"".join(string(word.encode("latin1")) for word in value) + b"e"
        shape = b"(" + b"".join(b"J" + n.to_bytes(4, "little") for n in value.shape) + b"t"
        dtype = b"cnumpy\ndtype\n(U\x02" + value.dtype.str[1:].encode() + b"K\x00K\x01tR"
        dtype += b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        return start + b"(K\x01" + shape + dtype + b"\x89" + string(value.tobytes()) + b"tb"

    return b"\x80\x02" + dump(value) + b"."


def test_files_of_python_2(path):
    path.write_bytes(python_2_pickle(small_data(np.int64)))
    loaded = checking.load_data(path)
    assert loaded["vocab"] == WORDS
    np.testing.assert_array_equal(loaded["train_inputs"], small_data()["train_inputs"])
    path.write_bytes(python_2_pickle(small_parameters()))
    loaded = checking.load_partially_trained(path, WORDS)
    np.testing.assert_array_equal(loaded["hid_bias"], small_parameters()["hid_bias"])


def test_other_lengths_of_windows_and_what_is_not_needed(path):
    data = {k: v if k == "vocab" else v[:, :3] for k, v in small_data().items()}
    path.write_bytes(pickle.dumps(data | {"more": None}))
    assert checking.load_data(str(path))["test_inputs"].shape == (3, 3)


@pytest.mark.skipif(not COURSE, reason="HW1_COURSE_FILES is not set")
def test_files_of_the_course():
    data = checking.load_data(Path(COURSE) / "data.pk")
    assert data["train_inputs"].shape == (372500, 4) and len(data["vocab"]) == 251
    arrays = checking.load_partially_trained(Path(COURSE) / "partially_trained.pk", data["vocab"])
    assert arrays["embed_to_hid_weights"].shape == (128, 64)


# What does not


def changed(array, value):
    array = np.array(array)
    array.flat[1] = value
    return array


INPUTS, P = small_data()["valid_inputs"], small_parameters()
NO_DICT = "nothing that can be loaded .{}.*expected a pickled dict of vocab, "
WHOLE, FLOATS = "expected whole numbers from 1 to 5", "expected finite floats, shape "
BROKEN = {  # a file, and what the message says of it
    "a web page": (b"<!DOCTYPE html><html>404: not found</html>", NO_DICT.format("Unpickling")),
    "a call of eval": (b"cbuiltins\neval\n(V1\ntR.", "it would call builtins.eval"),
    "a call behind a right name": (b"\x80\x04\x8c\x05numpy\x8c\x09dtype.mro\x93.", "dtype.mro"),
    "an array of objects": (pickle.dumps(small_data(more=np.array([{}]))), "array of dtype O"),
    "a list": (pickle.dumps([1, 2]), NO_DICT.format("TypeError")),
    "no windows": (small_data(test_inputs=None), NO_DICT.format("KeyError: 'test_inputs'")),
    "no [MASK]": (small_data(vocab=WORDS[1:]), "expected different words, first .MASK"),
    "a word twice": (
        small_data(vocab=[*WORDS, "cat"]),
        "vocab: found a list of 7 values; expected",
    ),
    "windows of other lengths": (small_data(valid_inputs=INPUTS[:, :3]), WHOLE + r", .*\(any, 4\)"),
    "windows of floats": (small_data(valid_inputs=INPUTS * 1.0), f"found float64, .*{WHOLE}"),
    "no window": (small_data(valid_inputs=INPUTS[:0]), rf"found int32, shape \(0, 4\); {WHOLE}"),
    "a hidden word": (small_data(valid_inputs=changed(INPUTS, 0)), f"from 0 to 5; {WHOLE}"),
    "an unknown word": (small_data(valid_inputs=changed(INPUTS, 6)), f"from 1 to 6; {WHOLE}"),
    "other words": (small_parameters(vocab=[*WORDS[:-1], "dog"]), "vocab: found other words than"),
    "a row too few": (
        small_parameters(word_embedding_weights=P["word_embedding_weights"][:-1]),
        rf"shape \(5, 3\).*; {FLOATS}\(6, 3\)",
    ),
    "no units": (small_parameters(hid_bias=P["hid_bias"][:0]), rf"{FLOATS}\(24, 0\)"),
    "NaN": (small_parameters(hid_bias=changed(P["hid_bias"], np.nan)), f"nan to nan; {FLOATS}"),
    "integers": (small_parameters(hid_bias=np.arange(5)), f"found int64, .*; {FLOATS}"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_one_clear_error(name, path):
    content, words = BROKEN[name]
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    is_parameters = isinstance(content, dict) and "train_inputs" not in content
    with pytest.raises(checking.DataFileError, match=words) as caught:
        checking.load_partially_trained(path, WORDS) if is_parameters else checking.load_data(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 600
    assert "; expected" in message and message.endswith("and put all of them beside the notebook.")


def test_a_file_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for load in (checking.load_data, checking.load_partially_trained):
        with pytest.raises(checking.DataFileError, match=re.escape(str(tmp_path))) as caught:
            load("none.pk")
        assert str(caught.value).startswith("none.pk: found nothing that can be loaded (")


def test_every_truncation_gives_a_clear_error(path):
    for protocol in (0, 2, 5):
        content = pickle.dumps(small_data(), protocol)
        for end in range(0, len(content), 25):
            path.write_bytes(content[:end])
            with pytest.raises(checking.DataFileError, match="nothing that can be loaded"):
                checking.load_data(path)
