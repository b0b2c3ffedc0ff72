"""Make the written problems and their solutions: the figures, and a PDF of each text.

    python -m written
    python -m written --paper letter -o ~/handouts

The texts are written/problems.md and written/solutions.md; the figures are drawn from
written/figures.json. Without -o, the PDFs are put beside the texts.
"""

import argparse
from pathlib import Path

from tqdm import tqdm

from tools.common import ROOT, clear_exit, write_atomically
from tools.pdf.typeset import PAPERS, TypesetError, markdown_to_pdf
from written.figures import FIGURES

WRITTEN = ROOT / "written"
FIGURE_FOLDER = WRITTEN / "figures"
TITLES = {
    "problems": "Assignment 1: written problems",
    "solutions": "Assignment 1: solutions of the written problems",
}


def make_figures(folder=FIGURE_FOLDER):
    """Draw all figures into a folder."""
    folder.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        write_atomically(folder / name, draw())


def make_pdf(name, paper="a4"):
    """Bytes of the PDF of written/NAME.md. Raises TypesetError, or OSError if it is missing."""
    text = (WRITTEN / f"{name}.md").read_text(encoding="utf-8")
    return markdown_to_pdf(text, WRITTEN, paper, title=TITLES[name], footer=TITLES[name])


@clear_exit(TypesetError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=WRITTEN, help="folder; default: %(default)s"
    )
    parser.add_argument("--paper", choices=PAPERS, default="a4", help="default: %(default)s")
    arguments = parser.parse_args()
    folder = arguments.output.expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: create it first")
    make_figures()
    for name in tqdm(TITLES, desc="typesetting", unit="text", leave=False):
        write_atomically(folder / f"{name}.pdf", make_pdf(name, arguments.paper))
    print(*(folder / f"{name}.pdf" for name in TITLES), sep="\n")


if __name__ == "__main__":
    main()
