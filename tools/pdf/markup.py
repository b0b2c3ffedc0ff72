"""Markdown and HTML -> typst, element by element.

Text becomes string literals, in which nothing has a meaning for typst, and an element that is not
known shows what is in it. So no text is lost, and what is written always compiles.
"""

import re

from bs4 import BeautifulSoup, Comment, NavigableString
from markdown_it import MarkdownIt

from tools.pdf.formulas import PLACEHOLDER, quoted

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])  # as Jupyter's
INLINE = {
    **dict.fromkeys(("strong", "b", "th"), "strong"),
    **dict.fromkeys(("em", "i", "cite", "var"), "emph"),
    **dict.fromkeys(("del", "s", "strike"), "strike"),
    **dict.fromkeys(("u", "ins"), "underline"),
    "sub": "sub",
    "sup": "super",
    "mark": "highlight",
}
HEADINGS = {f"h{level}": level for level in range(1, 7)}
CODE = ("code", "tt", "kbd", "samp")
INVISIBLE = ("style", "script", "head", "title", "meta", "link", "template")
NOT_ON_PAPER = ("iframe", "video", "audio", "object", "embed", "canvas", "svg")
INLINE_ELEMENTS = ("span", "font", "a", "abbr", "small", "big", "label", "td", "th", "q", "center")
POINTS = 0.75  # of a pixel
LONG_WORD = re.compile(r"\S{50,}")
TASK = re.compile(r"\[([ xX])\] ")


def breakable(text):
    """The text with places in its long words where typst may break a line."""
    return LONG_WORD.sub(lambda word: "\u200b".join(word[0]), text)


def html_of(markdown):
    return MARKDOWN.render(markdown)


class Writer:
    """Turns HTML into typst.

    Args:
        formulas: Formulas whose placeholders may be in the text.
        picture: function that turns an address into the name of a picture's file, or raises
            ValueError, whose message says why it cannot be shown.

    Attribute `missing` lists what could not be shown.
    """

    def __init__(self, formulas, picture):
        self.formulas = formulas
        self.picture = picture
        self.missing = []

    def typst(self, html):
        return self.children(BeautifulSoup(html, "html.parser"))

    def children(self, node):
        return "".join(map(self.node, node.children))

    def node(self, node):
        if isinstance(node, NavigableString):
            return "" if isinstance(node, Comment) else self.text(node)
        name = node.name
        if name in INVISIBLE:
            return ""
        if name in NOT_ON_PAPER:
            return self.not_shown(f"<{name}>")
        if name in HEADINGS:
            return f"#heading(level: {HEADINGS[name]})[{self.children(node)}]\n"
        if name in INLINE:
            return f"#{INLINE[name]}[{self.children(node)}]"
        if name in CODE:
            return f"#raw({quoted(self.source(node))})"
        if hasattr(self, f"{name}_"):
            return getattr(self, f"{name}_")(node)
        if name in INLINE_ELEMENTS:
            return self.children(node)
        return f"\n\n{self.children(node)}\n\n"  # p, div and all that is like it

    def text(self, text):
        """Text, with its spaces outside of the literals, where typst ignores needless ones."""
        text = re.sub(r"\s+", " ", text)
        parts = PLACEHOLDER.split(text)  # every other part is the number of a formula
        parts[1::2] = [f"\ue000{number}\ue001" for number in parts[1::2]]
        for i in range(0, len(parts), 2):
            core = parts[i].strip(" ")
            before, _, after = parts[i].partition(core) if core else (parts[i], "", "")
            parts[i] = before + (f"#{quoted(breakable(core))}" if core else "") + after
        return "".join(parts)

    def source(self, node):
        """Text of a node as it was typed, formulas too."""
        return self.formulas.restore(node.get_text())

    def not_shown(self, what):
        self.missing.append(what)
        return f"#{quoted(f'[not shown: {what}]')}"

    def br_(self, node):
        return "#linebreak()"

    def hr_(self, node):
        return "\n\n#rule\n\n"

    def pre_(self, node):
        return raw_block(self.source(node), "python" if "python" in str(node) else "text")

    def a_(self, node):
        address = self.formulas.restore(node.get("href", ""))
        is_link = re.match(r"(https?|mailto):", address)
        inner = self.children(node)
        return f"#link({quoted(address)})[{inner}]" if is_link and inner else inner

    def blockquote_(self, node):
        return f"\n\n#quote(block: true)[{self.children(node)}]\n\n"

    def ul_(self, node):
        return self.items("list", node)

    def ol_(self, node):
        start = node.get("start", "1")
        return self.items(f"enum.with(start: {start if start.isdigit() else 1})", node)

    def items(self, function, node):
        items = "".join(f"[{self.children(item)}]" for item in node.find_all("li", recursive=False))
        is_tight = "false" if node.select_one(":scope > li > p") else "true"
        call = f"{function.replace('.with(', '(')}"
        call = call[:-1] + ", " if call.endswith(")") else call + "("
        return f"\n\n#{call}tight: {is_tight}){items}\n\n"

    def li_(self, node):
        return self.children(node)

    def input_(self, node):
        if node.get("type") != "checkbox":
            return ""
        return '#"☒ "' if node.has_attr("checked") else '#"☐ "'

    def img_(self, node):
        try:
            name = self.picture(self.formulas.restore(node.get("src", "")))
        except ValueError as error:
            return self.not_shown(str(error))
        sizes = "".join(f", {side}: {size}" for side, size in sizes_of(node))
        picture = f"#picture({quoted(name)}{sizes})"
        if caption := node.get("title"):
            return f"#figure(caption: [{self.text(caption)}])[{picture}]"
        return picture

    def table_(self, node):
        """A table with each cell at its place, so that uneven rows do no harm."""
        taken, cells, header = set(), [], []
        rows = [row for row in node.find_all("tr") if row.find_parent("table") is node]
        for y, row in enumerate(rows):
            x = 0
            found = row.find_all(["td", "th"], recursive=False)
            for cell in found:
                while (x, y) in taken:
                    x += 1
                width, height = span(cell, "colspan"), min(span(cell, "rowspan"), len(rows) - y)
                taken |= {(x + i, y + j) for i in range(width) for j in range(height)}
                place = f"x: {x}, y: {y}, colspan: {width}, rowspan: {height}"
                side = re.search(r"text-align: *(left|right|center)", cell.get("style", ""))
                place += f", align: {side[1]}" if side else ""
                cells.append(f"table.cell({place})[{self.node(cell)}]")
            if y == 0 and found and all(cell.name == "th" for cell in found):
                header, cells = cells, []
        n_columns = 1 + max((x for x, _ in taken), default=0)
        header = [f"table.header({', '.join(header)})"] if header else []
        return f"\n\n#table(columns: {n_columns}, {', '.join(header + cells)})\n\n"


def raw_block(text, language):
    """Typst for text in the code font; language: "python", "output", "stderr" or "text"."""
    text = breakable(text.strip("\n"))
    return f"\n#raw({quoted(text)}, block: true, lang: {quoted(language)})\n"


def span(cell, name):
    text = cell.get(name, "1")
    return min(int(text), 100) if text.isdigit() and int(text) > 0 else 1


def sizes_of(picture):
    """Pairs (side, typst length) that an img element asks for."""
    for side in ("width", "height"):
        styled = re.search(rf"(?<![\w-]){side}: *([\d.]+)(px|%)", picture.get("style", ""))
        size = re.fullmatch(r"([\d.]+)(px|%|)", picture.get(side, "")) or styled
        if size:
            yield side, f"{size[1]}%" if size[2] == "%" else f"{float(size[1]) * POINTS}pt"
