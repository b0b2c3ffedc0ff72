"""Make the PDF for Gradescope: the notebook, each question on its own pages, and the written part.

    python -m tools.pdf hw1_code_abc1234.ipynb --written written.pdf
    python -m tools.pdf hw1_code_abc1234.ipynb --written written.pdf --short -o hw1.pdf

First it looks whether the notebook is complete: run from top to bottom, with all outputs, plots
and answers. If something is missing it says what, and makes nothing, unless you add --force. The
notebook itself is never changed. At the end it prints on which pages each question is, which is
what Gradescope asks for when you hand in.
"""

# Every Python 3 has to understand this file, so that an old one can say that it is old.
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"error: this is Python {sys.version.split()[0]}: install Python 3.11 or newer, make a new "
        ".venv with it, and run this again"
    )

from tools.common import ROOT, clear_exit, command_parser, write_atomically


class HandInError(ValueError):
    """The PDF cannot be made; the message says why, and what to do."""


def interpreter(folder=ROOT):
    """The Python that is to be used, as one types it: that of the folder's .venv if it has one."""
    for name in (".venv/bin/python", ".venv/Scripts/python.exe"):
        if (Path(folder) / name).exists():
            return str(Path(name))
    return Path(sys.executable).name


def table(parts):
    """Lines of a table: on which pages each part of the PDF is."""
    width = max((len(part.title) for part in parts), default=0)
    for part in parts:
        pages = f"{part.first}-{part.last}" if part.first < part.last else f"{part.first}"
        yield f"  {part.title:<{width}}  {pages:>7}"


def parse_arguments():
    parser = command_parser(__doc__)
    add = parser.add_argument
    add("notebook", help="hw1_code_<uni>.ipynb, run and saved")
    add("--written", metavar="PDF", help="your written part")
    add("--short", action="store_true", help="leave out code cells that you have not touched")
    add("--paper", choices=["a4", "letter"], default="a4", help="default: %(default)s")
    add("-o", "--output", metavar="PDF", help="default: the notebook's name, .pdf")
    add("--force", action="store_true", help="make it although something is missing")
    return parser.parse_args()


@clear_exit(HandInError)
def main():
    arguments = parse_arguments()
    try:
        from tools.notebook import NotebookError, handed_out, provided_lines, read_notebook
        from tools.pdf.missing import misses
        from tools.pdf.typeset import TypesetError, WrittenError, make_pdf, read_written
    except ImportError as error:
        raise HandInError(
            f"{error}. Run  {interpreter()} -m pip install -r tools/requirements.txt  and then  "
            f"{interpreter()} -m tools.pdf ..."
        ) from error

    with clear_exit(NotebookError, WrittenError, TypesetError):
        path = Path(arguments.notebook)
        output = Path(arguments.output or path.with_suffix(".pdf"))
        if output.suffix.lower() != ".pdf":
            raise HandInError(f"{output}: expected a name that ends in .pdf after -o")
        if arguments.written and output.resolve() == Path(arguments.written).resolve():
            raise HandInError(
                f"{output} would be overwritten, but it is the written part: name another file "
                "with -o"
            )
        written = read_written(arguments.written) if arguments.written else None
        notebook = read_notebook(path)
        given = handed_out()
        found = misses(notebook, path.name, given)
        for miss in found:
            print(f"- {miss}", file=sys.stderr)
        if found and not arguments.force:
            raise HandInError(
                f"{path} is not complete, so no PDF was made. Repair what is listed above, the "
                "first thing first, and save the notebook; or add --force to hand it in as it is"
            )
        provided = provided_lines(given) if arguments.short else frozenset()
        pdf, parts, warnings = make_pdf(notebook, path, written, arguments.paper, provided)
        write_atomically(output, pdf)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{output}: select these pages for the questions on Gradescope", *table(parts), sep="\n")
    if written is None:
        print("The written part is not in it: add --written with its PDF.")


if __name__ == "__main__":
    main()
