"""Measure what training reaches: cross-entropies, and how well the embeddings find kinds of words.

    python -m tools.data.quality
    python -m tools.data.quality --data course/data.pk

Prints the held-out cross-entropy of `train(16, 128)` beside that of a plain run (weights of
standard deviation 0.01, constant learning rate), and for the words of our grammar the share whose
nearest neighbour is of the same lexical class.
"""

import argparse
import contextlib
import io
from collections import Counter

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import checking
from tools.common import DATA, clear_exit
from tools.data.corpus import GRAMMAR, load_grammar
from tools.notebook import load_definitions

EMBEDDING_DIM = 16
NUM_HID = 128
PLAIN_STANDARD_DEVIATION = 0.01
PLAIN_LEARNING_RATE = 0.1
SMALLEST = 6  # words; a smaller class says little about an embedding


def load_classes(path=GRAMMAR):
    """Return {word: name of its class}, from the lexicon of the grammar file at `path`.

    Raises tools.data.corpus.GrammarError if the grammar cannot be used.
    """
    grammar, _ = load_grammar(path)
    return {word: name for name, words in grammar.classes.items() for word in words}


def nearest_words(embeddings):
    """Return for each row of `embeddings` (V, D) the index of the nearest other row, (V,).

    Row 0, [MASK], is nobody's nearest word: it is no word.
    """
    embeddings = np.asarray(embeddings, dtype=float)
    squares = (embeddings**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * embeddings @ embeddings.T
    np.fill_diagonal(distances, np.inf)
    distances[:, 0] = np.inf
    return distances.argmin(axis=1)


def same_class_share(embeddings, vocab, classes, smallest=SMALLEST):
    """Return the share of words whose nearest word belongs to their own class.

    embeddings: (V, D), a row a word of `vocab`, whose first entry is [MASK].
    classes: {word: class}, as load_classes() returns it.
    smallest: words of classes with fewer members are not judged, but may be nearest words.
    Raises ValueError if the arguments do not fit together or no word can be judged.
    """
    if np.ndim(embeddings) != 2 or len(embeddings) != len(vocab):
        raise ValueError(
            f"found embeddings of shape {np.shape(embeddings)} for {len(vocab)} words, "
            "expected one row a word"
        )
    unknown = [word for word in vocab[1:] if word not in classes]
    if unknown:
        raise ValueError(f"found words without a class: {unknown[:5]}, expected all in `classes`")
    class_of = [None, *(classes[word] for word in vocab[1:])]
    size = Counter(class_of[1:])
    judged = [k for k in range(1, len(vocab)) if size[class_of[k]] >= smallest]
    if not judged:
        raise ValueError(f"found no class with {smallest} words or more, expected at least one")
    nearest = nearest_words(embeddings)
    return float(np.mean([class_of[nearest[k]] == class_of[k] for k in judged]))


def train_plainly(notebook):
    """Model after a plain run: as many steps as the default, but small weights, constant rate."""
    config = notebook["TrainingConfig"]()
    rng = np.random.RandomState(config.seed)
    inputs = notebook["data"]["train_inputs"]
    model = notebook["Model"].random_init(
        notebook["vocab"], inputs.shape[1], EMBEDDING_DIM, NUM_HID, rng
    )
    for value in vars(model.params).values():
        value[...] = PLAIN_STANDARD_DEVIATION * rng.normal(size=value.shape)
    velocity = model.params.zeros_like()
    batches = notebook["shuffled_batches"](model, inputs, config, rng)
    n_steps = len(inputs) // config.batch_size * config.epochs
    for batch, mask in tqdm(batches, "plain run", n_steps, leave=False):
        notebook["training_step"](
            model, velocity, batch, mask, PLAIN_LEARNING_RATE, config.momentum
        )
    return model


def train_glove(notebook, d=EMBEDDING_DIM):
    """Vectors W (V, d) of the asymmetric GLoVe model, as the notebook's sweep trains them."""
    log_X = notebook["calculate_log_co_occurrence"](notebook["data"]["train_inputs"])
    start = notebook["init_GLoVe"](d, False, np.random.RandomState(0))
    return notebook["train_GLoVe"](*start, log_X, log_X)[0]


def share_by_chance(vocab, classes, n_draws=100):
    """The share of neighbours of the same class among random vectors, the mean of many draws."""
    rng = np.random.RandomState(0)
    draws = rng.normal(size=(n_draws, len(vocab), EMBEDDING_DIM))
    return np.mean([same_class_share(vectors, vocab, classes) for vectors in draws])


def measure(data):
    """Figures by name: held-out cross-entropies in nats and, for our vocabulary, shares."""
    notebook = load_definitions(data)
    classes = load_classes()
    with threadpool_limits(limits=1, user_api="blas"):
        with contextlib.redirect_stdout(io.StringIO()):
            model = notebook["train"](EMBEDDING_DIM, NUM_HID)
        plain = train_plainly(notebook)
        figures = {
            "default run, validation": model.evaluate(data["valid_inputs"]),
            "default run, test": model.evaluate(data["test_inputs"]),
            "plain run, validation": plain.evaluate(data["valid_inputs"]),
            "plain run, test": plain.evaluate(data["test_inputs"]),
        }
        if set(data["vocab"][1:]) == set(classes):
            embeddings = {
                "masked model": model.params.word_embedding_weights,
                "GLoVe": train_glove(notebook),
            }
            for name, vectors in embeddings.items():
                figures[f"{name}, neighbour of the same class"] = same_class_share(
                    vectors, data["vocab"], classes
                )
            figures["random vectors, neighbour of the same class"] = share_by_chance(
                data["vocab"], classes
            )
    return figures


@clear_exit(checking.DataFileError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=DATA, help="default: %(default)s")
    arguments = parser.parse_args()
    for name, value in measure(checking.load_data(arguments.data)).items():
        print(f"{name:<45} {value:.3f}")


if __name__ == "__main__":
    main()
