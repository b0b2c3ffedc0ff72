"""Make the data of the assignment, and measure what they are for.

python -m tools.data corpus        raw_sentences.txt, from tools/data/english.grammar
python -m tools.data windows       data.pk, from raw_sentences.txt or a text of your own
python -m tools.data parameters    partially_trained.pk, from data.pk and the notebook
python -m tools.data quality       cross-entropies, neighbours and analogies, printed
"""

import pickle

import numpy as np

import checking
from tools.common import (
    DATA,
    PARTIALLY_TRAINED,
    PICKLE_PROTOCOL,
    SENTENCES,
    clear_exit,
    command_parser,
    random_seed,
    require_different_files,
    whole_number,
    write_atomically,
)
from tools.data import corpus, quality, windows
from tools.notebook import NotebookError
from tools.reference import SEED, partially_train


def make_corpus(arguments):
    """Write the sentences of a grammar."""
    require_different_files([("-o", arguments.output)], [("the grammar", arguments.grammar)])
    grammar = corpus.load_grammar(arguments.grammar)
    sentences = corpus.sample_corpus(grammar, arguments.sentences, arguments.seed)
    write_atomically(arguments.output, sentences.encode())
    print(f"{arguments.output}: {arguments.sentences} sentences")


def make_windows(arguments):
    """Write the windows of a text."""
    require_different_files([("-o", arguments.output)], [("the text", arguments.text)])
    split_line = windows.tokenize if arguments.tokenize else str.split
    sentences = windows.read_sentences(arguments.text, split_line)
    data = windows.make_data(
        sentences,
        arguments.vocab_size,
        tuple(arguments.windows),
        arguments.window_length,
        arguments.seed,
    )
    content = pickle.dumps(data, PICKLE_PROTOCOL)
    windows.require_loadable(content)
    write_atomically(arguments.output, content)
    sizes = ", ".join(f"{len(data[f'{name}_inputs'])} {name}" for name in windows.SPLITS)
    print(f"{arguments.output}: {len(data['vocab'])} words; windows: {sizes}")


def make_parameters(arguments):
    """Write partially trained parameters."""
    require_different_files([("-o", arguments.output)], [("the data", arguments.data)])
    parameters = partially_train(checking.load_data(arguments.data), seed=arguments.seed)
    write_atomically(arguments.output, pickle.dumps(parameters, PICKLE_PROTOCOL))
    print(f"{arguments.output}: {', '.join(f'{k} {np.shape(v)}' for k, v in parameters.items())}")


def print_quality(arguments):
    """Print what the data are good for."""
    for name, value in quality.measure(checking.load_data(arguments.data)):
        print(f"{name:<45} {value:6.3f}", flush=True)


def parse_arguments():
    parser = command_parser(__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add_command(run, name, help):
        command = commands.add_parser(name, help=help, description=help)
        command.set_defaults(run=run)
        return command

    command = add_command(make_corpus, "corpus", "sample raw_sentences.txt from a grammar")
    command.add_argument("--grammar", default=corpus.GRAMMAR, help="default: %(default)s")
    command.add_argument("-o", "--output", default=SENTENCES, help="default: %(default)s")
    command.add_argument(
        "--sentences", type=whole_number(1), default=corpus.HOW_MANY, help="default: %(default)s"
    )
    command.add_argument(
        "--seed", type=random_seed, default=corpus.SEED, help="default: %(default)s"
    )

    command = add_command(make_windows, "windows", "make data.pk from sentences")
    command.add_argument(
        "text", nargs="?", default=SENTENCES, help="one sentence a line; default: %(default)s"
    )
    command.add_argument("-o", "--output", default=DATA, help="default: %(default)s")
    command.add_argument(
        "--tokenize",
        action="store_true",
        help="the text is plain: lower-case it, separate punctuation, n't and 's from words",
    )
    command.add_argument(
        "--vocab-size",
        type=whole_number(windows.SMALLEST_VOCAB_SIZE),
        default=windows.VOCAB_SIZE,
        help="without [MASK]; default: %(default)s",
    )
    command.add_argument(
        "--windows",
        type=whole_number(1),
        nargs=3,
        default=windows.WINDOWS,
        metavar=("TRAIN", "VALID", "TEST"),
        help="windows in each split; default: %(default)s",
    )
    command.add_argument(
        "--window-length",
        type=whole_number(2, 20),
        default=windows.CONTEXT_LEN,
        help="words in a window; default: %(default)s",
    )
    command.add_argument(
        "--seed", type=random_seed, default=windows.SEED, help="default: %(default)s"
    )

    command = add_command(make_parameters, "parameters", "make partially_trained.pk from data.pk")
    command.add_argument("--data", default=DATA, help="default: %(default)s")
    command.add_argument("-o", "--output", default=PARTIALLY_TRAINED, help="default: %(default)s")
    command.add_argument("--seed", type=random_seed, default=SEED, help="default: %(default)s")

    command = add_command(print_quality, "quality", "train both models and measure them")
    command.add_argument("--data", default=DATA, help="default: %(default)s")
    return parser.parse_args()


@clear_exit(checking.DataFileError, NotebookError, corpus.GrammarError, windows.TextError)
def main():
    arguments = parse_arguments()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
