"""What the reference notebook computes for staff: partially trained models, and answer keys.

    python -m tools.reference --term 2026

prints what `print_gradients` should print. Printed gradients end up on the internet, so every term
can have a partially trained model and an answer key of its own; the name of the term is all that is
needed to make both again.
"""

import contextlib
import hashlib
import io
import pickle
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import checking
from tools.common import (
    DATA,
    NOTEBOOK,
    PARTIALLY_TRAINED,
    PICKLE_PROTOCOL,
    clear_exit,
    command_parser,
)
from tools.notebook import NotebookError, load_definitions

EMBEDDING_DIM = 16
NUM_HID = 128
BATCH_SIZE = 100
N_STEPS = 1000
LEARNING_RATE = 0.1
MOMENTUM = 0.9
SEED = 1
EXAMPLE_SIZE = 100  # windows, the first of the training split, as in the notebook
# Two BLAS libraries differ in the last bits. Trained in float64 and rounded to this many decimals,
# the parameters come out the same.
DECIMALS = 4


def partially_train(data, n_steps=N_STEPS, seed=SEED, path=NOTEBOOK):
    """The dict that partially_trained.pk holds: vocab and five float64 arrays.

    Args:
        data: dict as `checking.load_data` returns it.
        n_steps: number of mini-batches, at most one pass over the training windows.
        path: of the reference notebook.

    Raises NotebookError.
    """
    inputs = data["train_inputs"]
    rng = np.random.RandomState(seed)
    model = load_definitions(data, path)["Model"].random_init(
        data["vocab"], inputs.shape[1], EMBEDDING_DIM, NUM_HID, rng, dtype=np.float64
    )
    params = vars(model.params)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    order = rng.permutation(len(inputs))
    masks = model.sample_input_mask(len(order), rng)
    starts = range(0, len(order), BATCH_SIZE)[:n_steps]
    with threadpool_limits(limits=1, user_api="blas"):
        for start in tqdm(starts, "training", leave=False):
            rows = slice(start, start + BATCH_SIZE)
            gradient = gradient_of(model, inputs[order[rows]], masks[rows])
            for name, value in params.items():
                velocity[name] *= MOMENTUM
                velocity[name] -= LEARNING_RATE / BATCH_SIZE * getattr(gradient, name)
                value += velocity[name]
    return {"vocab": data["vocab"]} | {k: np.round(v, DECIMALS) for k, v in params.items()}


def gradient_of(model, inputs, mask):
    """Gradient of the summed loss, a Params.

    inputs, mask: (B, N) word indices, and 1 at the position that is masked.
    """
    masked = inputs * (1 - mask)
    targets = model.indicator_matrix(inputs * mask)
    activations = model.compute_activations(masked)
    derivative = model.compute_loss_derivative(
        activations.output_layer, targets, mask[:, :, np.newaxis]
    )
    return model.back_propagate(masked, activations, derivative)


def seed_of(term):
    """The seed of a term's partially trained model; term: a str such as "2026"."""
    return int.from_bytes(hashlib.sha256(term.encode()).digest()[:4], "big")


def reference_problem(data, partially_trained, path=NOTEBOOK):
    """What the reference notebook checks and prints gradients with.

    Args:
        data, partially_trained: dicts as `checking` loads them.
        path: of the reference notebook.

    Returns:
        The dict of the notebook's definitions, the partially trained Model, and the first
        `EXAMPLE_SIZE` training windows with a mask for them, both (B, N).

    Raises NotebookError, and DataFileError if the model has windows of another length.
    """
    notebook = load_definitions(data, path)
    names = notebook["Params"].__dataclass_fields__
    params = notebook["Params"](**{name: partially_trained[name] for name in names})
    model = notebook["Model"](params, data["vocab"])
    inputs = data["train_inputs"][:EXAMPLE_SIZE]
    found, expected = len(params.output_bias), inputs.shape[1] * len(data["vocab"])
    if found != expected:
        raise checking.DataFileError(
            f"output_bias of the partially trained model: found {found} entries; expected "
            f"{expected}, for the windows of the data. Make the model again, from these data."
        )
    return notebook, model, inputs, model.sample_input_mask(len(inputs), np.random.RandomState(0))


def answer_key(data, partially_trained, path=NOTEBOOK):
    """The lines that `print_gradients` prints with the reference solution, once that is checked.

    Arguments and errors as for `reference_problem`; NotebookError, too, if on these files the
    reference solution fails its own checks.
    """
    notebook, *problem = reference_problem(data, partially_trained, path)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            checking.check_GLoVe_gradients(notebook["loss_GLoVe"], notebook["grad_GLoVe"])
            checking.check_gradients(*problem)
    except checking.GradientCheckError as error:
        raise NotebookError(
            f"{path}: on these data and parameters the reference solution fails its own check: "
            f"{' '.join(str(error).split())}"
        ) from error
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        checking.print_gradients(*problem)
    return printed.getvalue().splitlines()


def add_key_arguments(parser):
    """Add the options that an answer key depends on, which `read_key` reads."""
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--term", help="the term of the release, such as 2026")
    for group, option, default in (
        (model, "--partially-trained", PARTIALLY_TRAINED),
        (parser, "--data", DATA),
        (parser, "--notebook", NOTEBOOK),
    ):
        group.add_argument(option, type=Path, default=default, help="default: %(default)s")


def read_key(arguments):
    """The lines of the answer key, and the bytes of partially_trained.pk, of a command line.

    The model is that of the term, if there is one, and that of the file otherwise.
    Raises DataFileError, OSError, and NotebookError, also if the reference fails its own checks.
    """
    data = checking.load_data(arguments.data)
    if arguments.term is None:
        model = checking.load_partially_trained(arguments.partially_trained, data["vocab"])
        content = arguments.partially_trained.read_bytes()
    else:
        model = partially_train(data, seed=seed_of(arguments.term), path=arguments.notebook)
        content = pickle.dumps(model, PICKLE_PROTOCOL)
    return answer_key(data, model, arguments.notebook), content


@clear_exit(checking.DataFileError, NotebookError)
def main():
    parser = command_parser(__doc__)
    add_key_arguments(parser)
    lines, _ = read_key(parser.parse_args())
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
