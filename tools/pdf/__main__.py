"""Make the PDF for Gradescope: the notebook, each question on its own pages, and the written part.

    python -m tools.pdf hw1_code_abc1234.ipynb --written written.pdf
    python -m tools.pdf hw1_code_abc1234.ipynb --written written.pdf --written-last -o hw1.pdf

First it looks whether the notebook is complete: run from top to bottom, with all outputs, plots
and answers. If something is missing it says what, and makes nothing, unless you add --force. The
notebook itself is never changed. At the end it prints on which pages each question is, which is
what Gradescope asks for when you hand in.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

from tools.common import clear_exit, require_different_files, write_atomically

# What has to be installed beyond requirements.txt, by the name of the module.
PACKAGES = {
    "pypandoc": "pypandoc-binary>=1.17",
    "pypdf": "pypdf>=7.1",
    "typst": "typst==0.14.9",
}
PROVIDED = ("nbconvert", "nbformat", "matplotlib", "PIL", "tqdm")  # by requirements.txt


class HandInError(ValueError):
    """The PDF cannot be made; the message says why, and what to do."""


def require_packages():
    """Raise HandInError with the command that installs what is missing, if anything is."""
    absent = [name for name in (*PACKAGES, *PROVIDED) if importlib.util.find_spec(name) is None]
    extra = [f'"{PACKAGES[name]}"' for name in absent if name in PACKAGES]
    if set(absent) & set(PROVIDED):
        extra = ["-r requirements.txt", *extra]
    if absent:
        raise HandInError(f"not installed: {', '.join(absent)}. Run  pip install {' '.join(extra)}")


def output_path(notebook, written, output):
    """Where the PDF goes. Raises HandInError if it is no PDF, SameFileError if it is an input."""
    path = Path(output) if output else Path(notebook).with_suffix(".pdf")
    if path.suffix.lower() != ".pdf":
        raise HandInError(f"{path}: expected a name that ends in .pdf after -o")
    inputs = [("the notebook", notebook), ("the written part", written)]
    require_different_files([("-o", path)], inputs)
    return path


def table(parts):
    """Lines of a table: on which pages each part of the PDF is."""
    width = max((len(part.title) for part in parts), default=0)
    for part in parts:
        pages = f"{part.first}-{part.last}" if part.first < part.last else f"{part.first}"
        yield f"  {part.title:<{width}}  {pages:>7}"


def refuse_if_incomplete(misses, arguments):
    """Print what the notebook lacks. Raises HandInError if that is not accepted."""
    for miss in misses:
        print(f"- {miss}", file=sys.stderr)
    if misses and not arguments.force:
        raise HandInError(
            f"{arguments.notebook} is not complete, so no PDF was made. Mend what is listed above, "
            "the first thing first, and save the notebook; or add --force to hand it in as it is"
        )


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", help="hw1_code_<uni>.ipynb, run and saved")
    parser.add_argument("--written", metavar="PDF", help="your written part")
    parser.add_argument(
        "--written-last", action="store_true", help="put it after the notebook, not before"
    )
    parser.add_argument(
        "--paper", choices=["a4", "letter"], default="a4", help="default: %(default)s"
    )
    parser.add_argument("-o", "--output", metavar="PDF", help="default: the notebook's name, .pdf")
    parser.add_argument(
        "--force", action="store_true", help="make it although something is missing"
    )
    return parser.parse_args()


@clear_exit(HandInError)
def main():
    arguments = parse_arguments()
    require_packages()
    from tqdm import tqdm  # these need the packages

    from tools import notebook as submitted_notebook
    from tools.pdf import document as hand_in_pdf
    from tools.pdf import missing as hand_in_checks
    from tools.pdf import typeset

    errors = submitted_notebook.NotebookError, hand_in_pdf.WrittenError, typeset.TypesetError
    with clear_exit(*errors):
        output = output_path(arguments.notebook, arguments.written, arguments.output)
        written = hand_in_pdf.read_written(arguments.written) if arguments.written else None
        notebook = submitted_notebook.read_notebook(arguments.notebook)
        refuse_if_incomplete(hand_in_checks.misses(notebook, arguments.notebook), arguments)
        pdf, parts, warnings = hand_in_pdf.make_pdf(
            notebook,
            arguments.notebook,
            written,
            arguments.written_last,
            arguments.paper,
            lambda cells: tqdm(cells, desc="typesetting", unit="cell", leave=False),
        )
        write_atomically(output, pdf)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{output}: select these pages for the questions on Gradescope", *table(parts), sep="\n")
    if written is None:
        print("The written part is not in it: add --written with its PDF.")


if __name__ == "__main__":
    main()
