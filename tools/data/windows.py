"""Make data.pk, the windows of a file of sentences in three splits.

    python -m tools.data.windows
    python -m tools.data.windows my_text.txt --tokenize --vocab-size 400 --windows 80000 10000 10000

A file of sentences has one sentence a line, its tokens separated by spaces. The most frequent
tokens are the vocabulary; a window is a run of consecutive tokens of one sentence, all of them in
the vocabulary.
"""

import argparse
import pickle
import re
from collections import Counter
from itertools import chain

import numpy as np
from tqdm import tqdm

from tools.common import (
    DATA,
    PICKLE_PROTOCOL,
    SENTENCES,
    clear_exit,
    random_seed,
    require_different_files,
    whole_number,
    write_atomically,
)

MASK_WORD = "[MASK]"
VOCAB_SIZE = 250
SMALLEST_VOCAB_SIZE = 20  # the notebook's t-SNE and its largest d need that many words
CONTEXT_LEN = 4
WINDOWS = (372_500, 46_500, 46_500)
SEED = 0
TOKEN = re.compile(r"n't\b|'s\b|\w+(?=n't\b)|\w+|[^\w\s]")


class TextError(ValueError):
    """A text cannot be made into data; the message says what to do."""


def tokenize(line):
    """Tokens of a line of plain English: lower case, punctuation, n't and 's on their own."""
    return TOKEN.findall(line.lower())


def read_sentences(path, split_line=str.split):
    """Sentences of a file, each a tuple of tokens; empty lines are left out.

    Raises TextError if the file cannot be read, is no UTF-8 text, or is empty.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            sentences = [tuple(split_line(line)) for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise TextError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    if not sentences:
        raise TextError(f"{path}: found no sentences, expected one a line")
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


def remedy_for_few_windows(sizes, n_windows):
    """What to do if a text has too few windows.

    The last sentence of a split may have all of its windows but one too many. What remains without
    the longest sentence for each split can be dealt whatever the order of the sentences.

    Args:
        sizes: numbers of windows, one for each distinct sentence.
        n_windows: how many windows were wanted in each split.
    """
    remaining = sum(sizes) - len(n_windows) * max(sizes)
    fewer = [remaining * wanted // sum(n_windows) for wanted in n_windows]
    if min(fewer) > 0:
        return f"ask for fewer with --windows {' '.join(map(str, fewer))}"
    return "take a longer text, one sentence a line"


def split_windows(sentences, vocab, n_windows=WINDOWS, context_len=CONTEXT_LEN, seed=SEED):
    """Windows of the training, validation and test split.

    Distinct sentences are shuffled and dealt to one split after the other until it is full, all
    copies of a sentence to the same split; what the last sentence has too many is cut off.

    Returns:
        A list of int32 arrays (n, context_len), one for each entry of `n_windows`, rows shuffled.

    Raises TextError if the text has too few windows.
    """
    word_index = {word: index for index, word in enumerate(vocab) if index > 0}
    rng = np.random.RandomState(seed)
    copies = Counter(sentences)
    distinct = list(copies)
    order = rng.permutation(len(distinct))
    splits = []
    with tqdm(order, desc="windows", unit="sentence", leave=False) as bar:
        numbers = iter(bar)
        for wanted in n_windows:
            windows = []
            while len(windows) < wanted and (number := next(numbers, None)) is not None:
                sentence = distinct[number]
                windows += windows_of(sentence, word_index, context_len) * copies[sentence]
            splits.append(np.array(windows[:wanted], np.int32).reshape(-1, context_len))
    if sum(map(len, splits)) < sum(n_windows):
        sizes = [len(windows_of(s, word_index, context_len)) * copies[s] for s in distinct]
        raise TextError(
            f"the text has {sum(sizes)} windows of {context_len} words of the vocabulary, too few "
            f"for {sum(n_windows)} in splits that share no sentence: "
            f"{remedy_for_few_windows(sizes, n_windows)}"
        )
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
    for name, windows in zip(("train", "valid", "test"), splits, strict=True):
        data[f"{name}_inputs"] = data[f"{name}_targets"] = windows
    return data


@clear_exit(TextError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sentences", nargs="?", default=SENTENCES, help="default: %(default)s")
    parser.add_argument("-o", "--output", default=DATA, help="default: %(default)s")
    parser.add_argument(
        "--vocab-size",
        type=whole_number(SMALLEST_VOCAB_SIZE),
        default=VOCAB_SIZE,
        help=f"without [MASK], at least {SMALLEST_VOCAB_SIZE}; default: %(default)s",
    )
    parser.add_argument(
        "--windows",
        type=whole_number(1),
        nargs=3,
        default=WINDOWS,
        metavar=("TRAIN", "VALID", "TEST"),
        help="windows in each split; default: %(default)s",
    )
    parser.add_argument("--seed", type=random_seed, default=SEED, help="default: %(default)s")
    parser.add_argument(
        "--tokenize",
        action="store_true",
        help="for plain English text: lower-case it and separate punctuation, n't and 's",
    )
    arguments = parser.parse_args()
    require_different_files([("-o", arguments.output)], [("the text", arguments.sentences)])
    sentences = read_sentences(arguments.sentences, tokenize if arguments.tokenize else str.split)
    data = make_data(sentences, arguments.vocab_size, tuple(arguments.windows), seed=arguments.seed)
    write_atomically(arguments.output, pickle.dumps(data, PICKLE_PROTOCOL))
    sizes = ", ".join(
        f"{data[f'{name}_inputs'].shape[0]} {name}" for name in ("train", "valid", "test")
    )
    print(f"{arguments.output}: {len(data['vocab'])} words; windows: {sizes}")


if __name__ == "__main__":
    main()
