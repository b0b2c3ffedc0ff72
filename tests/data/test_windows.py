"""data.pk and partially_trained.pk: their contract, and data made from other texts."""

import pickle
from collections import Counter
from functools import partial
from itertools import chain

import numpy as np
import pytest

import checking
from tests.commands import run_tool
from tools.common import DATA, PARTIALLY_TRAINED, SENTENCES
from tools.data import __main__ as command
from tools.data import windows

TEXT = """the cat sat on the mat .
the dog sat on the cat .
a cat ate a fish on the mat .
the fish sat on a dog .
one two three four five six seven eight nine ten .
"""


@pytest.fixture
def run():
    """Call `python -m tools.data` in this process: (status, standard output, standard error)."""
    return partial(run_tool, command)


# ---------------------------------------------------------------- the files of the package


def test_keys_shapes_types_and_the_order_of_the_vocabulary(data):
    assert pickle.loads(DATA.read_bytes()).keys() == data.keys()
    for split, n_windows in zip(windows.SPLITS, [372_500, 46_500, 46_500]):
        inputs = data[f"{split}_inputs"]
        assert (inputs.shape, inputs.dtype) == ((n_windows, 4), np.int32)
        assert (inputs.min(), inputs.max()) == (1, 250)
    counts = Counter(SENTENCES.read_text(encoding="utf-8").split())
    mask_word, *words = data["vocab"]
    assert mask_word == "[MASK]" and set(words) == set(counts)
    frequencies = [counts[word] for word in words]
    assert frequencies == sorted(frequencies, reverse=True)


def test_windows_stand_in_the_corpus_and_a_sentence_in_one_split(data):
    sentences = [line.split() for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    of_sentence = [[" ".join(s[i : i + 4]) for i in range(len(s) - 3)] for s in sentences]
    corpus = Counter(chain.from_iterable(of_sentence))
    words = np.array(data["vocab"])
    splits = [set(map(" ".join, words[data[f"{split}_inputs"]])) for split in windows.SPLITS]
    assert set().union(*splits) <= set(corpus)
    inputs = data["train_inputs"]  # rows are shuffled: few go on where the row before stopped
    assert np.mean(np.all(inputs[1:, :-1] == inputs[:-1, 1:], axis=1)) < 0.001
    for found in of_sentence:  # a window that stands only once in the corpus gives it away
        own = {window for window in found if corpus[window] == 1}
        assert sum(bool(own & split) for split in splits) <= 1


def test_the_command_gives_the_same_bytes(tmp_path, run):
    assert run("windows", "-o", tmp_path / "data.pk")[0] == 0
    assert (tmp_path / "data.pk").read_bytes() == DATA.read_bytes()


@pytest.mark.slow
def test_the_whole_corpus_and_parameters_are_the_same_bytes(tmp_path, run):
    assert run("corpus", "-o", tmp_path / "corpus.txt")[0] == 0
    assert (tmp_path / "corpus.txt").read_bytes() == SENTENCES.read_bytes()
    assert run("parameters", "-o", tmp_path / "p.pk")[0] == 0
    assert (tmp_path / "p.pk").read_bytes() == PARTIALLY_TRAINED.read_bytes()


def test_parameters(data, notebook):
    arrays = pickle.loads(PARTIALLY_TRAINED.read_bytes())
    assert arrays.pop("vocab") == data["vocab"]
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "word_embedding_weights": ((251, 16), "float64"),
        "embed_to_hid_weights": ((128, 64), "float64"),
        "hid_bias": ((128,), "float64"),
        "hid_to_output_weights": ((1004, 128), "float64"),
        "output_bias": ((1004,), "float64"),
    }
    model = notebook.Model(notebook.Params(**arrays), data["vocab"])
    windows = np.unique(data["train_inputs"][:100], axis=0)
    hidden = model.compute_activations(windows).hidden_layer
    assert np.mean((hidden > 0.02) & (hidden < 0.98)) > 0.9  # hidden units are not saturated
    assert np.linalg.matrix_rank(hidden) == len(windows)  # nor all alike


# ---------------------------------------------------------------- windows of any text


def test_copies_of_a_sentence_go_to_the_same_split():
    sentences = [("a", "b", "c", letter) for letter in "defgh" for _ in range(4)]
    vocab = windows.build_vocab(sentences, 8)
    splits = windows.split_windows(sentences, vocab, (8, 8, 4))
    assert sum(len(np.unique(split, axis=0)) for split in splits) == 5


def test_words_outside_the_vocabulary_break_windows():
    sentence = tuple("abcdexabcd")
    vocab = windows.build_vocab([sentence], 5)
    assert vocab == ["[MASK]", "a", "b", "c", "d", "e"]
    index = {word: number for number, word in enumerate(vocab)}
    assert windows.windows_of(sentence, index) == [(1, 2, 3, 4), (2, 3, 4, 5), (1, 2, 3, 4)]
    assert windows.windows_of(sentence, index, 5) == [(1, 2, 3, 4, 5)]


@pytest.mark.parametrize("seed", range(2))
def test_the_remedy_for_too_few_windows_works(seed):
    rng = np.random.RandomState(seed)
    lengths = rng.randint(1, 30, size=300)
    sentences = [tuple(map(str, rng.randint(50, size=length))) for length in lengths]
    vocab = windows.build_vocab(sentences, 50)
    with pytest.raises(windows.TextError) as caught:
        windows.split_windows(sentences, vocab, (8000, 1000, 900), seed=seed)
    fewer = tuple(map(int, str(caught.value).split("--windows ")[1].split()))
    assert sum(fewer) > sum(max(length - 3, 0) for length in lengths) / 2
    for other_seed in range(3):
        splits = windows.split_windows(sentences, vocab, fewer, seed=other_seed)
        assert tuple(map(len, splits)) == fewer


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("\"Don't go,\" said Ann's dog (5).", "\" do n't go , \" said ann 's dog ( 5 ) ."),
        ("I don\u2019t know Anna\u02bcs dog.", "i do n't know anna 's dog ."),
        ("Jos\u00e9, Jose\u0301: caf\u00e9\u200b\x07.", "jos\u00e9 , jos\u00e9 : caf\u00e9 ."),
        ("हिन्दी में किताब है।", "हिन्दी में किताब है ।"),
        ("هذا كتاب، لا رسالة.", "هذا كتاب ، لا رسالة ."),
    ],
)
def test_tokenize(line, tokens):
    assert windows.tokenize(line) == tokens.split()


def test_a_script_without_spaces_needs_them(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(
        "我今天早上去了学校然后回家。\n他们在公园里和朋友一起玩游戏，很高兴。\n", "utf-8"
    )
    with pytest.raises(windows.TextError, match="separate words by spaces"):
        windows.read_sentences(path, windows.tokenize)
    path.write_text("我 今天 早上 去 了 学校 。\n他们 在 公园 里 玩 游戏 。\n", "utf-8")
    assert windows.read_sentences(path, windows.tokenize)[0][-2:] == ("学校", "。")


def test_a_text_of_ones_own(tmp_path, run):
    text, output = tmp_path / "text.txt", tmp_path / "own.pk"
    text.write_text(TEXT.replace("the cat", "The cat"), encoding="utf-8")
    options = ["--tokenize", "--vocab-size", 20, "--windows", 6, 2, 1, "--window-length", 3]
    status, printed, errors = run("windows", text, "-o", output, *options)
    assert "21 words" in printed, errors
    assert checking.load_data(output)["train_inputs"].shape == (6, 3)


CP1252, UTF_16 = "I don\u2019t know.\n".encode("cp1252"), "I do n't know .\n".encode("utf-16")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (None, ["windows", "text"], "cannot be read"),
        (CP1252, ["windows", "text"], "perhaps Windows-1252; save it as UTF-8"),
        (UTF_16, ["windows", "text"], "perhaps UTF-16; save it as UTF-8"),
        (b"\n\n", ["windows", "text"], "found no sentences"),
        (TEXT, ["windows", "text"], "ask for a smaller vocabulary with --vocab-size 20"),
        (TEXT, ["windows", "text", "--vocab-size", "20"], "take a longer text, one sentence a"),
        (TEXT, ["corpus", "--grammar", "text"], "text:1: found"),
        (TEXT, ["parameters", "--data", "text"], "text: found"),
        (None, ["parameters", "--data", "none"], "none: found nothing that can be loaded"),
    ],
)
def test_errors_are_one_line_and_leave_no_file(tmp_path, run, monkeypatch, text, options, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "text").write_bytes(text.encode() if text is TEXT else text)
    output = [] if "-o" in options else ["-o", "out"]
    status, _, errors = run(*options, *output)
    assert (status, errors.count("\n")) == (1, 1)
    assert message in errors
    assert [path for path in tmp_path.iterdir() if path.name != "text"] == []
