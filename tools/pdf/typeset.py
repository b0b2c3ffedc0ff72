"""PDFs: of a text, and of the written part and a notebook with pages of its own a question."""

import io
import json
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import pypdf
import typst
from matplotlib.ft2font import FT2Font

from tools.notebook import first_line
from tools.pdf.cells import pieces_of
from tools.pdf.markup import Texts
from tools.questions import QUESTIONS

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it repairs small defects, and reports each

TEMPLATE = Path(__file__).with_suffix(".typ")
PAPERS = {"a4": "a4", "letter": "us-letter"}
FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")  # for signs that those of typst lack
MATHEMATICAL_LETTERS = range(0x1D400, 0x1D800)  # in the fonts that typst brings with it
WRITTEN_TITLE = "Written problems"


class TypesetError(ValueError):
    """A text cannot be typeset; the message says which part, and what to do."""


class WrittenError(ValueError):
    """The PDF of the written part cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class Part:
    """Where a part of the PDF is: its title, its first and its last page, counted from 1."""

    title: str
    first: int
    last: int


def compile_typst(body, folder, system_fonts=False, **inputs):
    """Typeset a document.

    Args:
        body: typst, a str, to which the template is added.
        folder: of its pictures; the document is written there, too.
        system_fonts: whether the fonts of the machine may be used, beside those that typst and
            matplotlib bring with them.
        inputs: strings that the template reads as `sys.inputs`.

    Returns:
        bytes of the PDF, the same at every call, and the sections that begin in it, a list of
        [number, page from 1].

    Raises TypesetError if it does not compile.
    """
    path = Path(folder, "document.typ")
    path.write_text(TEMPLATE.read_text(encoding="utf-8") + body, encoding="utf-8")
    try:
        compiler = typst.Compiler(
            path,
            root=folder,
            font_paths=[FONTS],
            ignore_system_fonts=not system_fonts,
            sys_inputs=inputs,
        )
        pdf = compiler.compile(format="pdf")
        return pdf, json.loads(compiler.query("<section>", field="value"))
    except (typst.TypstError, RuntimeError, OSError) as error:
        raise TypesetError(f"typst stopped: {error}") from error


def markdown_to_pdf(markdown, folder=".", paper="a4", title="", footer=""):
    """Typeset a text in Jupyter's Markdown; the title of a picture becomes its caption.

    Args:
        markdown: str.
        folder: where the paths of its pictures start.
        paper: "a4" or "letter".
        title: for the PDF's properties; `footer` is printed at the foot of every page.

    Returns:
        bytes of a PDF, the same at every call.

    Raises TypesetError if anything cannot be shown as it is meant.
    """
    with tempfile.TemporaryDirectory() as pictures:
        texts = Texts(pictures, folder)
        texts.add_markdown(markdown)
        (body,), warnings = texts.typeset()
        if warnings:
            raise TypesetError(warnings[0])
        inputs = {"paper": PAPERS[paper], "title": title, "footer": footer}
        return compile_typst(body, pictures, **inputs)[0]


# Notebooks


def make_pdf(notebook, path, written=None, paper="a4", provided=frozenset()):
    """Make the PDF of the written part and a notebook, the same bytes at every call.

    Args:
        notebook: node, as `tools.notebook.read_notebook` returns it.
        path: of the notebook; pictures are looked for in its folder, its name is on each page.
        written: pypdf.PdfReader, as `read_written` returns it, or None.
        paper: a key of `PAPERS`.
        provided: lines of code; cells that consist of them are left out.

    Returns:
        bytes of the PDF, with a bookmark for each part; the list of its Parts; and a list of
        warnings.
    """
    path = Path(path)
    n_written = len(written.pages) if written else 0
    with tempfile.TemporaryDirectory() as folder:
        texts = Texts(folder, path.parent)
        pieces = pieces_of(notebook, texts, provided)
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
            "footer": path.name + (", without the code that was handed out" if provided else ""),
            "before": str(n_written),
        }
        try:
            pdf, sections = compile_typst(document(pieces), folder, **options)
        except TypesetError:
            warnings += replace_what_fails(pieces, folder, options)
            pdf, sections = compile_typst(document(pieces), folder, **options)
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
    writer.add_metadata({"/Title": path.stem})
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue(), parts, warnings


def read_written(path):
    """pypdf.PdfReader of the written part. Raises WrittenError if it cannot be read, OSError."""
    content = Path(path).read_bytes()
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        pypdf.PdfWriter().append(reader, import_outline=False)
        if not reader.pages:
            raise ValueError("it has no pages")
    except Exception as error:  # damaged files make the parser raise anything
        raise WrittenError(
            f"{path}: found no PDF that can be read ({first_line(error)}); expected your written "
            "part: export or print it as a PDF file again, without a password"
        ) from error
    return reader


def foreign_characters(text):
    """Characters in a text that only a font of the machine can show, a sorted list."""
    ours = {*FT2Font(FONTS / "DejaVuSans.ttf").get_charmap(), *MATHEMATICAL_LETTERS}
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
        sections: (number, first page in the notebook) of each.
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
