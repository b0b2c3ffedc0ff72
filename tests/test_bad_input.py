"""Bad input, wherever a user can put it in: one clear error, quickly, and nothing else happens."""

import dataclasses
import faulthandler
import importlib
import os
import pickle
import re
import subprocess
import sys
import time
import traceback
import tracemalloc
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from broken_files import SPLITS, attacks, broken_files, small_data, small_parameters, texts

import checking
import data_files
from tools import make_data
from tools.common import ROOT

# What pickletools says of broken text goes to developers only.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pickletools")

SECONDS = 3  # for one file
LINE = 700  # letters of the longest message: a paragraph


def assert_clear(error, *words, frames=6):
    """The error is a paragraph that contains the words, and shows few frames of our own."""
    message = str(error)
    assert "\n" not in message and 20 < len(message) < LINE
    assert message.isprintable(), message
    for word in words:
        assert word in message
    assert len(traceback.extract_tb(error.__traceback__)) <= frames
    shown = "".join(traceback.format_exception(error))
    assert "During handling" not in shown and "direct cause" not in shown


@pytest.fixture(scope="module")
def mark(tmp_path_factory):
    """What an attack would create if it were run."""
    return tmp_path_factory.mktemp("mark") / "mark"


@pytest.fixture(scope="module")
def contents(mark):
    return broken_files(mark)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory, in which an attack would find a module `canary` to import."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "canary.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(modules)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


# Data files

CASES = list(broken_files("mark"))


def test_there_are_many_kinds():
    names = {name for _, name in CASES}
    assert len(names) >= 300
    assert len(attacks("mark")) >= 100
    assert len({content for (loader, _), content in broken_files("mark").items()}) >= 300


@pytest.mark.parametrize("loader, name", CASES)
def test_a_broken_file_gives_one_clear_error(loader, name, contents, mark, folder):
    path = folder / "some.pk"
    path.write_bytes(contents[loader, name])
    modules = {name for name in sys.modules if not name.startswith("encodings")}
    faulthandler.dump_traceback_later(60, exit=True)  # what hangs in C listens to nothing else
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(checking.DataFileError) as caught:
        if loader == "load_data":
            checking.load_data(path)
        else:
            checking.load_partially_trained(path, small_data()["vocab"])
    elapsed = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    faulthandler.cancel_dump_traceback_later()
    assert_clear(caught.value, str(path), "found", "assignment")
    assert elapsed < SECONDS
    assert peak < 20 * path.stat().st_size + 1e6
    assert not mark.exists()
    assert not {name for name in sys.modules if not name.startswith("encodings")} - modules
    assert list(folder.iterdir()) == [path]
    assert path.read_bytes() == contents[loader, name]


def test_the_whole_files_of_which_these_are_broken_load(folder):
    path = folder / "some.pk"
    path.write_bytes(pickle.dumps(small_data()))
    assert set(checking.load_data(path)) == {
        "vocab",
        *(f"{split}_{kind}" for split in SPLITS for kind in ("inputs", "targets")),
    }
    path.write_bytes(pickle.dumps(small_parameters()))
    checking.load_partially_trained(path, small_data()["vocab"])


@pytest.mark.parametrize("make", [small_data, small_parameters], ids=lambda make: make.__name__)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_spliced_file_gives_a_clear_error_or_loads(make, protocol, folder):
    """Pieces of the file cut out, repeated, moved or overwritten at random, many times over."""
    content, path = pickle.dumps(make(), protocol), folder / "some.pk"
    random = np.random.RandomState(protocol)
    load = checking.load_data if make is small_data else checking.load_partially_trained
    refused = 0
    for _ in range(200):
        a, b, c, d = sorted(random.randint(len(content), size=4))
        path.write_bytes(
            [
                content[:a] + content[b:],
                content[:b] + content[a:],
                content[:a] + content[b:c] + content[a:b] + content[c:],
                content[:a] + random.bytes(min(b - a, 8)) + content[b:],
            ][random.randint(4)]
        )
        try:
            load(path)
        except checking.DataFileError as error:
            assert_clear(error, str(path), "assignment")
            refused += 1
    assert refused > 150


@pytest.mark.parametrize("path", ["", ".", "none.pk", "none/some.pk", "a" * 300, "/dev/null"])
def test_what_is_no_file_is_named(path, folder):
    for load in (checking.load_data, checking.load_partially_trained):
        with pytest.raises(checking.DataFileError) as caught:
            load(path)
        assert_clear(caught.value, path, "assignment")


def sparse_file(path):
    with open(path, "wb") as file:
        file.truncate(2**40)


@pytest.mark.parametrize(
    "make, words",
    [
        (os.mkfifo, "found a pipe or a device"),
        (lambda path: path.symlink_to("/dev/zero"), "found a pipe or a device"),
        (sparse_file, "found 1024.0 GB"),
    ],
    ids=["a pipe", "a device", "a file of holes"],
)
def test_what_never_ends_is_not_read(make, words, folder):
    path = folder / "some.pk"
    make(path)
    faulthandler.dump_traceback_later(60, exit=True)
    for load in (checking.load_data, checking.load_partially_trained):
        with pytest.raises(checking.DataFileError) as caught:
            load(path)
        assert_clear(caught.value, str(path), words, "assignment")
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("name", ["_read_bytes", "_look_through"])
def test_the_want_of_memory_has_a_reason(name, folder, monkeypatch):
    def exhaust(_):
        raise MemoryError

    path = folder / "some.pk"
    path.write_bytes(pickle.dumps(small_data()))
    monkeypatch.setattr(data_files, name, exhaust)
    with pytest.raises(checking.DataFileError) as caught:
        checking.load_data(path)
    assert_clear(caught.value, str(path), "(MemoryError)", "assignment")


@pytest.mark.parametrize("path", [None, 3.5, ["data.pk"], b"data.pk"])
def test_what_is_no_path_is_named(path, folder):
    for load in (checking.load_data, checking.load_partially_trained):
        with pytest.raises(checking.DataFileError) as caught:
            load(path)
        assert_clear(caught.value, str(path), "assignment")


# Arguments of the functions that a notebook calls


def replaced(small, **changes):
    """The small model with some parameters changed."""
    return small.Model(dataclasses.replace(small.model.params, **changes), small.vocab)


MODELS = {  # what is given for the model, and words of the error
    "nothing": (lambda small: None, "model: found a NoneType"),
    "the class": (lambda small: small.Model, "model: found a type"),
    "parameters": (lambda small: small.model.params, "model: found a Params"),
    "a model without parameters": (lambda small: small.Model(None, small.vocab), "model: found"),
    "a model without words": (lambda small: small.Model(small.model.params, None), "a list vocab"),
    "a model of fewer words": (
        lambda small: small.Model(small.model.params, small.vocab[:5]),
        "expected shape (5, any)",
    ),
}
CHANGES = {
    "shorter": (lambda array: array[:-1], "found shape"),
    "with another axis": (lambda array: array[..., np.newaxis], "found shape"),
    "with NaN": (lambda array: array * np.nan, "NaN or infinite"),
    "with infinities": (lambda array: array + np.inf, "NaN or infinite"),
    "as text": (lambda array: array.astype(str), "found dtype"),
    "as whole numbers": (lambda array: array.astype(int), "found dtype"),
    "complex": (lambda array: array.astype(complex), "found dtype"),
    "as a list": (lambda array: array.tolist(), "type list"),
    "missing": (lambda array: None, "NoneType"),
}
BATCHES = {
    "no inputs": (lambda small: (None, small.mask), "inputs: found an object of type NoneType"),
    "inputs as a list": (lambda small: (small.inputs.tolist(), small.mask), "inputs: found"),
    "masked inputs": (lambda small: (small.inputs * (1 - small.mask), small.mask), "expected 1 to"),
    "both exchanged": (lambda small: (small.mask, small.inputs), "inputs: found values from 0"),
    "a mask of floats": (lambda small: (small.inputs, small.mask * 1.0), "mask: found dtype"),
    "a mask of fewer rows": (lambda small: (small.inputs, small.mask[:-1]), "mask: found shape"),
    "a mask of zeros": (lambda small: (small.inputs, small.mask * 0), "a single 1 in each row"),
}
CHECKS = [checking.check_loss_derivative, checking.check_gradients, checking.print_gradients]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_none_is_named(small, check, name, capsys):
    make, words = MODELS[name]
    with pytest.raises(ValueError) as caught:
        check(make(small), small.inputs, small.mask)
    assert_clear(caught.value, words, "expected", frames=8)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("parameter", checking.PARAMETERS)
@pytest.mark.parametrize("name", CHANGES)
def test_parameters_that_do_not_fit_are_named(small, parameter, name):
    change, words = CHANGES[name]
    array = change(getattr(small.model.params, parameter))
    for check in CHECKS:
        with pytest.raises(ValueError) as caught:
            check(replaced(small, **{parameter: array}), small.inputs, small.mask)
        assert_clear(caught.value, words, "expected", frames=8)
        if words != "found shape":  # which of two shapes is wrong, nobody knows
            assert parameter in str(caught.value)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_that_does_not_fit_is_named(small, check, name):
    make, words = BATCHES[name]
    with pytest.raises(ValueError) as caught:
        check(small.model, *make(small))
    assert_clear(caught.value, words, "expected", frames=8)


@pytest.mark.parametrize("value", [None, "text", 1j, np.ones(3), (1, 2), [[1], [2, 3]]], ids=str)
def test_a_loss_that_is_no_number_is_named(small, value):
    with pytest.raises(checking.GradientCheckError) as caught:
        checking.check_GLoVe_gradients(lambda *_: value, small.grad_GLoVe)
    assert_clear(caught.value, "loss_GLoVe returns", "expected a number", frames=8)


@pytest.mark.parametrize("functions", ["None, loss", "grad, None", "None, None"])
def test_functions_that_are_missing_are_named(small, functions):
    values = {"None": None, "loss": small.loss_GLoVe, "grad": small.grad_GLoVe}
    grad, loss = (values[name] for name in functions.split(", "))
    with pytest.raises(checking.GradientCheckError) as caught:
        checking.check_GLoVe_gradients(loss, grad)
    assert_clear(caught.value, "is not written yet", frames=8)


@pytest.mark.parametrize("word", ["zebra", "", "A", "a b", 3, None, ("a",), b"a"], ids=repr)
def test_an_unknown_word_is_named(small, word, capsys):
    calls = [
        lambda: small.model.display_nearest_words(word),
        lambda: small.model.word_distance("a", word),
        lambda: small.model.word_distance(word, "a"),
        lambda: small.analogy(small.model, "a", "b", word),
    ]
    for call in calls:
        with pytest.raises(ValueError) as caught:
            call()
        assert_clear(caught.value, repr(word), "vocabulary", frames=6)


# Command lines


def run_tool(*arguments, folder):
    """A finished run of a tool; the folder is its last argument's and holds nothing else."""
    command = [sys.executable, "-m", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60)


def assert_refused(run, *words, status=(1, 2)):
    assert run.returncode in status
    assert run.stdout == b""
    errors = run.stderr.decode()
    assert "Traceback" not in errors and 'File "' not in errors
    message = re.split(r"[\r\n]", errors.strip())[-1]  # what is before is usage, or a progress bar
    assert 20 < len(message) < LINE
    for word in words:
        assert word in message


def in_process(main, arguments, monkeypatch, capsys):
    """Run `main` of a tool here, which is faster; returns status, output and errors."""
    monkeypatch.setattr(sys, "argv", ["tool", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return SimpleNamespace(
        returncode=caught.value.code,
        **{
            name: text.encode()
            for name, text in zip(("stdout", "stderr"), capsys.readouterr(), strict=True)
        },
    )


@pytest.mark.parametrize("name", texts())
def test_a_broken_text_gives_one_clear_line(name, folder, monkeypatch, capsys):
    content, words = texts()[name]
    text, output = folder / "text.txt", folder / "own.pk"
    text.write_bytes(content)
    run = in_process(make_data.main, [text, "-o", output], monkeypatch, capsys)
    assert_refused(run, words)
    assert list(folder.iterdir()) == [text]


TEXT = "the cat sat on the mat .\n"
COMMANDS = {  # arguments, as a list if one is empty, and words of the last line
    "data: no such text": ("make_data none.txt", "none.txt: cannot be read"),
    "data: a folder as text": ("make_data .", "directory"),
    "data: no words": ("make_data text.txt --vocab-size 0", "--vocab-size: found '0'"),
    "data: fewer than no words": ("make_data text.txt --vocab-size -1", "--vocab-size: found '-1'"),
    "data: half a word": ("make_data text.txt --vocab-size 1.5", "--vocab-size: found '1.5'"),
    "data: a word for a number": ("make_data --vocab-size many", "found 'many'"),
    "data: too few words for the notebook": ("make_data text.txt --vocab-size 19", "from 20 to"),
    "data: more words than there are": ("make_data text.txt --vocab-size 20", "a longer text"),
    "data: no windows": ("make_data text.txt --windows 0 0 0", "--windows: found '0'"),
    "data: negative windows": ("make_data text.txt --windows 5 5 -5", "--windows: found '-5'"),
    "data: two splits": ("make_data text.txt --windows 5 5", "--windows: expected 3"),
    "data: a negative seed": ("make_data text.txt --seed -1", "--seed: found '-1'"),
    "data: a large seed": ("make_data text.txt --seed 4294967296", "from 0 to 4294967295"),
    "data: an unknown option": ("make_data text.txt --fast", "--fast"),
    "data: two texts": ("make_data text.txt text.txt", "unrecognized arguments"),
    "data: thousands of digits": (f"make_data text.txt --vocab-size {'9' * 5000}", "'9999"),
    "data: the text as output": ("make_data text.txt -o ./text.txt", "it is the text"),
    "corpus: no sentences": ("make_corpus --sentences 0 -o x", "--sentences: found '0'"),
    "corpus: a negative seed": ("make_corpus --seed -1 -o x", "--seed: found '-1'"),
    "corpus: no such grammar": ("make_corpus --grammar none -o x", "none: cannot be read"),
    "corpus: a text as grammar": ("make_corpus --grammar text.txt -o x", "text.txt:1: found"),
    "corpus: a data file as grammar": ("make_corpus --grammar data.pk -o x", "cannot be read"),
    "corpus: too many sentences": (f"make_corpus -o x --sentences {2**63}", "to 1000000000"),
    "corpus: the grammar as output": ("make_corpus --grammar text.txt -o text.txt", "the grammar"),
    "corpus: no such folder": ("make_corpus --sentences 1 -o none/x", "none/x: cannot be written"),
    "corpus: a folder": ("make_corpus --sentences 1 -o .", "cannot be written"),
    "parameters: no such data": ("make_partially_trained --data none -o x", "none: cannot be read"),
    "parameters: a folder as data": ("make_partially_trained --data . -o x", "directory"),
    "parameters: a text as data": (
        "make_partially_trained --data text.txt -o x",
        "text.txt: found",
    ),
    "parameters: broken data": ("make_partially_trained --data data.pk -o x", "data.pk: found"),
    "parameters: little data": ("make_partially_trained --data few.pk -o x", "found 20 windows"),
    "parameters: a negative seed": ("make_partially_trained --seed -1 -o x", "--seed: found '-1'"),
    "parameters: the data as output": (
        "make_partially_trained --data few.pk -o few.pk",
        "it is the data: name another file with -o",
    ),
    "corpus: groups without end": (
        "make_corpus --grammar deep.grammar -o x",
        "deep.grammar:1: found more than 20 groups in each other",
    ),
    "benchmark: an unknown section": ("benchmark sleep", "no section sleep; there are counting"),
    "benchmark: no such data": ("benchmark step --data none", "none: cannot be read"),
    "benchmark: a text as notebook": ("benchmark step --notebook text.txt", "cannot be read as a"),
    "benchmark: no model": ("benchmark step --notebook empty.ipynb", "defines no Params"),
    "benchmark: no such folder": ("benchmark step --output none/x", "none/x: cannot be written"),
    "benchmark: no place in the README": ("benchmark step --readme text.txt", "expected a line"),
    "benchmark: no text as README": ("benchmark step --readme data.pk", "data.pk: cannot be read"),
    "grading: nothing to grade": ("grade", "name a folder of submissions, or --gradescope-zip"),
    "grading: no such folder": ("grade none", "none: found no such folder"),
    "grading: results among submissions": ("grade .", "in the folder of submissions"),
    "grading: a negative seed": ("grade . --seed -1", "--seed: found '-1'"),
    "grading: a large seed": ("grade . --seed 4294967295", "from 0 to 2147483647"),
    "grading: no jobs": ("grade . --jobs 0", "--jobs: found '0'"),
    "grading: no time": ("grade . --cell-seconds 0", "--cell-seconds: found '0'"),
    "grading: a term without a name": (["grade", ".", "--term", ""], "--term: found ''"),
    "grading: a term and a model": (
        "grade . --term 2026 --partially-trained data.pk",
        "--partially-trained: not allowed with argument --term",
    ),
    "grading: no such data": ("grade --gradescope-zip x --data none", "none: cannot be read"),
    "grading: a text as notebook": (
        "grade --gradescope-zip x --notebook text.txt",
        "text.txt: cannot be read as a notebook",
    ),
    "grading: no such folder for the zip": ("grade --gradescope-zip none/x", "cannot be written"),
    "grading: the data as zip": (
        "grade --gradescope-zip few.pk --data few.pk",
        "it is the data: name another file with --gradescope-zip",
    ),
    "release: no output": ("release", "required: -o/--output"),
    "release: no such folder": ("release -o none/x", "none/x: cannot be written"),
    "release: no such folder for the key": ("release -o x --key none/x", "none/x: cannot be"),
    "release: a file for a folder": ("release -o x --staff text.txt", "text.txt: found a file"),
    "release: the zip as key": ("release -o x --key x", "it is also the file of -o"),
    "release: the data as zip": ("release -o few.pk --data few.pk", "it is the data"),
    "release: no such notebook": ("release -o x --notebook none", "none"),
    "release: a text as notebook": ("release -o x --notebook text.txt", "cannot be read as a note"),
    "release: a notebook without questions": (
        "release -o x --notebook empty.ipynb",
        "empty.ipynb: defines no Params and no Model; expected the reference notebook",
    ),
    "release: broken data": ("release -o x --data data.pk", "data.pk: found"),
    "release: a term without a name": (["release", "-o", "x", "--term", " "], "--term: found ' '"),
    "release: a term and a model": (
        "release -o x --term 2026 --partially-trained data.pk",
        "--partially-trained: not allowed with argument --term",
    ),
    "key: a term without a name": (["answer_key", "--term", ""], "--term: found ''"),
    "key: a term of broken text": ("answer_key --term \udcff", "expected the name of a term"),
    "key: a term and a model": ("answer_key --term a --partially-trained x", "not allowed with"),
    "key: a notebook that fails": (
        "answer_key --notebook failing.ipynb",
        "failing.ipynb: its definitions stop with ModuleNotFoundError: No module named 'nowhere'",
    ),
    "key: no such data": ("answer_key --data none", "none: cannot be read"),
    "key: broken data": ("answer_key --data data.pk", "data.pk: found"),
    "key: an unknown option": ("answer_key --year 2026", "--year"),
    "measuring: no such data": ("measure_training --data none", "none: cannot be read"),
    "measuring: broken data": ("measure_training --data data.pk", "data.pk: found"),
    "written: no such folder": ("make_written -o none", "none is no folder"),
    "written: a file for a folder": ("make_written -o text.txt", "text.txt is no folder"),
    "written: an unknown paper": ("make_written --paper a0", "invalid choice: 'a0'"),
    "PDF: no name": (["make_pdf", ""], "notebook: found '', expected the name of a file"),
    "PDF: a folder": ("make_pdf .", "notebook: found '.', expected the name of a file"),
    "PDF: the notebook as output": ("make_pdf hw.pdf", "it is the notebook: name another file"),
    "PDF: the written part as output": (
        "make_pdf hw.ipynb --written hw.pdf",
        "it is the written part: name another file with -o",
    ),
    "notebook: no such file": ("run_notebook none.ipynb", "none.ipynb"),
    "notebook: a folder": ("run_notebook .", "directory"),
    "notebook: a text": ("run_notebook text.txt", "text.txt: cannot be read as a notebook"),
    "notebook: a data file": ("run_notebook data.pk", "data.pk: cannot be read as a notebook"),
    "notebook: an empty file": ("run_notebook empty", "empty: cannot be read as a notebook"),
    "notebook: some JSON": ("run_notebook some.json", "some.json: cannot be read as a notebook"),
    "notebook: JSON that is a list": ("run_notebook list.json", "cannot be read as a notebook"),
    "notebook: a bad cell": ("run_notebook cell.json", "cannot be read as a notebook"),
}


def notebook_bytes(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()


FILES = {
    "text.txt": TEXT.encode(),
    "data.pk": pickle.dumps([1]),
    "few.pk": pickle.dumps(small_data()),
    "empty": b"",
    "empty.ipynb": notebook_bytes(),
    "failing.ipynb": notebook_bytes("import nowhere"),
    "deep.grammar": b"Sentence = " + b"{ " * 3000,
    "some.json": b'{"a": 1}',
    "list.json": b"[1, 2]",
    "cell.json": b'{"cells": [{"a": 1}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_command_line_gives_one_clear_line(name, folder, monkeypatch, capsys):
    command, words = COMMANDS[name]
    for file, content in FILES.items():
        (folder / file).write_bytes(content)
    tool, *arguments = words_of(command)
    if tool == "make_data" and "-o" not in arguments:
        arguments += ["-o", "x"]
    main = importlib.import_module(f"tools.{tool}").main
    assert_refused(in_process(main, arguments, monkeypatch, capsys), words)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def words_of(command):
    return command.split() if isinstance(command, str) else command


REQUIRED = {"make_pdf": ["x.ipynb"], "release": ["-o", "x.zip"], "grade": ["x"]}
TOOLS = sorted({words_of(command)[0] for command, _ in COMMANDS.values()})


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_in_a_process_of_its_own_refuses_an_unknown_option(tool, folder):
    run = run_tool(f"tools.{tool}", *REQUIRED.get(tool, []), "--nonsense", folder=folder)
    assert_refused(run, "unrecognized arguments: --nonsense", status=(2,))


def test_the_shell_sees_one_line_and_a_status(folder):
    run = run_tool("tools.data.windows", "none.txt", folder=folder)
    assert_refused(run, "make_data: none.txt: cannot be read", status=(1,))
    assert len(run.stderr.decode().splitlines()) == 1


@pytest.mark.slow
def test_a_notebook_that_fails_is_not_saved(folder):
    for source, words in [("1 / 0", "ZeroDivisionError"), ("import os; os._exit(1)", "ied")]:
        path = folder / "failing.ipynb"
        path.write_bytes(before := notebook_bytes(source))
        assert_refused(run_tool("tools.run_notebook", path, folder=folder), words, status=(1,))
        assert path.read_bytes() == before
