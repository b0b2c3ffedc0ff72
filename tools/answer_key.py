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
import pickle
from pathlib import Path

import numpy as np

import checking
from tools.command_line import clear_exit, term_name
from tools.files import DATA, NOTEBOOK, PARTIALLY_TRAINED
from tools.make_data import PICKLE_PROTOCOL
from tools.make_partially_trained import partially_train
from tools.run_notebook import NotebookError, read_definitions

EXAMPLE_SIZE = 100  # windows, the first of the training split, as in the notebook


def partially_trained_of(term, data, notebook=NOTEBOOK):
    """The dict of `partially_trained.pk` for a term, a str such as "2026".

    data: dict as `checking.load_data` returns it. The same term gives the same parameters.
    Raises DataFileError and NotebookError as `partially_train` does.
    """
    digest = hashlib.sha256(term.encode()).digest()
    return partially_train(data, seed=int.from_bytes(digest[:4], "big"), notebook=notebook)


def answer_key(data, partially_trained, notebook=NOTEBOOK):
    """The lines that `print_gradients` prints with the reference solution.

    Args:
        data, partially_trained: dicts as `checking` loads them.
        notebook: path of the reference notebook.

    Raises NotebookError.
    """
    definitions = read_definitions(notebook, data)
    names = definitions["Params"].__dataclass_fields__
    params = definitions["Params"](**{name: partially_trained[name] for name in names})
    model = definitions["Model"](params, data["vocab"])
    inputs = data["train_inputs"][:EXAMPLE_SIZE]
    mask = model.sample_input_mask(len(inputs), np.random.RandomState(0))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        checking.print_gradients(model, inputs, mask)
    return printed.getvalue().splitlines()


def add_key_arguments(parser):
    """Add the options that an answer key depends on, which `read_key` reads."""
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--term", type=term_name, help="the term of the release, such as 2026")
    model.add_argument(
        "--partially-trained", type=Path, default=PARTIALLY_TRAINED, help="default: %(default)s"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="default: %(default)s")
    parser.add_argument(
        "--notebook", type=Path, default=NOTEBOOK, help="the reference; default: %(default)s"
    )


def key_inputs(arguments):
    """The files that `read_key` reads: pairs (what it is, path)."""
    model = None if arguments.term else arguments.partially_trained
    return [
        ("the notebook", arguments.notebook),
        ("the data", arguments.data),
        ("the partially trained model", model),
    ]


def read_key(arguments):
    """The lines of the answer key, and the bytes of partially_trained.pk, of a command line.

    The model is that of the term, if there is one, and that of the file otherwise.
    Raises DataFileError, NotebookError and OSError.
    """
    data = checking.load_data(arguments.data)
    if arguments.term:
        model = partially_trained_of(arguments.term, data, arguments.notebook)
        content = pickle.dumps(model, PICKLE_PROTOCOL)
    else:
        model = checking.load_partially_trained(arguments.partially_trained, data["vocab"])
        content = arguments.partially_trained.read_bytes()
    return answer_key(data, model, arguments.notebook), content


@clear_exit(checking.DataFileError, NotebookError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_key_arguments(parser)
    lines, _ = read_key(parser.parse_args())
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
