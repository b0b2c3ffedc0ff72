"""Print what `print_gradients` should print, for this year's or a term's partially trained model.

    python -m tools.answer_key
    python -m tools.answer_key --term 2026

Printed gradients end up on the internet, so every term can have a partially trained model and an
answer key of its own. The name of the term is all that is needed to make both again.
"""

import argparse
import contextlib
import hashlib
import io

import numpy as np

import checking
from tools.command_line import clear_exit
from tools.files import DATA, PARTIALLY_TRAINED
from tools.make_partially_trained import partially_train
from tools.notebook import load_definitions

EXAMPLE_SIZE = 100  # windows, the first of the training split, as in the notebook


def partially_trained_of(term, data):
    """The dict of `partially_trained.pk` for a term, a str such as "2026".

    data: dict as `checking.load_data` returns it. The same term gives the same parameters.
    """
    digest = hashlib.sha256(term.encode()).digest()
    return partially_train(data, seed=int.from_bytes(digest[:4], "big"))


def answer_key(data, partially_trained):
    """The lines that `print_gradients` prints with the reference solution.

    data, partially_trained: dicts as `checking` loads them.
    """
    notebook = load_definitions(data)
    names = notebook["Params"].__dataclass_fields__
    params = notebook["Params"](**{name: partially_trained[name] for name in names})
    model = notebook["Model"](params, data["vocab"])
    inputs = data["train_inputs"][:EXAMPLE_SIZE]
    mask = model.sample_input_mask(len(inputs), np.random.RandomState(0))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        checking.print_gradients(model, inputs, mask)
    return printed.getvalue().splitlines()


@clear_exit(checking.DataFileError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=DATA, help="default: %(default)s")
    parser.add_argument("--term", help="a term with a partially trained model of its own")
    arguments = parser.parse_args()
    data = checking.load_data(arguments.data)
    if arguments.term:
        partially_trained = partially_trained_of(arguments.term, data)
    else:
        partially_trained = checking.load_partially_trained(PARTIALLY_TRAINED, data["vocab"])
    print(*answer_key(data, partially_trained), sep="\n")


if __name__ == "__main__":
    main()
