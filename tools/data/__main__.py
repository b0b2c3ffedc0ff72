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
    whole_number,
    write_atomically,
)
from tools.data import corpus, quality, windows
from tools.notebook import NotebookError
from tools.reference import SEED, partially_train

# Extrapolated from a few steps of training and of the sweep, with 372,500 windows on one core.
LIMITS = (
    "maps name the 300 most frequent; the notebook takes an estimated 10 minutes with 2000, half "
    "an hour and 1.5 GB of memory with 4000, several hours with 10000"
)

# Each maker returns the bytes of a file, and a line about them.


def make_corpus(arguments):
    """Sample raw_sentences.txt from a grammar."""
    grammar = corpus.load_grammar(arguments.source)
    sentences = corpus.sample_corpus(grammar, arguments.sentences, arguments.seed)
    return sentences.encode(), f"{arguments.sentences} sentences"


def make_windows(arguments):
    """Make data.pk from sentences."""
    split_line = windows.tokenize if arguments.tokenize else str.split
    sentences = windows.read_sentences(arguments.source, split_line)
    sizes = arguments.vocab_size, arguments.windows, arguments.window_length
    data = windows.make_data(sentences, *sizes, arguments.seed)
    counts = ", ".join(f"{len(data[f'{name}_inputs'])} {name}" for name in windows.SPLITS)
    about = f"{len(data['vocab'])} words; windows: {counts}"
    return pickle.dumps(data, PICKLE_PROTOCOL), about


def make_parameters(arguments):
    """Make partially_trained.pk from data.pk and the notebook."""
    parameters = partially_train(checking.load_data(arguments.source), seed=arguments.seed)
    about = ", ".join(f"{name} {np.shape(value)}" for name, value in parameters.items())
    return pickle.dumps(parameters, PICKLE_PROTOCOL), about


def print_quality(arguments):
    """Train both models, and measure them."""
    for name, value in quality.measure(checking.load_data(arguments.source)):
        print(f"{name:<45} {value:6.3f}", flush=True)


def parse_arguments():
    parser = command_parser(__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add_command(make, name):
        command = commands.add_parser(name, help=make.__doc__, description=make.__doc__)
        command.set_defaults(make=make)

        def add(*names, help="", **options):
            command.add_argument(*names, help=f"{help}default: %(default)s", **options)

        return add

    add = add_command(make_corpus, "corpus")
    add("--grammar", dest="source", default=corpus.GRAMMAR)
    add("-o", "--output", default=SENTENCES)
    add("--sentences", type=whole_number(1), default=corpus.HOW_MANY, help="how many; ")
    add("--seed", type=random_seed, default=corpus.SEED)

    add = add_command(make_windows, "windows")
    add("source", metavar="text", nargs="?", default=SENTENCES, help="one sentence a line; ")
    add("-o", "--output", default=DATA)
    tokenize = "the text is plain: lower-case it, separate punctuation, n't and 's from words; "
    add("--tokenize", action="store_true", help=tokenize)
    vocab_size = whole_number(windows.SMALLEST_VOCAB_SIZE)
    help = f"without [MASK]; {LIMITS}; "
    add("--vocab-size", type=vocab_size, default=windows.VOCAB_SIZE, help=help)
    splits = {"nargs": 3, "metavar": ("TRAIN", "VALID", "TEST"), "default": windows.WINDOWS}
    add("--windows", type=whole_number(1), help="windows in each split; ", **splits)
    length = {"type": whole_number(2, 20), "default": windows.CONTEXT_LEN}
    add("--window-length", help="words in a window; ", **length)
    add("--seed", type=random_seed, default=windows.SEED)

    add = add_command(make_parameters, "parameters")
    add("--data", dest="source", default=DATA)
    add("-o", "--output", default=PARTIALLY_TRAINED)
    add("--seed", type=random_seed, default=SEED)

    add = add_command(print_quality, "quality")
    add("--data", dest="source", default=DATA)
    return parser.parse_args()


@clear_exit(checking.DataFileError, NotebookError, corpus.GrammarError, windows.TextError)
def main():
    arguments = parse_arguments()
    if arguments.make is print_quality:
        print_quality(arguments)
        return
    content, about = arguments.make(arguments)
    write_atomically(arguments.output, content)
    print(f"{arguments.output}: {about}")


if __name__ == "__main__":
    main()
