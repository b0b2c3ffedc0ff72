"""Make the written problems and their solutions: the figures, and a PDF of each text.

    python -m written
    python -m written --paper letter -o ~/handouts

The texts are written/problems.md and written/solutions.md. What an instructor changes every term
is in written/course.md: deadline, submission, policies; it is shown at the head of the problems.
Without -o, the PDFs are put beside the texts.
"""

from pathlib import Path

from tools.common import ROOT, clear_exit, command_parser, write_atomically
from tools.pdf.typeset import PAPERS, TypesetError, markdown_to_pdf
from written.figures import FIGURES, svg_of

WRITTEN = ROOT / "written"
FIGURE_FOLDER = WRITTEN / "figures"
TITLES = {
    "problems": "Assignment 1: written problems",
    "solutions": "Assignment 1: solutions of the written problems",
}


def make_figures(folder=FIGURE_FOLDER):
    """Draw all figures into a folder."""
    folder.mkdir(exist_ok=True)
    for name in FIGURES:
        write_atomically(folder / name, svg_of(name))


def text_of(name):
    """The Markdown of written/NAME.md; in the problems, what the course says comes first."""
    text = (WRITTEN / f"{name}.md").read_text(encoding="utf-8")
    if name == "problems":
        title, _, rest = text.partition("\n")
        course = (WRITTEN / "course.md").read_text(encoding="utf-8")
        text = f"{title}\n\n{course}\n---\n{rest}"
    return text


def make_pdf(name, paper="a4"):
    """Bytes of the PDF of a text. Raises TypesetError, or OSError if a file is missing."""
    text = text_of(name)
    return markdown_to_pdf(text, WRITTEN, paper, title=TITLES[name], footer=TITLES[name])


@clear_exit(TypesetError)
def main():
    parser = command_parser(__doc__)
    parser.add_argument(
        "-o", "--output", type=Path, default=WRITTEN, help="folder; default: %(default)s"
    )
    parser.add_argument("--paper", choices=PAPERS, default="a4", help="default: %(default)s")
    arguments = parser.parse_args()
    folder = arguments.output.expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: create it first")
    make_figures()
    for name in TITLES:
        write_atomically(folder / f"{name}.pdf", make_pdf(name, arguments.paper))
    print(*(folder / f"{name}.pdf" for name in TITLES), sep="\n")


if __name__ == "__main__":
    main()
