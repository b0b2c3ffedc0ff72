"""One PDF of the written part and a notebook, in which each question has pages of its own."""

import io
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pypdf
from matplotlib.ft2font import FT2Font

from tools.notebook import provided_lines
from tools.pdf.cells import CellTypesetter
from tools.pdf.markup import Texts
from tools.pdf.typeset import FONTS, PAPERS, TypesetError, compile_typst
from tools.questions import QUESTIONS

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it repairs small defects, and reports each

WRITTEN_TITLE = "Written problems"
MATHEMATICAL_LETTERS = range(0x1D400, 0x1D800)  # in the fonts that typst brings with it


class WrittenError(ValueError):
    """The PDF of the written part cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class Part:
    """Where a part of the PDF is: its title, its first and its last page, counted from 1."""

    title: str
    first: int
    last: int


def read_written(path):
    """pypdf.PdfReader of the written part. Raises WrittenError if it is not a PDF with pages."""
    path = Path(path)
    if not path.is_file():
        found = "found a folder" if path.is_dir() else "there is no such file"
        raise WrittenError(f"{path}: {found}; expected the PDF of your written part")
    content = path.read_bytes()
    if b"%PDF-" not in content[:1024]:
        raise WrittenError(f"{path}: found no PDF: export or print your text as a PDF file")
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        found = "a PDF with a password or other protection" if reader.is_encrypted else ""
        if not found:
            pypdf.PdfWriter().append(reader, import_outline=False)
            found = "" if reader.pages else "a PDF without pages"
    except Exception as error:  # damaged files make the parser raise anything
        found = f"a damaged PDF ({error})"
    if found:
        raise WrittenError(
            f"{path}: found {found}; expected one that can be opened: export it again"
        )
    return reader


def typeset_notebook(notebook, path, paper="a4", short=False, n_before=0):
    """Typeset a notebook.

    Args:
        notebook: node, as `tools.notebook.read_notebook` returns it.
        path: of the notebook; pictures are looked for in its folder, its name is on each page.
        paper: a key of `tools.pdf.typeset.PAPERS`.
        short: whether to leave out the code cells that are as they were handed out.
        n_before: number of pages that will be put in front.

    Returns:
        bytes of the PDF, the list of (number of a section, page on which it begins, from 1),
        and a list of warnings.
    """
    path = Path(path)
    provided = provided_lines() if short else frozenset()
    with tempfile.TemporaryDirectory() as folder:
        texts = Texts(folder, path.parent)
        typesetter = CellTypesetter(texts, provided)
        cells = enumerate(notebook.cells, start=1)
        pieces = [piece for number, cell in cells for piece in typesetter.pieces(cell, number)]
        sources, warnings = texts.typeset()
        for piece in pieces:
            piece.source = piece.plain if piece.text is None else sources[piece.text]
        foreign = foreign_characters("".join(piece.plain for piece in pieces))
        if foreign:
            warnings.append(
                f"characters that depend on the fonts of your computer: {' '.join(foreign[:20])} "
                "- look at them in the PDF"
            )
        options = {
            "system_fonts": bool(foreign),
            "paper": PAPERS[paper],
            "title": path.stem,
            "footer": path.name + (", without the code that was handed out" if short else ""),
            "before": str(n_before),
        }
        try:
            pdf, sections = compile_typst(document(pieces), folder, **options)
        except TypesetError:
            warnings += replace_what_fails(pieces, folder, options)
            pdf, sections = compile_typst(document(pieces), folder, **options)
    return pdf, [tuple(section) for section in sections], warnings


def foreign_characters(text):
    """Characters in a text that only a font of the machine can show, a sorted list."""
    ours = {*FT2Font(FONTS / "DejaVuSans.ttf").get_charmap(), *MATHEMATICAL_LETTERS, ord("\u200b")}
    return sorted(c for c in set(text) if ord(c) not in ours and c.isprintable())


def document(pieces):
    """Typst source of some pieces; those that begin a section begin a page."""
    body, leads = ["#show: notebook", "#let image = picture"], []
    for piece in pieces:
        source = f"#answer[\n{piece.source}\n]" if piece.is_answer else piece.source
        if piece.section:
            body += [*leads, f'#begin("{piece.section}")']
            leads = []
        if piece.is_lead:
            leads.append(f"#lead[\n{source}\n]")
            continue
        if piece.picture:
            body.append(f'#with-picture("{piece.picture}")[{"".join(leads)}]')
        else:
            body += [*leads, f"#piece[\n{source}\n]"]
        leads = []
    return "\n".join(body + leads)


def replace_what_fails(pieces, folder, options):
    """Show as their source the pieces that do not compile; returns warnings."""
    warnings = []
    for piece in pieces:
        try:
            compile_typst(document([piece]), folder, **options)
        except TypesetError as error:
            piece.source = piece.plain
            warnings.append(f"{piece.place}: shown as its source, because {error}")
    return warnings


def parts_of(sections, n_pages, n_written=0):
    """Parts of the whole PDF, in the order of its pages.

    Args:
        sections: (number, first page in the notebook), as `typeset_notebook` returns them.
        n_pages, n_written: numbers of pages of the notebook, and of the written part before it.
    """
    titles = {question.number: f"{question.number} {question.title}" for question in QUESTIONS}
    ends = [page - 1 for _, page in sections[1:]] + [n_pages]
    parts = [
        Part(titles[number], n_written + first, n_written + last)
        for (number, first), last in zip(sections, ends)
        if number in titles
    ]
    return [Part(WRITTEN_TITLE, 1, n_written), *parts] if n_written else parts


def make_pdf(notebook, path, written=None, **options):
    """Make the PDF of the written part and a notebook, the same bytes at every call.

    Args:
        notebook, path; paper, short: as for `typeset_notebook`.
        written: pypdf.PdfReader, as `read_written` returns it, or None.

    Returns:
        bytes of the PDF, with a bookmark for each part; the list of its Parts; and a list of
        warnings.
    """
    n_written = len(written.pages) if written else 0
    pdf, sections, warnings = typeset_notebook(notebook, path, n_before=n_written, **options)
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    parts = parts_of(sections, len(reader.pages), n_written)
    found = {number for number, _ in sections}
    warnings += [
        f"question {question.number}: neither its title nor its cell is there, so it has no page"
        for question in QUESTIONS
        if question.number not in found
    ]
    writer = pypdf.PdfWriter()
    for part_of_pdf in (written, reader) if written else (reader,):
        writer.append(part_of_pdf, import_outline=False)
    for part in parts:
        writer.add_outline_item(title=part.title, page_number=part.first - 1)
    writer.add_metadata({"/Title": Path(path).stem})
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue(), parts, warnings
