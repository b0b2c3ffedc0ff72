"""data.pk: its contract, where its windows come from, and data made from other texts."""

import pickle
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from tools import make_data
from tools.common import DATA, ROOT, SENTENCES

SPLITS = ["train", "valid", "test"]
TEXT = """the cat sat on the mat .
the dog sat on the cat .
the dog sat on the cat .
a cat ate a fish on the mat .
the fish sat on a dog .
one two three four five six seven eight nine ten .
"""


@pytest.fixture(scope="module")
def sentences():
    return make_data.read_sentences(SENTENCES)


def windows_written_out(sentence):
    return {" ".join(sentence[i : i + 4]) for i in range(len(sentence) - 3)}


def test_keys_shapes_and_types(data):
    assert sorted(data) == sorted(
        ["vocab", *(f"{split}_{kind}" for split in SPLITS for kind in ["inputs", "targets"])]
    )
    assert all(type(word) is str for word in data["vocab"])
    assert len(data["vocab"]) == len(set(data["vocab"])) == 251
    for split, n_windows in zip(SPLITS, [372_500, 46_500, 46_500]):
        inputs = data[f"{split}_inputs"]
        assert inputs.shape == (n_windows, 4)
        assert inputs.dtype == np.int32
        assert inputs.min() == 1
        assert inputs.max() == 250
        assert data[f"{split}_targets"] is inputs


def test_a_plain_pickle_load_gives_the_same(data):
    plain = pickle.loads(DATA.read_bytes())
    assert list(plain) == list(data)
    for name, value in data.items():
        assert np.array_equal(plain[name], value)


def test_vocabulary_goes_from_the_most_to_the_least_frequent_word(data):
    counts = Counter(SENTENCES.read_text(encoding="utf-8").split())
    assert data["vocab"][0] == "[MASK]"
    frequencies = [counts[word] for word in data["vocab"][1:]]
    assert frequencies == sorted(frequencies, reverse=True)
    assert set(data["vocab"][1:]) == set(counts)


def test_every_window_stands_in_the_corpus_and_no_held_out_sentence_is_trained_on(data, sentences):
    def as_text(windows):
        return [" ".join(data["vocab"][index] for index in window) for window in windows]

    corpus = Counter()
    for sentence in sentences:
        corpus.update(windows_written_out(sentence))
    split_windows = {split: set(as_text(data[f"{split}_inputs"])) for split in SPLITS}
    for windows in split_windows.values():
        assert windows <= set(corpus)
    # A sentence whose windows are spread over two splits has a window in each that no other
    # sentence shares; a window that stands only once in the corpus can be in one split only.
    unique = {window for window, count in corpus.items() if count == 1}
    for sentence in sentences:
        own = windows_written_out(sentence) & unique
        homes = [split for split in SPLITS if own & split_windows[split]]
        assert len(homes) <= 1, sentence


def test_rows_are_shuffled(data):
    # In the order of the sentences, a window would often begin where the one before it went on.
    inputs = data["train_inputs"]
    assert np.mean(np.all(inputs[1:, :-1] == inputs[:-1, 1:], axis=1)) < 0.001


def test_the_command_gives_the_same_bytes(tmp_path):
    output = tmp_path / "data.pk"
    command = [sys.executable, "-m", "tools.data.windows", "-o", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert output.read_bytes() == DATA.read_bytes()


def test_another_seed_gives_another_split_of_the_same_corpus(sentences, data):
    other = make_data.make_data(sentences, seed=1)
    assert other["vocab"] == data["vocab"]
    assert not np.array_equal(other["train_inputs"], data["train_inputs"])


def test_copies_of_a_sentence_go_to_the_same_split():
    sentences = [("a", "b", "c", letter) for letter in "defgh" for _ in range(4)]
    vocab = make_data.build_vocab(sentences, 8)
    splits = make_data.split_windows(sentences, vocab, (8, 8, 4))
    assert sum(len(np.unique(windows, axis=0)) for windows in splits) == 5


def test_words_outside_the_vocabulary_break_windows():
    sentences = [tuple("abcdexabcd")]
    vocab = make_data.build_vocab(sentences, 5)
    assert vocab == ["[MASK]", "a", "b", "c", "d", "e"]
    word_index = {word: index for index, word in enumerate(vocab)}
    windows = make_data.windows_of(sentences[0], word_index)
    assert windows == [(1, 2, 3, 4), (2, 3, 4, 5), (1, 2, 3, 4)]


def test_a_text_of_ones_own(tmp_path):
    text, output = tmp_path / "text.txt", tmp_path / "own.pk"
    text.write_text(TEXT)
    arguments = [str(text), "-o", str(output), "--vocab-size", "20", "--windows", "6", "2", "1"]
    command = [sys.executable, "-m", "tools.data.windows", *arguments]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "21 words" in run.stdout
    assert pickle.loads(output.read_bytes())["train_inputs"].shape == (6, 4)


@pytest.mark.parametrize("seed", range(20))
def test_the_remedy_for_too_few_windows_works(seed):
    """Whatever the lengths of the sentences and the order in which they are dealt."""
    rng = np.random.RandomState(seed)
    lengths = rng.randint(1, 30, size=300)
    sentences = [tuple(map(str, rng.randint(50, size=length))) for length in lengths]
    sentences += sentences[:30]
    vocab = make_data.build_vocab(sentences, 50)
    with pytest.raises(make_data.TextError) as caught:
        make_data.split_windows(sentences, vocab, (8000, 1000, 900), seed=seed)
    total = sum(max(len(sentence) - 3, 0) for sentence in sentences)
    assert f"the text has {total} windows" in str(caught.value)
    fewer = tuple(map(int, str(caught.value).split("--windows ")[1].split()))
    assert sum(fewer) > total / 2
    for other_seed in range(5):
        splits = make_data.split_windows(sentences, vocab, fewer, seed=other_seed)
        assert tuple(map(len, splits)) == fewer


def test_tokenize_separates_punctuation_and_clitics():
    tokens = make_data.tokenize("\"Don't go,\" said Ann's dog (5 times).")
    assert tokens == "\" do n't go , \" said ann 's dog ( 5 times ) .".split()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (None, [], "cannot be read"),
        (b"\xff\xfe", [], "cannot be read as UTF-8"),
        (b"\n\n", [], "found no sentences"),
        (TEXT.encode(), [], "ask for a smaller vocabulary with --vocab-size 20"),
        (TEXT.encode(), ["--vocab-size", "20"], "take a longer text, one sentence a line"),
    ],
)
def test_errors_say_what_to_do_and_leave_no_file(tmp_path, text, options, message):
    source, output = tmp_path / "text.txt", tmp_path / "own.pk"
    if text is not None:
        source.write_bytes(text)
    command = [sys.executable, "-m", "tools.data.windows", str(source), "-o", str(output), *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert [path for path in tmp_path.iterdir() if path != source] == []
