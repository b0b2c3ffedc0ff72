"""Run the notebook from top to bottom in a new kernel and save it with its outputs.

    python -m tools.run_notebook

Prints how long it took; for the memory, run it under  /usr/bin/time -v .
"""

import argparse
import time

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools.command_line import clear_exit
from tools.files import NOTEBOOK, ROOT, write_atomically
from tools.notebook import clean, execute, load_definitions


class NotebookError(ValueError):
    """A notebook cannot be read or run to its end; the message says why, and what to do."""


def first_line(error):
    return str(error).strip().partition("\n")[0]


def read_notebook(path):
    """The notebook node in a file. Raises NotebookError if it holds none, OSError if it is none."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except OSError:
        raise
    except Exception as error:  # broken files make nbformat raise anything
        raise NotebookError(
            f"{path}: cannot be read as a notebook ({first_line(error)}); expected a file that "
            "Jupyter has saved"
        ) from error
    return notebook


def read_definitions(path, data):
    """The namespace of the definitions of the reference notebook in a file, executed on data.

    data: dict as `checking.load_data` returns it. Raises NotebookError, or OSError if there is no
    file.
    """
    read_notebook(path)
    try:
        definitions = load_definitions(data, path)
    except Exception as error:  # what it executes can raise anything
        raise NotebookError(
            f"{path}: its definitions stop with {type(error).__name__}: {first_line(error)}; "
            "expected the reference notebook"
        ) from error
    if missing := [name for name in ("Params", "Model") if name not in definitions]:
        raise NotebookError(
            f"{path}: defines no {' and no '.join(missing)}; expected the reference notebook"
        )
    return definitions


def run(notebook, folder=ROOT):
    """Execute a notebook node in place, in a folder.

    Raises NotebookError at the first cell that fails.
    """
    try:
        execute(notebook, folder)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        is_own = isinstance(error, CellExecutionError)
        reason = f"{error.ename}: {error.evalue}" if is_own else first_line(error)
        raise NotebookError(
            f"a cell stops with {reason}; expected all to run. The notebook was not saved: run it "
            f"in Jupyter, in {folder}, to see the place"
        ) from error


@clear_exit(NotebookError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", nargs="?", default=NOTEBOOK, help="default: %(default)s")
    arguments = parser.parse_args()
    notebook = read_notebook(arguments.notebook)
    start = time.perf_counter()
    run(notebook)
    elapsed = time.perf_counter() - start
    clean(notebook)
    write_atomically(arguments.notebook, (nbformat.writes(notebook) + "\n").encode())
    print(f"{arguments.notebook}: {elapsed:.0f} s")


if __name__ == "__main__":
    main()
