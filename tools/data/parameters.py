"""Make partially_trained.pk: parameters at which gradients are checked and printed.

    python -m tools.data.parameters

They come from a short training run of the notebook's model, so that hidden units are neither all
alike nor saturated and no gradient is degenerate.
"""

import pickle

import numpy as np

import checking
from tools.common import (
    DATA,
    PARTIALLY_TRAINED,
    PICKLE_PROTOCOL,
    clear_exit,
    command_parser,
    random_seed,
    require_different_files,
    write_atomically,
)
from tools.notebook import NotebookError
from tools.reference import SEED, partially_train


@clear_exit(checking.DataFileError, NotebookError)
def main():
    parser = command_parser(__doc__)
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
