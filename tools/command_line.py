"""How the command lines of the package end: an error is one line, never a wall of frames."""

import signal
import sys
from contextlib import contextmanager
from pathlib import Path

INTERRUPTED = 130  # what shells call a process that Ctrl-C has ended


def _say(text):
    """Print a line to standard error that begins with the name of the tool."""
    print(f"{Path(sys.argv[0]).stem}: {text}", file=sys.stderr)


def _end(signal_number, frame):
    """End the process, but through all `finally` clauses, so that no half a file stays behind."""
    sys.exit(128 + signal_number)


@contextmanager
def clear_exit(*errors):
    """Decorator of a tool's `main`: the given errors, and OSError, end it with one line, status 1.

    Their messages have to say what was found, what was expected and what to do. SIGTERM ends it
    cleanly too; Ctrl-C does so in every tool, from the moment the package is imported.
    """
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except (OSError, *errors) as error:
        _say(error)
        sys.exit(1)
    finally:
        signal.signal(signal.SIGTERM, before)


def show_uncaught(kind, error, traceback):
    """Replacement of `sys.excepthook` for which Ctrl-C is no error."""
    if issubclass(kind, KeyboardInterrupt):
        _say("interrupted")
        sys.exit(INTERRUPTED)
    sys.__excepthook__(kind, error, traceback)
