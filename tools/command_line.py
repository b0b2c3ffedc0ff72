"""How the command lines of the package end: an error is one line, never a wall of frames."""

import argparse
import math
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

LARGEST_SEED = 2**32 - 1  # that numpy.random.RandomState takes


def whole_number(low, high=math.inf):
    """A type for argparse: whole numbers from `low` to `high`."""

    def convert(text):
        if not (text.isdecimal() and low <= int(text) <= high):
            limits = f"from {low} to {high}" if high < math.inf else f"not below {low}"
            raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number, {limits}")
        return int(text)

    return convert


random_seed = whole_number(0, LARGEST_SEED)


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
    """Decorator of a tool's `main`: the given errors, and OSError, end it with one line, status 1.

    Their messages have to say what was found, what was expected and what to do. Ctrl-C and SIGTERM
    end it with one line too, and status 130 and 143.
    """
    with signals_to(_interrupt):
        try:
            yield
        except (OSError, *errors) as error:
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
