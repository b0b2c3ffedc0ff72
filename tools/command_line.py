"""How the command lines of the package end: an error is one line, never a wall of frames."""

import argparse
import os
import reprlib
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

LARGEST = 10**9  # of what can be counted or waited for
LARGEST_SEED = 2**32 - 1  # that numpy.random.RandomState takes
MOST_DIGITS = 20  # Python refuses to convert thousands


class SameFileError(ValueError):
    """A tool would overwrite what it reads, or one of its results with another."""


def whole_number(low, high=LARGEST):
    """A type for argparse: whole numbers from `low` to `high`."""

    def convert(text):
        is_number = text.isdecimal() and len(text) <= MOST_DIGITS
        if not (is_number and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(
                f"found {reprlib.repr(text)}, expected a whole number, from {low} to {high}"
            )
        return int(text)

    return convert


random_seed = whole_number(0, LARGEST_SEED)


def term_name(text):
    """A type for argparse: the name of a term, text that can be printed."""
    if not (text.strip() and text.isprintable()):
        raise argparse.ArgumentTypeError(
            f"found {reprlib.repr(text)}, expected the name of a term, such as 2026"
        )
    return text


def file_name(text):
    """A type for argparse: a path that ends in a name."""
    if not Path(text).name:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected the name of a file")
    return text


def require_different_files(outputs, inputs):
    """Raise SameFileError if a tool would write to a file that it also reads or writes otherwise.

    outputs: pairs (option, path or None). inputs: pairs (what the file is, path or None).
    """
    taken = {os.path.realpath(path): what for what, path in inputs if path is not None}
    for option, path in outputs:
        if path is None:
            continue
        place = os.path.realpath(path)
        if place in taken:
            raise SameFileError(
                f"{path} would be overwritten, but it is {taken[place]}: name another file "
                f"with {option}"
            )
        taken[place] = f"also the file of {option}"


def _say(text):
    """Print a line to standard error that begins with the name of the tool."""
    print(f"{Path(sys.argv[0]).stem}: {text}", file=sys.stderr)


def _interrupt(signal_number, frame):
    """End the process through all `finally` clauses, which clean up."""
    raise KeyboardInterrupt(signal_number)


@contextmanager
def signals_to(handler):
    """Inside of `with`, Ctrl-C and SIGTERM call handler(number, frame).

    What is ignored, as in a background job of a shell, stays so. Raises ValueError outside of the
    main thread.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: old for number, old in before.items() if old != signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def clear_exit(*errors):
    """Decorator of a tool's `main`: the given errors end it with one line, and status 1.

    So do OSError and SameFileError. Their messages have to say what was found, what was expected
    and what to do. Ctrl-C and SIGTERM end it with one line too, and status 130 and 143.
    """
    with signals_to(_interrupt):
        try:
            yield
        except (OSError, SameFileError, *errors) as error:
            _say(error)
            sys.exit(1)
        except KeyboardInterrupt as interrupt:
            _say("interrupted")
            (number,) = interrupt.args or [signal.SIGINT]
            sys.exit(128 + number)  # the status that shells expect


def expect_ctrl_c():
    """Let Ctrl-C end the process at once while the modules of a tool are still being loaded.

    Otherwise it would be an exception somewhere in the loading of NumPy, which that takes for a
    broken installation. Where the package is only imported, nothing changes.
    """
    is_a_tool = sys.argv[0] == "-m"  # Python's name for a module that it is about to find
    if is_a_tool and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
