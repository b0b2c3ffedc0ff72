"""The windows of a text, in three splits: what data.pk holds.

A file of sentences has one sentence a line, its tokens separated by spaces. The most frequent
tokens are the vocabulary; a window is a run of consecutive tokens of one sentence, all of them in
the vocabulary.
"""

import functools
import re
import sys
import unicodedata
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np

MASK_WORD = "[MASK]"
SPLITS = ("train", "valid", "test")
VOCAB_SIZE = 250
SMALLEST_VOCAB_SIZE = 20  # the notebook's t-SNE and its largest d need that many words
CONTEXT_LEN = 4
WINDOWS = (372_500, 46_500, 46_500)
SEED = 0

APOSTROPHES = str.maketrans("\u2019\u02bc", "''")  # both are typed for the plain one
JOINERS = "\u200c\u200d"  # zero-width, within words of Persian and of languages of India
# Scripts without spaces between words, as the names of their characters begin.
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
LONGEST_MEAN_WORD = 6  # characters: what is longer in such a script is no word but a phrase


class TextError(ValueError):
    """A text cannot be made into data; the message says what to do."""


@functools.cache
def token_pattern():
    """The pattern of a token: n't, 's, a word with its combining marks, or a mark on its own.

    Python's \\w leaves out combining marks, without which Hindi falls apart into its vowel signs.
    """
    marks = (chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c))[0] == "M")
    letter = rf"[\w{re.escape(''.join(marks))}{JOINERS}]"
    return re.compile(rf"n't(?!{letter})|'s(?!{letter})|{letter}+?(?=n't(?!{letter}))|{letter}+|\S")


def tokenize(line):
    """Tokens of a line of plain text: lower case, punctuation, n't and 's on their own.

    Characters are composed (NFC), curly apostrophes made straight, and control characters dropped.
    """
    line = unicodedata.normalize("NFC", line.translate(APOSTROPHES).lower())
    kept = (
        " " if c.isspace() else c
        for c in line
        if c.isspace() or c in JOINERS or unicodedata.category(c)[0] != "C"
    )
    return token_pattern().findall("".join(kept))


def require_words(sentences):
    """Raise TextError if the text seems to be in a script without spaces between words."""
    words = {word for sentence in sentences for word in sentence}
    unspaced = [len(w) for w in words if unicodedata.name(w[0], "").startswith(UNSPACED)]
    if 2 * len(unspaced) > len(words) and np.mean(unspaced) > LONGEST_MEAN_WORD:
        raise TextError(
            "the text is in a script without spaces between words, expected words: separate words "
            "by spaces, with a program for that language, and call this again"
        )


def read_sentences(path, split_line=str.split):
    """Sentences of a file, each a tuple of tokens; empty lines are left out.

    Raises TextError if the file cannot be read, is no UTF-8 text, or is empty.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TextError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        text = "\0" if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else None
    if text is None or "\0" in text:
        likely = "Windows-1252" if text is None else "UTF-16"
        raise TextError(
            f"{path}: found no UTF-8 text, perhaps {likely}; save it as UTF-8, in an editor or "
            f"with iconv -f {likely.upper()} -t UTF-8"
        )
    sentences = [tuple(split_line(line)) for line in text.splitlines()]
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise TextError(f"{path}: found no sentences, expected one a line")
    require_words(sentences)
    return sentences


def build_vocab(sentences, size=VOCAB_SIZE):
    """[MASK], then the `size` most frequent tokens, most frequent first, ties in code point order.

    Raises TextError if there are fewer than `size` distinct tokens.
    """
    counts = Counter(chain.from_iterable(sentences))
    counts.pop(MASK_WORD, None)
    if len(counts) < size:
        remedy = f"ask for a smaller vocabulary with --vocab-size {len(counts)}"
        raise TextError(
            f"the text has {len(counts)} distinct tokens, expected at least {size}: "
            f"{remedy if len(counts) >= SMALLEST_VOCAB_SIZE else 'take a longer text'}"
        )
    by_frequency = sorted(counts, key=lambda token: (-counts[token], token))
    return [MASK_WORD, *by_frequency[:size]]


def windows_of(sentence, word_index, context_len=CONTEXT_LEN):
    """Windows of one sentence, a list of tuples of word indices."""
    indices = [word_index.get(token) for token in sentence]
    windows = zip(*(indices[start:] for start in range(context_len)), strict=False)
    return [window for window in windows if None not in window]


def too_few_windows(sizes, n_windows, context_len):
    """The TextError for a text with too few windows, which says how many could be had.

    The last sentence of a split may have all of its windows but one too many. What remains without
    the longest sentence for each split can be dealt whatever the order of the sentences.

    Args:
        sizes: numbers of windows, one for each distinct sentence.
        n_windows: how many windows are wanted in each split.
    """
    remaining = sum(sizes) - len(n_windows) * max(sizes)
    fewer = [remaining * wanted // sum(n_windows) for wanted in n_windows]
    remedy = f"ask for fewer with --windows {' '.join(map(str, fewer))}"
    return TextError(
        f"the text has {sum(sizes)} windows of {context_len} words of the vocabulary, too few for "
        f"{sum(n_windows)} in splits that share no sentence: "
        f"{remedy if min(fewer) > 0 else 'take a longer text, one sentence a line'}"
    )


def split_windows(sentences, vocab, n_windows=WINDOWS, context_len=CONTEXT_LEN, seed=SEED):
    """Windows of the training, validation and test split.

    Distinct sentences are shuffled and dealt to one split after the other until it is full, all
    copies of a sentence to the same split; what the last sentence has too many is cut off.

    Returns:
        A list of int32 arrays (n, context_len), one for each entry of `n_windows`, rows shuffled.

    Raises TextError if the text has too few windows.
    """
    word_index = {word: index for index, word in enumerate(vocab) if index > 0}
    of_sentences = [
        windows_of(sentence, word_index, context_len) * n_copies
        for sentence, n_copies in Counter(sentences).items()
    ]
    rng = np.random.RandomState(seed)
    order = iter(rng.permutation(len(of_sentences)))
    splits = []
    for wanted in n_windows:
        windows = []
        while len(windows) < wanted and (number := next(order, None)) is not None:
            windows += of_sentences[number]
        splits.append(np.array(windows[:wanted], np.int32).reshape(-1, context_len))
    if sum(map(len, splits)) < sum(n_windows):
        raise too_few_windows([len(windows) for windows in of_sentences], n_windows, context_len)
    return [windows[rng.permutation(len(windows))] for windows in splits]


def make_data(
    sentences, vocab_size=VOCAB_SIZE, n_windows=WINDOWS, context_len=CONTEXT_LEN, seed=SEED
):
    """The dict that data.pk holds: vocab, and inputs and targets of three splits.

    The targets are the same array objects as the inputs: a masked model predicts its own window.
    Raises TextError if the text is too small.
    """
    vocab = build_vocab(sentences, vocab_size)
    data = {"vocab": vocab}
    splits = split_windows(sentences, vocab, n_windows, context_len, seed)
    for name, windows in zip(SPLITS, splits, strict=True):
        data[f"{name}_inputs"] = data[f"{name}_targets"] = windows
    return data
