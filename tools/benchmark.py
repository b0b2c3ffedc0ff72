"""Time one training step against the matrix products that it cannot do without.

python -m tools.benchmark
"""

import argparse
import time

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import checking
from tools.files import DATA
from tools.notebook import load_definitions

BATCH_SIZE = 100
EMBEDDING_DIM = 16
NUM_HID = 128
BLOCKS = 40  # pairs of timings; the two of a pair follow each other, so that noise hits both
REPEATS = 25  # steps in one timing
SEED = 0


def seconds(function, repeats=REPEATS):
    """Seconds that one call of `function` takes, the mean of `repeats` calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def matrix_products(params, batch_size):
    """A function that does the six products of one forward and backward pass, on random arrays."""
    rng = np.random.RandomState(SEED)
    hid_weights, output_weights = params.embed_to_hid_weights, params.hid_to_output_weights
    num_hid, n_in = hid_weights.shape
    dtype = hid_weights.dtype
    embedding = rng.normal(size=(batch_size, n_in)).astype(dtype)
    hidden = rng.normal(size=(batch_size, num_hid)).astype(dtype)
    output = rng.normal(size=(batch_size, len(output_weights))).astype(dtype)

    def multiply():
        embedding @ hid_weights.T  # (B, N D) (N D, H)
        hidden @ output_weights.T  # (B, H) (H, N V)
        output.T @ hidden  # (N V, B) (B, H)
        output @ output_weights  # (B, N V) (N V, H)
        hidden.T @ embedding  # (H, B) (B, N D)
        hidden @ hid_weights  # (B, H) (H, N D)

    return multiply


def training_step(notebook, dtype=np.float32):
    """A function that does one training step of the notebook, and the Params that it trains."""
    rng = np.random.RandomState(SEED)
    inputs = notebook["data"]["train_inputs"]
    model = notebook["Model"].random_init(
        notebook["vocab"], inputs.shape[1], EMBEDDING_DIM, NUM_HID, rng, dtype
    )
    velocity = model.params.zeros_like()
    batch = inputs[:BATCH_SIZE]
    mask = model.sample_input_mask(BATCH_SIZE, rng)

    def step():
        notebook["training_step"](model, velocity, batch, mask, learning_rate=0.01, momentum=0.9)

    return step, model.params


def compare(first, second, blocks=BLOCKS):
    """Time two functions in turn.

    Returns:
        Medians over the blocks: seconds of the first, seconds of the second, and their ratio.
    """
    with threadpool_limits(limits=1, user_api="blas"):
        first(), second()
        pairs = np.array(
            [
                (seconds(first), seconds(second))
                for _ in tqdm(range(blocks), desc="timing", leave=False)
            ]
        )
    return *np.median(pairs, axis=0), np.median(pairs[:, 0] / pairs[:, 1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=DATA, help="default: %(default)s")
    arguments = parser.parse_args()
    step, params = training_step(load_definitions(checking.load_data(arguments.data)))
    step_time, product_time, ratio = compare(step, matrix_products(params, BATCH_SIZE))
    print(f"one training step          {1000 * step_time:6.2f} ms")
    print(f"its six matrix products    {1000 * product_time:6.2f} ms")
    print(f"ratio                      {ratio:6.2f}")


if __name__ == "__main__":
    main()
