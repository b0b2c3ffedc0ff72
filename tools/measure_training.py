"""Measure what training reaches: cross-entropies, and how well the embeddings find kinds of words.

    python -m tools.measure_training
    python -m tools.measure_training --data course/data.pk

Prints the held-out cross-entropy of `train(16, 128)` beside that of a plain run (weights of
standard deviation 0.01, constant learning rate), and for the words of our grammar the share whose
nearest neighbour is of the same lexical class.
"""

import argparse
import contextlib
import io

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import checking
from tools.command_line import clear_exit
from tools.files import DATA
from tools.notebook import load_definitions
from tools.word_classes import load_classes, same_class_share

EMBEDDING_DIM = 16
NUM_HID = 128
PLAIN_STANDARD_DEVIATION = 0.01
PLAIN_LEARNING_RATE = 0.1


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
