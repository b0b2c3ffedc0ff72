"""The cells of a notebook -> pieces of typst: Markdown as Jupyter understands it, code, outputs.

Every piece has a plain version besides, which shows the same as its source. So a damaged picture
or an error of ours never costs more than its own looks.
"""

import re
from dataclasses import dataclass
from itertools import groupby

from tools.notebook import ANSI, sections
from tools.pdf.markup import NO_ATTACHMENTS, PictureError, raw_block

UNPRINTABLE = re.compile(  # control characters, halves of characters, and our own placeholders
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000-\ue1ff]"
)
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
    """The Pieces of a notebook node, a list.

    Args:
        texts: Texts, to which its texts and pictures are added.
        provided: set of lines; a code cell that consists of them is left out.
    """
    found, begun = [], {""}
    for place, number, cell in sections(notebook):
        if cell.cell_type == "markdown":
            pieces = [*markdown_pieces(cell, place, texts)]
        else:
            pieces = [*code_pieces(cell, place, texts, provided)]
        if pieces and number not in begun:
            pieces[0].section = number
            begun.add(number)
        found += pieces
    return found


def markdown_pieces(cell, place, texts):
    """A piece for the text, and one for a title at its end, which stays with what follows."""
    title = LAST_TITLE.search(cell.source)
    end = title.start() if title else len(cell.source)
    for text in (cell.source[:end], cell.source[end:]):
        if text.strip():
            piece = markdown_piece(text, place, texts, cell.get("attachments", {}))
            piece.is_answer = cell.metadata.get("nbgrader", {}).get("solution", False)
            piece.is_lead = len(text) <= SHORT_TEXT and not piece.is_answer
            yield piece


def markdown_piece(text, place, texts, attachments=NO_ATTACHMENTS):
    text = printable(text)
    index = texts.add_markdown(text, place, attachments)
    return Piece(place, raw_block(text, "text"), index)


def code_pieces(cell, place, texts, provided):
    source = printable(cell.source).strip("\n")
    lines = [line.strip() for line in source.split("\n") if line.strip()]
    outputs = list(output_pieces(cell.get("outputs", []), place, texts))
    if lines and not provided.issuperset(lines):
        shown = raw_block(source, "python" if cell.cell_type == "code" else "text")
        yield Piece(place, shown, is_lead=bool(outputs) and len(lines) <= SHORT_CODE)
    yield from outputs


def output_pieces(outputs, place, texts):
    """Pieces of what is to be seen; neighbours that come from the same stream are one."""
    streams = groupby(filter(is_visible, outputs), lambda o: (o.get("output_type"), o.get("name")))
    for (kind, name), group in streams:
        if kind == "stream":
            text = overwritten("".join(output.text for output in group))
            yield from text_pieces(text, "stderr" if name == "stderr" else "output", place)
            continue
        for output in group:
            if kind == "error":
                lines = output.get("traceback") or [
                    f"{output.get('ename')}: {output.get('evalue')}"
                ]
                yield from text_pieces("\n".join(map(str, lines)), "stderr", place)
            else:
                yield from data_pieces(output.get("data", {}), place, texts)


def text_pieces(text, language, place):
    text = printable(shortened(text))
    return [Piece(place, raw_block(text, language))] if text.strip() else []


def data_pieces(data, place, texts):
    """The best of the representations that an output has."""
    text = printable(data.get("text/plain", ""))
    plain = text_pieces(text, "output", place)
    shown = plain or [Piece(place, "")]
    for kind in PICTURES:
        if kind in data:
            try:
                name = texts.store(data[kind])
                return [Piece(place, shown[0].plain, picture=name)]
            except PictureError as error:
                texts.warnings.append(f"{place}: not shown: {error}")
                return shown
    html = printable(data.get("text/html", ""))
    if html and ("<table" in html or text[:1] in ("", "<")):  # <IPython...HTML object>
        return [Piece(place, shown[0].plain, texts.add_html(html, place))]
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return [markdown_piece(data[kind], place, texts)]
    return plain
