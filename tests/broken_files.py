"""Files that are broken in many ways, by name: what people may put in the place of the data files.

Each table maps a name, which says what is wrong, to the bytes of a file. `mark` is the path of a
file that an attack would create if it were run.
"""

import base64
import binascii
import bz2
import codecs
import collections
import gzip
import io
import json
import lzma
import marshal
import pickle
import struct
import sys
import zipfile
import zlib

import numpy as np
from test_data_files import SPLITS, WORDS, Calls, old_dumps, small_data, small_parameters

BIG = 2**30
GOOD = pickle.dumps(small_data(), 4)
OLD = pickle.dumps(small_data(), 0)
RANDOM = np.random.RandomState(0)


def _zipped(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def foreign_files():
    """Files of other kinds, and data files that something on the way has damaged."""
    with_zip = _zipped(lambda file: zipfile.ZipFile(file, "w").writestr("data.pk", GOOD))
    return {
        "empty": b"",
        "a newline": b"\n",
        "only spaces": b" " * 100,
        "a web page": b"<!DOCTYPE html><html>404: not found</html>",
        "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "an error in JSON": b'{"message": "Not Found"}',
        "JSON of the right keys": json.dumps({"vocab": WORDS}).encode(),
        "CSV": b"vocab,train_inputs\nthe,1\n",
        "sentences": b"the cat sat .\nthe cat sat .\n",
        "Python": b"vocab = ['[MASK]', 'the']\n",
        "a notebook": json.dumps({"cells": [], "nbformat": 4}).encode(),
        "gzip": gzip.compress(GOOD),
        "bzip2": bz2.compress(GOOD),
        "xz": lzma.compress(GOOD),
        "zlib": zlib.compress(GOOD),
        "zip": with_zip,
        "npy": _zipped(lambda file: np.save(file, np.ones((5, 4), int))),
        "npz": _zipped(lambda file: np.savez(file, train_inputs=np.ones((5, 4), int))),
        "marshal": marshal.dumps(["[MASK]", "the"]),
        "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(50),
        "SQLite": b"SQLite format 3\0" + bytes(50),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(50),
        "UTF-16": "vocab".encode("utf-16"),
        "zeros": bytes(1000),
        "ones": b"\xff" * 1000,
        "noise": RANDOM.bytes(1000),
        "noise after a right beginning": GOOD[:10] + RANDOM.bytes(1000),
        "an unknown protocol": b"\x80\x7f.",
        "only an end": b".",
        "a protocol and no more": b"\x80\x04",
        "two ends": b"\x80\x04..",
        "base64": base64.b64encode(GOOD),
        "a hex dump": binascii.hexlify(GOOD),
        "backwards": GOOD[::-1],
        "without its first byte": GOOD[1:],
        "line ends made those of Windows": OLD.replace(b"\n", b"\r\n"),
        "high bits lost": bytes(byte & 127 for byte in GOOD),
        "read as text and saved again": GOOD.decode("latin1").encode(),
        "what is no UTF-8 replaced": GOOD.decode("utf-8", "replace").encode(),
        "zero bytes lost": GOOD.replace(b"\0", b""),
        "in capitals": GOOD.upper(),
        "bytes exchanged in pairs": np.frombuffer(GOOD[: len(GOOD) // 2 * 2], "<u2")
        .byteswap()
        .tobytes(),
        "a byte order mark in front": b"\xef\xbb\xbf" + GOOD,
        "a block of zeros in the middle": GOOD[:30] + bytes(64) + GOOD[94:],
        "a block twice": GOOD[:64] + GOOD[32:],
        "protocol 0 with spaces for newlines": OLD.replace(b"\n", b" "),
    }


def cut_files():
    """Downloads that stopped."""
    places = {
        "after one byte": GOOD[:1],
        "in the header": GOOD[:5],
        "in the vocabulary": GOOD[: GOOD.index(b"cat") + 1],
        "in the name of an array": GOOD[: GOOD.index(b"_reconstruct") + 4],
        "in an array": GOOD[: len(GOOD) // 2],
        "before the last byte": GOOD[:-1],
        "in a line of protocol 0": OLD[: len(OLD) // 2],
        "before the end of protocol 0": OLD[:-1],
        "in the middle, the rest zeros": GOOD[: len(GOOD) // 2] + bytes(len(GOOD) // 2),
    }
    return {f"cut {place}": content for place, content in places.items()}


def other_values():
    """Pickles of something else than the dict of a data file."""
    recursive = []
    recursive.append(recursive)
    values = {
        "None": None,
        "a list": [1, 2],
        "a list that holds itself": recursive,
        "a tuple": (small_data(), 1),
        "a set": {1, 2},
        "a frozenset": frozenset("ab"),
        "text": "vocab",
        "bytes": b"vocab",
        "a bytearray": bytearray(5),
        "a number": 3.5,
        "a complex number": 1j,
        "a long number": 10**1000,
        "true": True,
        "an ellipsis": ...,
        "an array": np.arange(3),
        "a scalar of NumPy": np.float64(3),
        "a dtype": np.dtype("i4"),
        "a class": dict,
        "a function": len,
        "an exception": ValueError("vocab"),
        "a range": range(3),
        "a slice": slice(3),
        "an ordered dict": collections.OrderedDict(small_data()),
        "a counter": collections.Counter(WORDS),
        "an empty dict": {},
        "a dict in a dict": {"data": small_data()},
        "keys of bytes": {key.encode(): value for key, value in small_data().items()},
        "keys that are numbers": dict(enumerate(small_data().values())),
        "the older keys": {"vocab": WORDS, "train_x": 1, "train_t": 1},
    }
    return {f"holds {name}": pickle.dumps(value) for name, value in values.items()}


def _recursive_vocabulary():
    vocab = list(WORDS)
    vocab.append(vocab)
    return vocab


VOCABULARIES = {
    "missing": None,
    "a tuple": tuple(WORDS),
    "a dict": dict.fromkeys(WORDS),
    "text": " ".join(WORDS),
    "a number": 6,
    "an array of text": np.array(WORDS),
    "an array of objects": np.array(WORDS, object),
    "of bytes": [word.encode() for word in WORDS],
    "with a number in it": [*WORDS[:-1], 7],
    "with nothing in it": [*WORDS[:-1], None],
    "with a list in it": [*WORDS[:-1], ["cat"]],
    "that holds itself": _recursive_vocabulary(),
    "empty": [],
    "of one word": ["[MASK]"],
    "without a mask": WORDS[1:],
    "with the mask last": [*WORDS[1:], "[MASK]"],
    "with the mask in small letters": ["[mask]", *WORDS[1:]],
    "with two masks": ["[MASK]", *WORDS],
    "with a word twice": [*WORDS, "cat"],
    "with a word of a million letters first": ["a" * 10**6, *WORDS],
    "with line ends in the first word": ["a\n" * 1000, *WORDS],
}


def _with(value, dtype=np.int64):
    windows = np.ones((5, 4), dtype)
    windows[2, 1] = value
    return windows


WINDOWS = {
    "missing": None,
    "a list": [[1, 2, 3, 4]],
    "a number": 3,
    "a scalar of NumPy": np.int32(3),
    "a dict": {0: [1, 2, 3, 4]},
    "the vocabulary": WORDS,
    "without axes": np.array(3),
    "of one axis": np.ones(4, int),
    "of three axes": np.ones((5, 4, 1), int),
    "transposed": np.ones((4, 5), int),
    "of another length": np.ones((5, 3), int),
    "without rows": np.ones((0, 4), int),
    "without columns": np.ones((5, 0), int),
    "of floats": np.ones((5, 4)),
    "of NaN": np.full((5, 4), np.nan),
    "of booleans": np.ones((5, 4), bool),
    "of complex numbers": np.ones((5, 4), complex),
    "of text": np.full((5, 4), "the"),
    "of bytes": np.full((5, 4), b"the"),
    "of dates": np.zeros((5, 4), "datetime64[D]"),
    "of durations": np.zeros((5, 4), "timedelta64[D]"),
    "of nothing in particular": np.zeros((5, 4), "V8"),
    "of records": np.zeros((5, 4), [("word", int)]),
    "of objects": np.ones((5, 4), object),
    "long double": np.ones((5, 4), np.longdouble),
    "masked": np.ma.ones((5, 4), int),
    "a matrix": np.asmatrix(np.ones((5, 4), int)),
    "a record array": np.ones((5, 4)).view(np.recarray),
    "with a mask in it": _with(0),
    "with a negative word": _with(-1),
    "with a word beyond the vocabulary": _with(len(WORDS)),
    "with a word of 2**32 + 1": _with(2**32 + 1),
    "with the largest number": _with(2**64 - 1, np.uint64),
    "with 255": _with(255, np.uint8),
}
TARGETS = {
    "None": None,
    "of another shape": np.ones((5, 3), int),
    "fewer": np.ones((4, 4), int),
    "floats": np.ones((5, 4)),
    "with a mask in them": _with(0),
    "a list": [1],
}


def broken_data():
    """data.pk with one entry wrong."""
    files = {}
    for name, value in VOCABULARIES.items():
        files[f"data: vocabulary {name}"] = small_data(vocab=value)
    for name, value in WINDOWS.items():
        files[f"data: windows {name}"] = small_data(valid_inputs=value)
    for name, value in TARGETS.items():
        files[f"data: targets {name}"] = small_data() | {"valid_targets": value}
    for split in ("train", "test"):
        files[f"data: no {split} windows"] = small_data(**{f"{split}_inputs": None})
    return {name: pickle.dumps(value) for name, value in files.items()}


def _changed(name, change):
    return small_parameters(**{name: change(small_parameters()[name])})


def _with_nan(array, value=np.nan):
    array.flat[-1] = value
    return array


def broken_parameters():
    """partially_trained.pk with one entry wrong."""
    weights, vocab = "word_embedding_weights", small_parameters()["vocab"]
    files = {
        "vocabulary exchanged": small_parameters(vocab=[vocab[0], *vocab[:0:-1]]),
        "vocabulary shorter": small_parameters(vocab=vocab[:-1]),
        "vocabulary longer": small_parameters(vocab=[*vocab, "dog"]),
        "vocabulary that the words are not in": small_parameters(vocab=list("abcdef")),
        "embedding of fewer words": _changed(weights, lambda a: a[:-1]),
        "embedding transposed": _changed(weights, lambda a: a.T),
        "embedding without columns": _changed(weights, lambda a: a[:, :0]),
        "embedding a list": _changed(weights, lambda a: a.tolist()),
        "embedding of one axis": _changed(weights, np.ravel),
        "hidden weights with a column less": _changed("embed_to_hid_weights", lambda a: a[:, :-1]),
        "hidden weights transposed": _changed("embed_to_hid_weights", lambda a: a.T),
        "hidden weights without rows": _changed("embed_to_hid_weights", lambda a: a[:0]),
        "hidden bias shorter": _changed("hid_bias", lambda a: a[:-1]),
        "hidden bias a column": _changed("hid_bias", lambda a: a[:, None]),
        "hidden bias a number": small_parameters(hid_bias=0.0),
        "output weights transposed": _changed("hid_to_output_weights", lambda a: a.T),
        "output weights of one position": _changed("hid_to_output_weights", lambda a: a[:6]),
        "output weights whole numbers": _changed("hid_to_output_weights", lambda a: a.astype(int)),
        "output weights complex": _changed("hid_to_output_weights", lambda a: a.astype(complex)),
        "output bias of one position": _changed("output_bias", lambda a: a[:6]),
        "output bias text": _changed("output_bias", lambda a: a.astype(str)),
        "output bias objects": _changed("output_bias", lambda a: a.astype(object)),
        "parameters in a list": list(small_parameters().values()),
    }
    for name in small_parameters():
        files[f"no {name}"] = small_parameters(**{name: None})
        if name != "vocab":
            files[f"{name} with a NaN"] = _changed(name, _with_nan)
            files[f"{name} with an infinity"] = _changed(name, lambda a: _with_nan(a, np.inf))
    return {f"parameters: {name}": pickle.dumps(value) for name, value in files.items()}


def _call(module, function, *arguments):
    """A pickle of protocol 0 that calls a function by its name, whatever the platform."""
    return f"c{module}\n{function}\n".encode() + pickle.dumps(arguments, 0)[:-1] + b"R."


def _state(module, function, state):
    """A pickle that sets state on something that it finds by its name."""
    return f"c{module}\n{function}\n".encode() + pickle.dumps(state, 0)[:-1] + b"b."


def attacks(mark):
    """Pickles that run something, if they are loaded without care."""
    path, command = str(mark), f"open({str(mark)!r}, 'w').close()"
    shell = f"touch {mark}"
    inner = pickle.dumps(Calls(eval, command))
    calls = {
        "os.system": _call("os", "system", shell),
        "posix.system": _call("posix", "system", shell),
        "os.popen": _call("os", "popen", shell),
        "os.remove": _call("os", "remove", path),
        "subprocess.Popen": _call("subprocess", "Popen", ["touch", path]),
        "subprocess.check_output": _call("subprocess", "check_output", ["touch", path]),
        "eval": _call("builtins", "eval", command),
        "eval of Python 2": _call("__builtin__", "eval", command),
        "exec": _call("builtins", "exec", command),
        "compile": _call("builtins", "compile", command, "a", "exec"),
        "open": _call("builtins", "open", path, "w"),
        "io.open": _call("io", "open", path, "w"),
        "__import__": _call("builtins", "__import__", "canary"),
        "importlib": _call("importlib", "import_module", "canary"),
        "an import by name": b"ccanary\nthing\n.",
        "runpy": _call("runpy", "run_module", "canary"),
        "getattr": _call("builtins", "getattr", [], "append"),
        "getattr of a module": b"cbuiltins\ngetattr\n(cos\n__dict__\nS'get'\ntR.",
        "globals": _call("builtins", "globals"),
        "operator.attrgetter": _call("operator", "attrgetter", "__class__"),
        "functools.partial": b"cfunctools\npartial\n(cos\nsystem\nS'true'\ntR.",
        "map": b"cbuiltins\nmap\n(cos\nsystem\n(S'true'\ntltR.",
        "types.FunctionType": _call("types", "FunctionType"),
        "types.CodeType": _call("types", "CodeType"),
        "pickle.loads": _call("pickle", "loads", inner),
        "marshal.loads": _call("marshal", "loads", b"N"),
        "shutil.rmtree": _call("shutil", "rmtree", path),
        "pathlib": _call("pathlib", "Path.touch", path),
        "webbrowser": _call("webbrowser", "open", "file:///"),
        "socket": _call("socket", "create_connection", ["localhost", 9]),
        "ctypes": _call("ctypes", "CDLL", "libc.so.6"),
        "timeit": _call("timeit", "timeit", command),
        "codecs.open": _call("codecs", "open", path, "w"),
        "codecs.decode": _call("_codecs", "decode", b"x", "zlib"),
        "codecs.encode to another encoding": _call("_codecs", "encode", "text", "rot13"),
        "numpy.load": _call("numpy", "load", path),
        "numpy.fromfile": _call("numpy", "fromfile", "/etc/hostname"),
        "numpy.memmap": _call("numpy", "memmap", path, "i4", "w+"),
        "numpy.save": _call("numpy", "save", path, [1]),
        "numpy.savetxt": _call("numpy", "savetxt", path, [1]),
        "numpy.genfromtxt": _call("numpy", "genfromtxt", path),
        "numpy.lib": _call("numpy.lib.format", "open_memmap", path, "w+", "i4", [1]),
        "numpy.f2py": _call("numpy.f2py", "compile", "end"),
        "numpy.testing": _call("numpy.testing._private.utils", "runstring", command, {}),
        "numpy.ctypeslib": _call("numpy.ctypeslib", "load_library", "libc", "/lib"),
        "numpy.ndarray.tofile": _call("numpy", "ndarray.tofile", [1], path),
        "numpy.vectorize": b"cnumpy\nvectorize\n(cos\nsystem\ntR.",
        "a name behind an allowed one": b"cnumpy\ndtype.__class__\n.",
        "a name behind an allowed function": b"cnumpy.core.multiarray\nscalar.__globals__\n.",
        "a name with a line end": b"\x80\x04\x8c\x04a\nb\n\x8c\x01c\x93.",
        "a name of a million letters": b"c" + b"a" * 10**6 + b"\nb\n.",
        "a name with escape codes": b"\x80\x04\x8c\x04\x1b[2J\x8c\x01c\x93.",
        "an allowed name called as it must not be": _call("numpy", "ndarray", [BIG]),
    }
    opcodes = {
        "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c"
        + bytes([len(shell)])
        + shell.encode()
        + b"\x85R.",
        "STACK_GLOBAL from the memo": b"\x80\x04\x8c\x06system\x940\x8c\x02os\x94h\x00\x93"
        + b"\x8c\x04true\x85R.",
        "INST": f"(S{shell!r}\nios\nsystem\n.".encode(),
        "OBJ": f"(cos\nsystem\nS{shell!r}\no.".encode(),
        "NEWOBJ": b"\x80\x02cbuiltins\nlist\n)\x81.",
        "NEWOBJ of an allowed name": b"\x80\x02cnumpy\nndarray\n(K\x05t\x81.",
        "NEWOBJ_EX": b"\x80\x04cbuiltins\nlist\n)}\x92.",
        "REDUCE of what is no function": b"I1\n(tR.",
        "BUILD on a module's function": _state("os", "system", {"a": 1}),
        "BUILD on an allowed function": _state(
            "numpy.core.multiarray", "scalar", (None, {"__code__": 1})
        ),
        "BUILD without a state": _call("numpy.core.multiarray", "_reconstruct")[:-1] + b"Nb.",
        "BUILD with a state of another form": _call("numpy.core.multiarray", "_reconstruct")[:-1]
        + b"(I1\nI2\ntb.",
        "PERSID": b"Pos.system\n.",
        "BINPERSID": b"\x80\x02K\x01Q.",
        "EXT1": b"\x80\x02\x82\x01.",
        "EXT2": b"\x80\x02\x83\x01\x00.",
        "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
        "a buffer from outside": b"\x80\x05\x97.",
        "a read-only buffer": b"\x80\x05\x97\x98.",
        "a memo that was never filled": b"\x80\x02h\x05.",
        "an empty stack": b"0.",
        "a mark in the place of a value": b"(.",
    }
    bombs = {
        "BINBYTES8 of a gigabyte": b"\x80\x04\x8e" + struct.pack("<Q", BIG) + b"few.",
        "BINBYTES8 of 2**63": b"\x80\x04\x8e" + struct.pack("<Q", 2**63) + b"few.",
        "BYTEARRAY8 of a gigabyte": b"\x80\x05\x96" + struct.pack("<Q", BIG) + b"few.",
        "BINUNICODE8 of a gigabyte": b"\x80\x04\x8d" + struct.pack("<Q", BIG) + b"few.",
        "FRAME of a gigabyte": b"\x80\x04\x95" + struct.pack("<Q", BIG) + b"few.",
        "LONG4 of a gigabyte": b"\x80\x02\x8b" + struct.pack("<i", BIG) + b"few.",
        "LONG4 of a negative length": b"\x80\x02\x8b" + struct.pack("<i", -5) + b"few.",
        "LONG_BINPUT far out": b"\x80\x02]r" + struct.pack("<I", 2**27) + b".",
        "PUT far out": b"]p134217728\n.",
        "PUT of a negative number": b"]p-5\n.",
        "a number of a million digits": b"I" + b"9" * 10**6 + b"\n.",
        "lists nested a million deep": b"]" * 10**6 + b"a" * (10**6 - 1) + b".",
        "tuples nested deeply": b"\x80\x02})" + b"\x85" * 100_000 + b"K\x01s.",
        "marks without end": b"(" * 10**6 + b".",
        "a tuple of itself twice, 60 times": b"\x80\x02}K\x01" + b"2\x86" * 60 + b"K\x01s.",
        "the same by the memo": b"\x80\x04}K\x01\x85\x94"
        + b"".join(bytes([104, i, 104, i]) + b"\x86\x94" for i in range(60))
        + b"K\x01s.",
        "the same by the memo, after no state": _doubled(b"Nb"),
        "the same by the memo, after no items": _doubled(b"(u"),
        "the same by the memo, after no entries": _doubled(b"(e"),
        "the same by the memo, after a protocol": _doubled(b"\x80\x04"),
        "the same by the memo, after a frame": _doubled(b"\x95" + bytes(8)),
        "the same by the memo of PUT": _doubled(b"", b"r"),
        "the same in a set": b"\x80\x04\x8f(K\x01" + b"2\x86" * 60 + b"\x90.",
        "lists of lists, doubled 60 times": pickle.dumps({"vocab": _laughs(), "train_inputs": 1}),
        "lists of lists as an encoding": pickle.dumps(Calls(codecs.encode, "text", _laughs())),
        "numbers that all have the same hash": _same_hash(),
        "the same text encoded 4000 times": _repeated(codecs.encode, "a" * 10**6, "latin1"),
        "the same bytes made text 4000 times": _repeated(
            np.float64(0).__reduce__()[0], np.dtype("U250000"), b"a\0\0\0" * 250_000
        ),
    }
    hidden = Calls(eval, command)
    places = {
        "in the vocabulary": small_data(vocab=[*WORDS, hidden]),
        "as the vocabulary": small_data(vocab=hidden),
        "as a key": small_data() | {hidden: 1},
        "as windows": small_data(train_inputs=hidden),
        "in an object array": small_data(train_inputs=np.array([[hidden] * 4], dtype=object)),
        "in an entry that nobody needs": small_data() | {"note": hidden},
        "after what is needed": [small_data(), hidden],
    }
    shapes = {
        "an array of 10**12 entries": ((10**12, 4), b"few bytes"),
        "an array of 2**62 rows": ((2**62, 4), b""),
        "an array of negative lengths": ((-1, -1), bytes(64)),
        "an array longer than its bytes": ((9, 9), bytes(8)),
        "an array with bytes to spare": ((1, 1), bytes(64)),
        "an array of half a number": ((1,), bytes(7)),
        "an array with text for a shape": (("a", 4), bytes(8)),
    }
    dtypes = {"of many letters": f"U{BIG}", "of a shape": f"({BIG},)i8", "of fields": "i4,i8"}
    files = {f"calls {name}": content for name, content in calls.items()}
    files |= {f"opcode {name}": content for name, content in opcodes.items()} | bombs
    files |= {f"a call {name}": pickle.dumps(value) for name, value in places.items()}
    files |= {f"a call in protocol {p}": pickle.dumps(hidden, p) for p in range(6)}
    files |= {name: _array(*values) for name, values in shapes.items()}
    files |= {f"a dtype {name}": _call("numpy", "dtype", code) for name, code in dtypes.items()}
    files["a call under the older names of NumPy"] = old_dumps(small_data(vocab=hidden), 2)
    return files


def _doubled(between, put=None):
    """A key that is a tuple of the one before it twice, and so on, 60 times, by the memo."""
    content = b"\x80\x04K\x01\x85"
    for i in range(60):
        memoize = b"\x94" if put is None else put + struct.pack("<I", i)
        content += between + memoize + bytes([104, i, 104, i]) + b"\x86"
    return content + between + b"\x94}h" + bytes([60]) + b"K\x01s."


def _same_hash():
    """A dict whose keys are 30,000 numbers with the hash 0, which would take long to make here."""
    modulus = sys.hash_info.modulus
    longs = (pickle.encode_long(number * modulus) for number in range(1, 30_000))
    items = (b"\x8a" + bytes([len(long)]) + long + b"N" for long in longs)
    return b"\x80\x02}(" + b"".join(items) + b"u."


def _repeated(function, *arguments):
    """A call of a function with the same arguments, 4000 times, each with a tuple of its own."""
    return pickle.dumps([Calls(function, *arguments) for _ in range(4000)])


def _laughs():
    """A list of the same list ten times, and so on: small as a pickle, endless when printed."""
    value = ["ha"]
    for _ in range(60):
        value = [value] * 10
    return value


def _array(shape, content):
    """A pickled array whose contents do not fit its shape."""

    class Array:
        def __reduce__(self):
            reconstruct = np.ones(1).__reduce__()[0]
            state = (1, shape, np.dtype("i8"), False, content)
            return reconstruct, (np.ndarray, (0,), b"b"), state

    return pickle.dumps({"vocab": WORDS} | {f"{split}_inputs": Array() for split in SPLITS}, 2)


def broken_files(mark):
    """All of the above: pairs of a name and the loader's name, and the bytes of a file."""
    both = foreign_files() | cut_files() | other_values() | attacks(mark)
    data = {("load_data", name): content for name, content in (both | broken_data()).items()}
    return data | {
        ("load_partially_trained", name): content
        for name, content in (both | broken_parameters()).items()
    }


# Texts for make_data, and what the message says


def texts():
    """Broken texts for `make_data`: bytes, and words of the message."""
    line = b"the cat sat on the mat .\n"
    return {
        "empty": (b"", "found no sentences"),
        "of blank lines": (b"\n \n\t\n", "found no sentences"),
        "of one word": (b"word", "has 1 distinct tokens"),
        "of one line": (line, "has 6 distinct tokens"),
        "of one line a thousand times": (line * 1000, "has 6 distinct tokens"),
        "with line ends of Windows": (line.replace(b"\n", b"\r\n"), "has 6 distinct tokens"),
        "with a byte order mark": (b"\xef\xbb\xbf" + line, "has 6 distinct tokens"),
        "only a byte order mark": (b"\xef\xbb\xbf", "found no sentences"),
        "in Latin-1": ("café\n".encode("latin1"), "UTF-8"),
        "in UTF-16": ("the cat\n".encode("utf-16"), "UTF-8"),
        "that is cut in a letter": ("café".encode()[:-1], "UTF-8"),
        "that is a data file": (GOOD, "UTF-8"),
        "that is compressed": (gzip.compress(line), "UTF-8"),
        "that is noise": (b"\xff" + RANDOM.bytes(500), "UTF-8"),
        "of zero bytes": (bytes(100), "has 1 distinct tokens"),
        "of nothing but the mask": (b"[MASK] [MASK]\n", "has 0 distinct tokens"),
        "of many words, no window": (
            "\n".join(f"word{i}" for i in range(300)).encode(),
            "has 0 windows of 4 words",
        ),
        "of many words, few windows": (
            " ".join(f"word{i}" for i in range(300)).encode(),
            "take a longer text, one sentence a line",
        ),
        "of many words, some windows": (
            "\n".join(" ".join(f"word{i + j}" for j in range(10)) for i in range(300)).encode(),
            "ask for fewer with --windows",
        ),
        "of many words, one window": (
            "\n".join(f"word{i}" for i in range(300)).encode() + b"\nword0 word1 word2 word3",
            "take a longer text",
        ),
    }
