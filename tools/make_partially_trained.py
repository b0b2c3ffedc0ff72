"""Make partially_trained.pk: parameters at which gradients are checked and printed.

    python -m tools.make_partially_trained

They come from a short training run of the notebook's model, so that hidden units are neither all
alike nor saturated and no gradient is degenerate.
"""

import argparse
import pickle
from itertools import islice

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import checking
from tools.command_line import clear_exit, random_seed, require_different_files
from tools.files import DATA, NOTEBOOK, PARTIALLY_TRAINED, write_atomically
from tools.make_data import PICKLE_PROTOCOL
from tools.run_notebook import NotebookError, read_definitions

EMBEDDING_DIM = 16
NUM_HID = 128
BATCH_SIZE = 100
N_STEPS = 1000
LEARNING_RATE = 0.1
MOMENTUM = 0.9
SEED = 1
# Two BLAS libraries differ in the last bits. Trained in float64 and rounded to this many decimals,
# the parameters come out the same.
DECIMALS = 4


def partially_train(data, n_steps=N_STEPS, seed=SEED, notebook=NOTEBOOK):
    """The dict that partially_trained.pk holds: vocab and five float64 arrays.

    Args:
        data: dict as `checking.load_data` returns it.
        n_steps: number of mini-batches, at most one pass over the training windows.
        notebook: path of the reference notebook.

    Raises DataFileError if the training windows do not fill a mini-batch, NotebookError.
    """
    if len(data["train_inputs"]) < BATCH_SIZE:
        raise checking.DataFileError(
            f"train_inputs: found {len(data['train_inputs'])} windows; expected at least "
            f"{BATCH_SIZE}. Make the data anew from a longer text, or with larger --windows."
        )
    notebook = read_definitions(notebook, data)
    rng = np.random.RandomState(seed)
    context_len = data["train_inputs"].shape[1]
    model = notebook["Model"].random_init(
        data["vocab"], context_len, EMBEDDING_DIM, NUM_HID, rng, dtype=np.float64
    )
    velocity = model.params.zeros_like()
    config = notebook["TrainingConfig"](batch_size=BATCH_SIZE, epochs=1)
    batches = notebook["shuffled_batches"](model, data["train_inputs"], config, rng)
    with threadpool_limits(limits=1, user_api="blas"):
        for batch, mask in tqdm(islice(batches, n_steps), "training", n_steps, leave=False):
            notebook["training_step"](model, velocity, batch, mask, LEARNING_RATE, MOMENTUM)
    rounded = {name: np.round(value, DECIMALS) for name, value in vars(model.params).items()}
    return {"vocab": data["vocab"], **rounded}


@clear_exit(checking.DataFileError, NotebookError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=DATA, help="default: %(default)s")
    parser.add_argument("-o", "--output", default=PARTIALLY_TRAINED, help="default: %(default)s")
    parser.add_argument("--seed", type=random_seed, default=SEED, help="default: %(default)s")
    arguments = parser.parse_args()
    require_different_files([("-o", arguments.output)], [("the data", arguments.data)])
    parameters = partially_train(checking.load_data(arguments.data), seed=arguments.seed)
    write_atomically(arguments.output, pickle.dumps(parameters, PICKLE_PROTOCOL))
    print(f"{arguments.output}: {', '.join(f'{k} {np.shape(v)}' for k, v in parameters.items())}")


if __name__ == "__main__":
    main()
