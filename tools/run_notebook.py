"""Run the notebook from top to bottom in a new kernel and save it with its outputs.

python -m tools.run_notebook
"""

import argparse

import nbformat

from tools.files import NOTEBOOK, write_atomically
from tools.notebook import clean, execute


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="?", default=NOTEBOOK, help="default: %(default)s")
    arguments = parser.parse_args()
    notebook = nbformat.read(arguments.notebook, as_version=4)
    execute(notebook)
    clean(notebook)
    write_atomically(arguments.notebook, (nbformat.writes(notebook) + "\n").encode())


if __name__ == "__main__":
    main()
