"""Run the notebook from top to bottom in a new kernel and save it with its outputs.

    python -m tools.run_notebook

Prints how long it took; for the memory, run it under  /usr/bin/time -v .
"""

import argparse
import time

import nbformat

from tools.files import NOTEBOOK, write_atomically
from tools.notebook import clean, execute


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", nargs="?", default=NOTEBOOK, help="default: %(default)s")
    arguments = parser.parse_args()
    notebook = nbformat.read(arguments.notebook, as_version=4)
    start = time.perf_counter()
    execute(notebook)
    elapsed = time.perf_counter() - start
    clean(notebook)
    write_atomically(arguments.notebook, (nbformat.writes(notebook) + "\n").encode())
    print(f"{arguments.notebook}: {elapsed:.0f} s")


if __name__ == "__main__":
    main()
