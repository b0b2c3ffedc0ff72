"""Print as JSON what has to come out the same everywhere:  python -m tests.results_probe

Needs only what students install, so that environments without pytest can run it. Everything is
computed twice in this process.
"""

import contextlib
import io
import json

import numpy as np
from threadpoolctl import threadpool_info

import checking
from tools.common import DATA, PARTIALLY_TRAINED
from tools.notebook import load_definitions
from tools.reference import answer_key

WINDOWS = {"train": 20_000, "valid": 2000, "test": 2000}  # of each split, for a short training run
GLOVE_EPOCHS = 50


def results(data):
    """Dict of what `print_gradients` prints, and of losses of short training runs.

    data: dict as `checking.load_data` returns it.
    """
    few = data | {f"{split}_inputs": data[f"{split}_inputs"][:n] for split, n in WINDOWS.items()}
    notebook = load_definitions(few)
    with contextlib.redirect_stdout(io.StringIO()):
        model = notebook["train"](16, 128, notebook["TrainingConfig"](epochs=2))
    log_X = notebook["calculate_log_co_occurrence"](few["train_inputs"])
    start = notebook["init_GLoVe"](16, False, np.random.RandomState(0))
    *_, glove_loss, _ = notebook["train_GLoVe"](*start, log_X, log_X, n_epochs=GLOVE_EPOCHS)
    return {
        "gradients": answer_key(data, checking.load_partially_trained(PARTIALLY_TRAINED)),
        "cross_entropies": [
            *map(float, model.train_losses),
            *(float(model.evaluate(few[f"{split}_inputs"])) for split in WINDOWS),
        ],
        "GLoVe": float(glove_loss),
        "NumPy": np.__version__,
        "threads": max(
            lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"
        ),
    }


if __name__ == "__main__":
    loaded = checking.load_data(DATA)
    print(json.dumps([results(loaded), results(loaded)]))
