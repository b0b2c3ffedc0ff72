"""The cells of a notebook -> pieces of typst: Markdown as Jupyter understands it, code, outputs.

Every piece has a plain version besides, which shows the same as its source. So a damaged picture
or an error of ours never costs more than its own looks.
"""

import re
from dataclasses import dataclass
from itertools import groupby

from tools.notebook import ANSI, grade_id, place_of
from tools.pdf.markup import PictureError, raw_block
from tools.questions import QUESTIONS

UNPRINTABLE = re.compile(  # control characters, halves of characters, and our own placeholders
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000-\ue1ff]"
)
NUMBERS = {q.number for q in QUESTIONS} | {q.number.rpartition(".")[0] for q in QUESTIONS}
SECTION = re.compile(r"^(?= {0,3}#{1,6} *(\d+\.\d+(?:\.\d+)?)(?![.\d]))", re.MULTILINE)
LAST_TITLE = re.compile(r"^ {0,3}#{1,6} [^\n]*\s*\Z", re.MULTILINE)
LONGEST_LINE = 5_000  # characters of a line of output; the rest is left out
FIRST_LINES, LAST_LINES = 250, 100  # of an output, about six pages
SHORT_CODE = 15  # lines that stay on one page with the output
SHORT_TEXT = 300  # characters of a text that stays on one page with what it leads to
PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass
class Piece:
    """A part of the notebook that is typeset at once.

    place: which cell it is, for messages.
    plain: typst that shows it simply.
    text: its index in the Texts, if it is one of them; typst makes `source` of it.
    picture: file of the picture that it is, "" if it is none.
    section: number of the question or section that begins here, "" if none does.
    is_lead: whether it stays on one page with the piece that follows.
    is_answer: whether it is one, to a written question.
    """

    place: str
    plain: str
    text: int | None = None
    source: str = ""
    picture: str = ""
    section: str = ""
    is_lead: bool = False
    is_answer: bool = False


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


def is_visible(output):
    """Whether an output is more than a progress bar or what one has left behind."""
    if output.get("name") == "stderr":
        return bool(overwritten(output.get("text", "")).strip())
    return "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def pieces_of(notebook, texts, provided=frozenset()):
    """The Pieces of a notebook node, a list; the arguments are those of `CellTypesetter`."""
    typesetter = CellTypesetter(texts, provided)
    cells = enumerate(notebook.cells, start=1)
    return [piece for number, cell in cells for piece in typesetter.pieces(cell, number)]


class CellTypesetter:
    """Turns cells into pieces, and adds their texts and pictures to `texts`, Texts.

    provided: set of lines; a code cell that consists of them is left out.
    """

    def __init__(self, texts, provided=frozenset()):
        self.texts = texts
        self.provided = provided
        self.sections = set()  # that have begun

    def pieces(self, cell, number):
        """Pieces of a cell, a list. number: of the cell, from 1, for messages."""
        place = place_of(number, cell)
        is_text = cell.cell_type == "markdown"
        pieces = list((self.markdown_pieces if is_text else self.code_pieces)(cell, place))
        for question in QUESTIONS:  # whose heading somebody has deleted
            is_new = question.grade_id == grade_id(cell) and question.number not in self.sections
            if is_new and pieces:
                pieces[0].section = question.number
                self.sections.add(question.number)
        return pieces

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
        for (start, section), end in zip(starts.items(), [*starts, None][1:]):
            text = cell.source[start:end]
            if text.strip():
                piece = self.markdown_piece(text, place, cell.get("attachments", {}))
                piece.section = section
                piece.is_answer = cell.metadata.get("nbgrader", {}).get("solution", False)
                piece.is_lead = len(text) <= SHORT_TEXT and not piece.is_answer
                yield piece

    def markdown_piece(self, text, place, attachments):
        text = printable(text)
        index = self.texts.add_markdown(text, place, attachments)
        return Piece(place, raw_block(text, "text"), index)

    def code_pieces(self, cell, place):
        source = printable(cell.source).strip("\n")
        lines = [line.strip() for line in source.split("\n") if line.strip()]
        outputs = list(self.output_pieces(cell.get("outputs", []), place))
        if lines and not self.provided.issuperset(lines):
            shown = raw_block(source, "python" if cell.cell_type == "code" else "text")
            yield Piece(place, shown, is_lead=bool(outputs) and len(lines) <= SHORT_CODE)
        yield from outputs

    def output_pieces(self, outputs, place):
        """Pieces of what is to be seen; neighbours that come from the same stream are one."""
        streams = groupby(
            filter(is_visible, outputs), lambda o: (o.get("output_type"), o.get("name"))
        )
        for (kind, name), group in streams:
            if kind == "stream":
                text = overwritten("".join(output.text for output in group))
                yield from self.text_pieces(text, "stderr" if name == "stderr" else "output", place)
                continue
            for output in group:
                if kind == "error":
                    lines = output.get("traceback") or [
                        f"{output.get('ename')}: {output.get('evalue')}"
                    ]
                    yield from self.text_pieces("\n".join(map(str, lines)), "stderr", place)
                else:
                    yield from self.data_pieces(output.get("data", {}), place)

    def text_pieces(self, text, language, place):
        text = printable(shortened(text))
        return [Piece(place, raw_block(text, language))] if text.strip() else []

    def data_pieces(self, data, place):
        """The best of the representations that an output has."""
        text = printable(data.get("text/plain", ""))
        plain = self.text_pieces(text, "output", place)
        shown = plain or [Piece(place, "")]
        for kind in PICTURES:
            if kind in data:
                try:
                    name = self.texts.store(data[kind])
                    return [Piece(place, shown[0].plain, picture=name)]
                except PictureError as error:
                    self.texts.warnings.append(f"{place}: not shown: {error}")
                    return shown
        html = printable(data.get("text/html", ""))
        if html and ("<table" in html or text[:1] in ("", "<")):  # <IPython...HTML object>
            return [Piece(place, shown[0].plain, self.texts.add_html(html, place))]
        for kind in ("text/markdown", "text/latex"):
            if kind in data:
                return [self.markdown_piece(data[kind], place, {})]
        return plain
