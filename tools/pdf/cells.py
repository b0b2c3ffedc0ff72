"""The cells of a notebook -> typst: Markdown as Jupyter understands it, code, and outputs.

Every piece has a plain version besides, which shows the same as its source. So a formula that
nobody understands, or a damaged picture, never costs more than its own looks.
"""

import base64
import binascii
import io
import re
import shutil
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import matplotlib
from bs4 import BeautifulSoup
from matplotlib.ft2font import FT2Font
from mistune import HTMLRenderer
from nbconvert.filters.markdown_mistune import (
    MarkdownWithMath,
    MathBlockParser,
    MathInlineParser,
)
from PIL import Image

from tools.notebook import grade_id
from tools.pdf.missing import place_of
from tools.pdf.typeset import (
    INNER_NAME,
    TypesetError,
    compile_typst,
    html_to_typst,
    mend_formula,
)
from tools.questions import QUESTIONS

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
UNPRINTABLE = re.compile(  # control characters, halves of characters, and variants of emoji
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]"
)
MATHEMATICAL_LETTERS = range(0x1D400, 0x1D800)  # in the fonts that typst brings with it
LONG_WORD = re.compile(r"\S{50,}")
ZERO_WIDTH_SPACE = "\u200b"
LONGEST_LINE = 5_000  # characters of a line of output; the rest is left out
FIRST_LINES, LAST_LINES = 250, 100  # of an output, about six pages
NUMBERS = {q.number for q in QUESTIONS} | {q.number.rpartition(".")[0] for q in QUESTIONS}
SECTION = re.compile(r"^(?= {0,3}#{1,6} *(\d+\.\d+(?:\.\d+)?)(?![.\d]))", re.MULTILINE)
MOST_COLUMNS = 12  # of a table; a wider one is shown as text, which pandas breaks into parts
SHORT_CODE = 15  # lines that stay on one page with the output
SHORT_TEXT = 300  # characters of a text that stays on one page with what it leads to
PRELUDE = "#show: notebook\n#let image = picture\n"  # after the template


class PictureError(ValueError):
    """A picture cannot be shown; the message says why."""


@dataclass
class Piece:
    """A part of the notebook that is typeset at once.

    place: which cell it is, for messages.
    source: typst. plain: typst that shows the same simply, and always compiles.
    section: number of the question or section that begins here, "" if none does.
    """

    place: str
    source: str
    plain: str
    section: str = ""


# Text


@cache
def characters_of_the_fonts():
    """Code points that can be shown without any font of the machine."""
    return {*FT2Font(str(_font_files()[0])).get_charmap(), *MATHEMATICAL_LETTERS}


def _font_files():
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return [folder / f"DejaVuSans{style}.ttf" for style in ("", "-Bold", "-Oblique")]


def copy_fonts(folder):
    """Copy the fonts for signs that those of typst lack; they come with matplotlib."""
    for file in _font_files():
        shutil.copy(file, folder)


def _name_of(character):
    """A sign that no font has, such as an emoji, by its name; letters as they are.

    Letters may be in a font of the machine, and their names would not help anybody.
    """
    is_sign = unicodedata.category(character)[0] in "SPN"
    if is_sign and ord(character) not in characters_of_the_fonts():
        return f"[{unicodedata.name(character, 'sign').lower()}]"
    return character


def printable(text):
    """The text without colours and control characters, and with the names of rare signs."""
    text = UNPRINTABLE.sub("", ANSI.sub("", text.replace("\r\n", "\n")))
    return text if text.isascii() else "".join(map(_name_of, text))


def foreign_letters(text):
    """Letters in a text that only a font of the machine can show, a sorted list."""
    return sorted(c for c in set(text) if c.isalpha() and ord(c) not in characters_of_the_fonts())


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


def typst_string(text):
    """A typst string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "    ") + '"'


def breakable(text):
    """The text with places in its long words where typst may break a line.

    Typst could find these words itself, but gives up when there are hundreds in a block.
    """
    return LONG_WORD.sub(lambda word: ZERO_WIDTH_SPACE.join(word[0]), text)


def raw(text, language):
    """Typst for text in the code font; language: "python", "output", "stderr" or "markdown"."""
    text = breakable(printable(text).strip("\n"))
    return f"#raw({typst_string(text)}, block: true, lang: {typst_string(language)})\n"


# Pictures


class Pictures:
    """The pictures of a notebook, as files in a folder from which typst reads them."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.count = 0

    def add(self, content):
        """Store a picture, bytes, and return the name of its file.

        Raises PictureError if it is damaged or of an unknown kind.
        """
        self.count += 1
        is_svg = content.lstrip()[:1] == b"<"
        kind, content = ("svg", content) if is_svg else self._png_or_jpeg(content)
        name = f"picture{self.count}.{kind}"
        (self.folder / name).write_bytes(content)
        if is_svg:
            try:
                compile_typst(f'#image("{name}")', self.folder)
            except TypesetError as error:
                raise PictureError("a damaged SVG picture") from error
        return name

    @staticmethod
    def _png_or_jpeg(content):
        """Kind and bytes of a picture: the same bytes if typst knows their kind, else a PNG."""
        try:
            with Image.open(io.BytesIO(content)) as picture:
                picture.load()
                if picture.format in ("PNG", "JPEG"):
                    return picture.format.lower(), content
                stream = io.BytesIO()
                picture.convert("RGBA").save(stream, "PNG")
                return "png", stream.getvalue()
        except Exception as error:  # damaged pictures make the decoders raise anything
            raise PictureError("a damaged picture, or one of an unknown kind") from error


def from_base64(text):
    """Bytes of a picture in a notebook. Raises PictureError if the text is not base64."""
    try:
        return base64.b64decode("".join(text))
    except (binascii.Error, ValueError, TypeError) as error:
        raise PictureError("a damaged picture") from error


def picture_at(address, attachments, folder):
    """Bytes of a picture that Markdown or HTML refers to.

    address: attachment:NAME, a data: address, or a path, which starts at `folder`.
    attachments: of the cell, a dict from a name to a dict from a MIME type to the content.

    Raises PictureError if it is not there.
    """
    if address.startswith("attachment:"):
        versions = attachments.get(unquote(address[len("attachment:") :]))
        if not isinstance(versions, dict) or not versions:
            raise PictureError(f"the picture {address}, which is not attached to the cell")
        content = text_of(next(iter(versions.values())))
        return content.encode() if "<svg" in content else from_base64(content)
    if address.startswith("data:"):
        kind, _, content = address.partition(",")
        return from_base64(content) if kind.endswith(";base64") else unquote(content).encode()
    if re.match(r"[a-z]+://", address):
        raise PictureError(f"the picture {address}; only pictures in files are put into the PDF")
    try:
        return (Path(folder) / unquote(address)).read_bytes()
    except (OSError, ValueError) as error:
        raise PictureError(f"the picture {address}, which is not there") from error


# Markdown


class _InlineParser(MathInlineParser):
    r"""Jupyter's, which also takes \(...\) and \[...\] for formulas."""

    BLOCK_MATH_LATEX = r"(?s:(?<!\\)\\\\?\[(?P<math_block_latex>.+?)(?<!\\)\\\\?\])"
    INLINE_MATH_LATEX = r"(?s:(?<!\\)\\\\?\((?P<math_inline_latex>.+?)(?<!\\)\\\\?\))"
    SPECIFICATION = MathInlineParser.SPECIFICATION | {
        "block_math_latex": BLOCK_MATH_LATEX,
        "inline_math_latex": INLINE_MATH_LATEX,
    }


class _BlockParser(MathBlockParser):
    r"""Jupyter's, for which a formula in \[...\] is one block, too."""

    MULTILINE_MATH = MathBlockParser.MULTILINE_MATH[:-1] + r"|(?<!\\)\\\[.+?(?<!\\)\\\])"
    SPECIFICATION = MathBlockParser.SPECIFICATION | {"multiline_math": MULTILINE_MATH}


class _Renderer(HTMLRenderer):
    """Markdown to HTML with its formulas in script elements, where pandoc finds them.

    macros: LaTeX definitions, put before every formula.
    """

    def __init__(self, macros=""):
        super().__init__(escape=False, allow_harmful_protocols=True)
        self.macros = macros

    def inline_math(self, body):
        return f'<script type="math/tex">{self.macros}{clean_formula(body)}</script>'

    def block_math(self, body):
        latex = self.macros + lines_of_formula(clean_formula(body))
        return f'<script type="math/tex; mode=display">{latex}</script>'

    def latex_environment(self, name, body):
        name = name.rstrip("*")
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")


NEW_COMMAND = re.compile(r"\\(?:re)?newcommand\*? *\{?\\\w+\}?(?:\[\d\])?\{(?:[^{}]|\{[^{}]*\})*\}")
WITHOUT_LOOKS = re.compile(r"\\(?:nonumber|notag|allowbreak)\b|\\(?:label|require)\{[^{}]*\}")
TAG = re.compile(r"\\tag\*?\{([^{}]*)\}")
OLD_FONT = re.compile(r"\{\\(bf|it|rm|sf|tt) *([^{}]*)\}")  # {\bf x}
COLOUR = re.compile(r"\\(?:text)?color\{[^{}]*\}")
UNKNOWN_FORMULA = re.compile(r"Could not convert TeX math (.*?), rendering as TeX:", re.DOTALL)
ANY_ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*\\end\{\1\}", re.DOTALL)


def clean_formula(latex):
    """A formula without what has a meaning on a web page only."""
    latex = WITHOUT_LOOKS.sub("", NEW_COMMAND.sub("", latex))
    latex = TAG.sub(r"\\qquad\\text{(\1)}", latex)
    latex = OLD_FONT.sub(r"\\math\1{\2}", COLOUR.sub("", latex))
    for name, inner in INNER_NAME.items():
        latex = re.sub(rf"\\(begin|end)\{{{name}\*?\}}", rf"\\\1{{{inner}}}", latex)
    return mend_formula(latex.strip())


def lines_of_formula(latex):
    r"""A formula whose lines are parted by \\ without an environment, in one."""
    outside = ANY_ENVIRONMENT.sub("", latex)
    return rf"\begin{{aligned}}{latex}\end{{aligned}}" if r"\\" in outside else latex


def prepare_html(text, store_picture):
    """HTML that pandoc turns into all that is to be seen.

    store_picture: turns the address of a picture into the name of a file, or raises PictureError.

    Returns:
        The HTML, and a list of what cannot be shown.
    """
    soup, missing = BeautifulSoup(text, "html.parser"), []
    for tag in soup.find_all(["style", "script", "iframe", "video", "audio"]):
        if not tag.get("type", "").startswith("math/tex"):
            tag.decompose()
    for link in soup.find_all("a", href=re.compile("^#")):
        link.unwrap()  # typst stops at a link to a place that is not there
    for box in soup.find_all("input", type="checkbox"):
        box.replace_with("☒ " if box.has_attr("checked") else "☐ ")
    for picture in soup.find_all("img"):
        try:
            picture["src"] = store_picture(picture.get("src", ""))
        except PictureError as error:
            missing.append(str(error))
            picture.replace_with(f"[{error}]")
    return str(soup), missing


def with_formulas_as_source(text, formulas, macros):
    """HTML in which some formulas are shown as what somebody has typed.

    formulas: of the script elements, with the macros before them.
    """
    soup = BeautifulSoup(text, "html.parser")
    for script in soup.find_all("script", string=lambda latex: latex in formulas):
        code = soup.new_tag("code")
        code.string = script.string.replace(macros, "").strip()
        script.replace_with(code)
    return str(soup)


def columns_of(text):
    """Largest number of cells in a row of the tables in HTML."""
    rows = BeautifulSoup(text, "html.parser").find_all("tr")
    return max((len(row.find_all(["td", "th"])) for row in rows), default=0)


def prefers_html(text, plain):
    """Whether an output is better shown as its HTML than as its plain text."""
    if "<table" in text:
        return not plain or columns_of(text) <= MOST_COLUMNS
    return bool(text) and plain[:1] in ("", "<")  # such as <IPython.core.display.HTML object>


class NotebookTypesetter:
    """Turns the cells of a notebook into pieces.

    Args:
        folder: of the notebook, where the paths of its pictures start.
        pictures: Pictures.

    Attribute `warnings` lists what could not be shown as it was meant.
    """

    def __init__(self, notebook, folder, pictures):
        self.notebook = notebook
        self.folder = folder
        self.pictures = pictures
        self.warnings = []
        self.sections = set()  # that have begun
        markdown = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        self.macros = "".join(NEW_COMMAND.findall("\n".join(markdown)))

    def pieces(self, cell, number):
        """Pieces of a cell, a list. number: of the cell, from 1, for messages."""
        place = place_of(number, cell)
        if cell.cell_type == "markdown":
            pieces = self._markdown_pieces(cell, place)
        else:
            shown = raw(cell.source, "python" if cell.cell_type == "code" else "markdown")
            pieces = [Piece(place, shown, shown)] if cell.source.strip() else []
        outputs = []
        for output in merged(filter(is_visible, cell.outputs)):
            outputs += self._output_pieces(output, place)
        if pieces and outputs and len(cell.source.splitlines()) <= SHORT_CODE:
            pieces[0].source = pieces[0].plain = f"#with-output[{pieces[0].plain}]\n"
        pieces += outputs
        for question in QUESTIONS:  # whose heading somebody has deleted
            is_new = question.grade_id == grade_id(cell) and question.number not in self.sections
            if is_new and pieces:
                pieces[0].section = question.number
                self.sections.add(question.number)
        return pieces

    def _markdown_pieces(self, cell, place):
        """A piece for each section that begins in the cell, and one for what comes before."""
        starts = {0: ""}  # number of the section by where it begins
        for match in SECTION.finditer(cell.source):
            if match[1] in NUMBERS - self.sections:
                starts[match.start()] = match[1]
                self.sections.add(match[1])
        pieces = []
        for (start, section), end in zip(starts.items(), [*starts, None][1:]):
            text = cell.source[start:end]
            if not text.strip():
                continue
            piece = self._markdown_piece(text, cell.attachments, place)
            piece.section = section
            if len(text) <= SHORT_TEXT:
                piece.source = f"#lead-in[\n{piece.source}\n]\n"
            if is_answer(cell):
                piece.source = f"#answer[\n{piece.source}\n]\n"
                piece.plain = f"#answer[\n{piece.plain}\n]\n"
            pieces.append(piece)
        return pieces

    def _markdown_piece(self, text, attachments, place):
        parser = MarkdownWithMath(_Renderer(self.macros), _BlockParser(), _InlineParser())
        plain = raw(text, "markdown")
        try:
            rendered = parser.render(printable(text))
        except Exception as error:  # of a parser in regular expressions, about the strangest texts
            self.warn_of_plain(place, error)
            return Piece(place, plain, plain)
        return self._html_piece(rendered, attachments, plain, place)

    def _html_piece(self, text, attachments, plain, place):
        """HTML as it is meant, or `plain` and a warning if pandoc does not understand it."""

        def store(address):
            return self.pictures.add(picture_at(address, attachments, self.folder))

        try:
            prepared, missing = prepare_html(text, store)
            source = self._typst_of_html(prepared, place)
        except (TypesetError, RecursionError) as error:
            self.warn_of_plain(place, error)
            return Piece(place, plain, plain)
        self.warnings += [f"{place}: not shown: {what}" for what in missing]
        return Piece(place, source, plain)

    def _typst_of_html(self, prepared, place):
        """What pandoc makes of HTML; a formula that it does not know costs no other its looks."""
        try:
            return html_to_typst(prepared)
        except TypesetError as error:
            found = UNKNOWN_FORMULA.findall(str(error))
            if not found:
                raise
            unknown = [latex.replace("\n  ", "\n") for latex in found]  # pandoc indents lines
        for latex in unknown:
            formula = " ".join(latex.replace(self.macros, "").split())
            self.warnings.append(f"{place}: shown as its source: the formula {formula[:70]}")
        return html_to_typst(with_formulas_as_source(prepared, unknown, self.macros))

    def warn_of_plain(self, place, error):
        """Note that a cell is shown as its source."""
        why = str(error).split("\n")[0]
        self.warnings.append(f"{place}: shown as its source, because of {why}")

    def _output_pieces(self, output, place):
        """Pieces of an output: none if nothing is to be seen of it."""
        kind = output.get("output_type")
        if kind == "stream":
            text = shortened(overwritten(text_of(output.get("text"))))
            language = "stderr" if output.get("name") == "stderr" else "output"
        elif kind == "error":
            lines = output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"]
            text = shortened("\n".join(map(str, lines)))
            language = "stderr"
        else:
            return self._data_pieces(output.get("data", {}), place)
        if not printable(text).strip():
            return []
        shown = raw(text, language)
        return [Piece(place, shown, shown)]

    def _data_pieces(self, data, place):
        """The best of the representations that an output has."""
        plain = raw(shortened(text_of(data.get("text/plain"))), "output")
        for kind in ("image/svg+xml", "image/png", "image/jpeg"):
            if kind in data:
                return [Piece(place, self._picture(kind, data[kind], plain, place), plain)]
        text = text_of(data.get("text/html"))
        if prefers_html(text, text_of(data.get("text/plain"))):
            return [self._html_piece(printable(text), {}, plain, place)]
        for kind in ("text/markdown", "text/latex"):
            if kind in data:
                return [self._markdown_piece(text_of(data[kind]), {}, place)]
        return [Piece(place, plain, plain)] if text_of(data.get("text/plain")).strip() else []

    def _picture(self, kind, content, plain, place):
        """Typst for a picture in an output."""
        try:
            is_svg = kind == "image/svg+xml"
            content = text_of(content).encode() if is_svg else from_base64(content)
            return f"#align(center, picture({typst_string(self.pictures.add(content))}))\n"
        except PictureError as error:
            self.warnings.append(f"{place}: not shown: {error}")
            return plain


def is_answer(cell):
    return cell.metadata.get("nbgrader", {}).get("solution", False)


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
