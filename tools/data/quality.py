"""What the corpus is for, measured: cross-entropies, neighbours, and analogies of both models.

The masked language model is `train(16, 128)` of the notebook, GLoVe the asymmetric model with as
many dimensions. For each, the share of words whose nearest word is of the same lexical class
("words" in `english.grammar`), and the share of analogies whose first answer is right. Some of
these shares differ by 0.1 and more from one training to the next, so several are averaged.
"""

import contextlib
import io
import itertools
from collections import Counter

import numpy as np
from threadpoolctl import threadpool_limits

from tools.data.corpus import load_grammar
from tools.notebook import load_definitions

EMBEDDING_DIM = 16
NUM_HID = 128
TRAININGS = 3
SMALLEST_CLASS = 6  # words; a smaller class says little about an embedding

ANALOGIES = {
    "past tense": "go:went come:came eat:ate drink:drank write:wrote buy:bought make:made "
    "cook:cooked work:worked play:played live:lived know:knew think:thought say:said ask:asked "
    "like:liked want:wanted answer:answered do:did have:had",
    "third person": "go:goes come:comes eat:eats drink:drinks read:reads write:writes buy:buys "
    "make:makes cook:cooks work:works play:plays live:lives know:knows think:thinks say:says "
    "ask:asks like:likes want:wants answer:answers do:does have:has",
    "plural": "book:books letter:letters story:stories song:songs game:games friend:friends "
    "man:men woman:women boy:boys girl:girls day:days year:years",
    "gender": "he:she his:her man:woman men:women boy:girl boys:girls father:mother "
    "brother:sister son:daughter",
    "possessive": "i:my you:your he:his she:her we:our they:their",
}


def nearest_words(vectors, points):
    """For each of `points` (K, D), the rows of `vectors` (V, D) from the nearest on, (K, V)."""
    distances = np.linalg.norm(points[:, np.newaxis] - vectors, axis=2)
    return np.argsort(distances, axis=1, kind="stable")


def same_class_share(vectors, vocab, classes):
    """The share of words whose nearest word is of their own class.

    Args:
        vectors: (V, D), a row for each word of `vocab`, whose first entry is [MASK].
        classes: {word: name of its class}; words of classes with fewer than SMALLEST_CLASS words
            are not judged.
    """
    sizes = Counter(classes[word] for word in vocab[1:])
    words = [word for word in vocab[1:] if sizes[classes[word]] >= SMALLEST_CLASS]
    rows = [vocab.index(word) for word in words]
    nearest = nearest_words(vectors[1:], vectors[rows])[:, 1]  # the first is the word itself
    return float(np.mean([classes[w] == classes[vocab[k + 1]] for w, k in zip(words, nearest)]))


def analogy_share(vectors, vocab, pairs):
    """The share of analogies a : b = c : d, over all ordered pairs of `pairs`, that are right.

    The answer is the word nearest to b - a + c, but for a, b and c themselves; d is right.
    Pairs with a word outside the vocabulary are left out. Returns the share and their number.
    """
    row = {word: index for index, word in enumerate(vocab)}
    known = [pair for pair in pairs if set(pair) <= set(row)]
    questions = [
        [row[word] for word in (*first, *second)]
        for first, second in itertools.permutations(known, 2)
    ]
    a, b, c, d = np.transpose(questions)
    answers = nearest_words(vectors, vectors[b] - vectors[a] + vectors[c])
    right = [
        next(k for k in ranking if k not in question[:3]) == question[3]
        for ranking, question in zip(answers, questions, strict=True)
    ]
    return float(np.mean(right)), len(questions)


def measure_training(data, seed):
    """Yield pairs (name of a figure, value), measured once, with training windows reordered.

    data: a dict as `checking.load_data` returns it. Cross-entropies are in nats. Shares of
    neighbours are measured for words of our grammar only.
    """
    random, vocab = np.random.RandomState(seed), data["vocab"]
    notebook = load_definitions(data | {"train_inputs": random.permutation(data["train_inputs"])})
    with threadpool_limits(limits=1, user_api="blas"):
        with contextlib.redirect_stdout(io.StringIO()):
            model = notebook["train"](EMBEDDING_DIM, NUM_HID)
        for split in ("train", "valid", "test"):
            inputs = data[f"{split}_inputs"]
            yield f"cross-entropy, {split}", model.evaluate(inputs[: len(data["test_inputs"])])
        log_X = notebook["calculate_log_co_occurrence"](data["train_inputs"])
        start = notebook["init_GLoVe"](EMBEDDING_DIM, False, random)
        embeddings = {
            "masked model": model.params.word_embedding_weights.astype(np.float64),
            "GLoVe": notebook["train_GLoVe"](*start, log_X, log_X)[0],
        }
    classes = load_grammar().class_of()
    for name, vectors in embeddings.items():
        if set(vocab[1:]) <= set(classes):
            share = same_class_share(vectors, vocab, classes)
            yield f"{name}, nearest word of the same class", share
        for kind, pairs in ANALOGIES.items():
            pairs = [pair.split(":") for pair in pairs.split()]
            if len([pair for pair in pairs if set(pair) <= set(vocab)]) > 1:
                share, how_many = analogy_share(vectors, vocab, pairs)
                yield f"{name}, analogies, {kind} ({how_many})", share


def measure(data):
    """Pairs (name of a figure, mean over TRAININGS), the figures of `measure_training`."""
    results = [dict(measure_training(data, seed)) for seed in range(TRAININGS)]
    return [(name, np.mean([result[name] for result in results])) for name in results[0]]
