"""The cells of a notebook -> pieces of typst: Markdown as Jupyter understands it, code, outputs.

Every piece has a plain version besides, which shows the same as its source. So a damaged picture
or an error of ours never costs more than its own looks.
"""

import re
from dataclasses import dataclass
from functools import partial

from bs4 import BeautifulSoup

from tools.notebook import ANSI, grade_id, place_of
from tools.pdf.formulas import Formulas, with_formulas
from tools.pdf.markup import html_of, html_to_typst, prepared, raw_block
from tools.pdf.pictures import PictureError, from_base64
from tools.questions import QUESTIONS

UNPRINTABLE = re.compile(  # control characters, halves of characters, and our own placeholders
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000-\ue1ff]"
)
NUMBERS = {q.number for q in QUESTIONS} | {q.number.rpartition(".")[0] for q in QUESTIONS}
SECTION = re.compile(r"^(?= {0,3}#{1,6} *(\d+\.\d+(?:\.\d+)?)(?![.\d]))", re.MULTILINE)
LAST_TITLE = re.compile(r"^ {0,3}#{1,6} [^\n]*\s*\Z", re.MULTILINE)
LONGEST_LINE = 5_000  # characters of a line of output; the rest is left out
FIRST_LINES, LAST_LINES = 250, 100  # of an output, about six pages
MOST_COLUMNS = 12  # of a table; a wider one is shown as text, which pandas breaks into parts
SHORT_CODE = 15  # lines that stay on one page with the output
SHORT_TEXT = 300  # characters of a text that stays on one page with what it leads to


@dataclass
class Piece:
    """A part of the notebook that is typeset at once.

    place: which cell it is, for messages.
    plain: typst that shows it simply.
    html: what it is, "" if that is shown by `plain`; `typeset` makes `source`, typst, of it.
    section: number of the question or section that begins here, "" if none does.
    is_lead: whether it stays on one page with the piece that follows.
    is_answer: whether it is one, to a written question.
    picture: file of the picture that it is, "" if it is none.
    """

    place: str
    plain: str
    html: str = ""
    source: str = ""
    section: str = ""
    is_lead: bool = False
    is_answer: bool = False
    picture: str = ""


def printable(text):
    """The text without colours and control characters."""
    return UNPRINTABLE.sub("", ANSI.sub("", text.replace("\r\n", "\n")))


def overwritten(text):
    """What a terminal shows: a carriage return goes back to the start of the line."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)


def shortened(text):
    """The text without the middle of very many lines, and without the rest of very long ones."""
    lines = [
        line
        if len(line) <= LONGEST_LINE
        else f"{line[:LONGEST_LINE]} [... {len(line) - LONGEST_LINE} more characters]"
        for line in text.split("\n")
    ]
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out > 0:
        lines[FIRST_LINES:-LAST_LINES] = [f"[... {left_out} lines left out ...]"]
    return "\n".join(lines)


class NotebookTypesetter:
    """Turns the cells of a notebook into pieces.

    Args:
        pictures: Pictures.
        provided: set of lines; a code cell that consists of them is left out.

    Attributes: `warnings` lists what could not be shown as it was meant, `formulas` are those for
    which the HTML of the pieces has placeholders.
    """

    def __init__(self, notebook, pictures, provided=frozenset()):
        self.notebook = notebook
        self.pictures = pictures
        self.provided = provided
        self.warnings = []
        self.sections = set()  # that have begun
        self.formulas = Formulas()

    def typeset(self):
        """The pieces of all cells, with `source`; and what could not be shown, a list."""
        cells = enumerate(self.notebook.cells, start=1)
        pieces = [piece for number, cell in cells for piece in self.pieces(cell, number)]
        formulas, warnings = self.formulas.typeset()
        texts = [piece for piece in pieces if piece.html]
        for piece in pieces:
            piece.source = piece.plain
        for piece, source in zip(texts, html_to_typst([piece.html for piece in texts])):
            piece.source = with_formulas(source, formulas)
        return pieces, self.warnings + warnings

    def pieces(self, cell, number):
        """Pieces of a cell, a list. number: of the cell, from 1, for messages."""
        place = place_of(number, cell)
        if cell.cell_type == "markdown":
            pieces = self.markdown_pieces(cell, place)
        else:
            pieces = self.code_pieces(cell, place)
        for question in QUESTIONS:  # whose heading somebody has deleted
            is_new = question.grade_id == grade_id(cell) and question.number not in self.sections
            if is_new and pieces:
                pieces[0].section = question.number
                self.sections.add(question.number)
        return pieces

    def code_pieces(self, cell, place):
        source = printable(cell.source).strip("\n")
        lines = [line.strip() for line in source.split("\n") if line.strip()]
        outputs = []
        for output in merged(filter(is_visible, cell.get("outputs", []))):
            outputs += self.output_pieces(output, place)
        if not lines or self.provided.issuperset(lines):
            return outputs
        shown = raw_block(source, "python" if cell.cell_type == "code" else "text")
        is_lead = bool(outputs) and len(lines) <= SHORT_CODE
        return [Piece(place, shown, is_lead=is_lead), *outputs]

    def markdown_pieces(self, cell, place):
        """A piece for each section that begins in the cell, for what comes before, and for a title
        at the end, which stays with what follows."""
        starts = {0: ""}  # number of the section by where it begins
        for match in SECTION.finditer(cell.source):
            if match[1] in NUMBERS - self.sections:
                starts[match.start()] = match[1]
                self.sections.add(match[1])
        if title := LAST_TITLE.search(cell.source):
            starts.setdefault(title.start(), "")
        pieces = []
        for (start, section), end in zip(starts.items(), [*starts, None][1:]):
            text = cell.source[start:end]
            if not text.strip():
                continue
            piece = self.markdown_piece(text, cell.get("attachments", {}), place)
            piece.section = section
            piece.is_answer = cell.metadata.get("nbgrader", {}).get("solution", False)
            piece.is_lead = len(text) <= SHORT_TEXT and not piece.is_answer
            pieces.append(piece)
        return pieces

    def markdown_piece(self, text, attachments, place):
        html = html_of(self.formulas.take(printable(text), place))
        return self.html_piece(html, attachments, raw_block(printable(text), "text"), place)

    def html_piece(self, html, attachments, plain, place):
        store = partial(self.pictures.store, attachments=attachments)
        html, missing = prepared(html, self.formulas, store)
        self.warnings += [f"{place}: not shown: {what}" for what in missing]
        return Piece(place, plain, html)

    def output_pieces(self, output, place):
        """Pieces of an output: none if nothing is to be seen of it."""
        kind = output.get("output_type")
        if kind in ("display_data", "execute_result"):
            return self.data_pieces(output.data, place)
        if kind == "error":
            lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
            text, language = "\n".join(map(str, lines)), "stderr"
        else:
            text = overwritten(text_of(output.get("text")))
            language = "stderr" if output.get("name") == "stderr" else "output"
        text = printable(shortened(text))
        shown = raw_block(text, language)
        return [Piece(place, shown)] if text.strip() else []

    def data_pieces(self, data, place):
        """The best of the representations that an output has."""
        text = printable(shortened(text_of(data.get("text/plain"))))
        plain = raw_block(text, "output")
        for kind in ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp"):
            if kind in data:
                return [self.picture_piece(kind, data[kind], plain, place)]
        html = printable(text_of(data.get("text/html")))
        if prefers_html(html, text):
            return [self.html_piece(html, {}, plain, place)]
        for kind in ("text/markdown", "text/latex"):
            if kind in data:
                return [self.markdown_piece(text_of(data[kind]), {}, place)]
        return [Piece(place, plain)] if text.strip() else []

    def picture_piece(self, kind, content, plain, place):
        try:
            is_svg = kind == "image/svg+xml"
            content = text_of(content).encode() if is_svg else from_base64(content)
            name = self.pictures.add(content)
            return Piece(place, plain, picture=name)
        except PictureError as error:
            self.warnings.append(f"{place}: not shown: {error}")
            return Piece(place, plain)


def prefers_html(html, plain):
    """Whether an output is better shown as its HTML than as its plain text."""
    if "<table" in html:
        rows = BeautifulSoup(html, "html.parser").find_all("tr")
        n_columns = max((len(row.find_all(["td", "th"])) for row in rows), default=0)
        return not plain or n_columns <= MOST_COLUMNS
    return bool(html) and plain[:1] in ("", "<")  # such as <IPython.core.display.HTML object>


def text_of(value):
    """Text of an output, which may be a list of lines; "" if there is none."""
    return "".join(value) if isinstance(value, (str, list)) else ""


def is_visible(output):
    """Whether an output is more than a progress bar or what one has left behind."""
    if output.get("output_type") == "stream" and output.get("name") == "stderr":
        return bool(overwritten(text_of(output.get("text"))).strip())
    return "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def merged(outputs):
    """The outputs with neighbours that come from the same stream made one."""
    result = []
    for output in outputs:
        before = result[-1] if result else {}
        if output.get("output_type") == "stream" and (
            (before.get("output_type"), before.get("name")) == ("stream", output.get("name"))
        ):
            text = text_of(before.get("text")) + text_of(output.get("text"))
            result[-1] = {**before, "text": text}
        else:
            result.append(output)
    return result
