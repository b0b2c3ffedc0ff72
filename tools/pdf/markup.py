"""Markdown and HTML -> typst, by markdown-it and pandoc, with their pictures and formulas."""

import base64
import re
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote
from urllib.request import urlopen

import pypandoc
import typst
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from markdown_it.rules_block import reference

from tools.pdf.formulas import Formulas, quoted, with_formulas


def reference_without_footnotes(state, start, *others):
    """Markdown-it's rule for "[name]: address", which would take the text of "[^1]: text" away."""
    is_footnote = state.src.startswith("[^", state.bMarks[start] + state.tShift[start])
    return not is_footnote and reference(state, start, *others)


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])  # as Jupyter's
MARKDOWN.block.ruler.at("reference", reference_without_footnotes)
ENDS = {  # what a tag ends, if its own end was left out
    "li": ("li",),
    **dict.fromkeys(("td", "th"), ("td", "th")),
    "tr": ("td", "th", "tr"),
}
NOT_SEEN = ["style", "script", "template", "title"]
NOT_ON_PAPER = ["iframe", "video", "audio", "object", "embed", "svg", "math"]
TASK = re.compile(r"(<li>(?:\n<p>)?)\[([ xX])\] ")
BORDER = "\ue002"  # between two texts that pandoc converts at once
NO_ATTACHMENTS = MappingProxyType({})


class PictureError(ValueError):
    """A picture cannot be shown; the message says why."""


def raw_block(text, language):
    """Typst for text in the code font; language: "python", "output", "stderr" or "text"."""
    text = text.strip("\n")
    return f"\n#raw({quoted(text)}, block: true, lang: {quoted(language)})\n"


class Texts:
    """Texts that become typst at once. Formulas are placeholders until then.

    Args:
        folder: where the pictures are put, for typst.
        source: the folder where the paths of pictures start.

    Attribute: `warnings`, what could not be shown as it was meant.
    """

    def __init__(self, folder, source="."):
        self.folder, self.source = Path(folder), Path(source)
        self.formulas = Formulas()
        self.html = []
        self.n_pictures = 0
        self.warnings = []

    def add_markdown(self, markdown, place="the text", attachments=NO_ATTACHMENTS):
        """Add a text in Jupyter's Markdown, as `add_html` does."""
        html = MARKDOWN.render(self.formulas.take(markdown, place))
        html = TASK.sub(lambda task: task[1] + ("☐ " if task[2] == " " else "☒ "), html)
        return self.add_html(html, place, attachments)

    def add_html(self, html, place, attachments=NO_ATTACHMENTS):
        """Add a text in HTML; returns its index in what `typeset` returns.

        Args:
            place: for warnings.
            attachments: of the cell, a dict from a name to a dict from a MIME type to the content.
        """
        soup = BeautifulSoup(html, "html.parser")

        def leave_out(tag, what):
            self.warnings.append(f"{place}: not shown: {what}")
            tag.replace_with(f"[not shown: {what}]")

        for tag in soup.find_all(ENDS):
            while tag.parent.name in ENDS[tag.name]:
                tag.parent.insert_after(tag)
        for tag in soup.find_all(NOT_SEEN):
            tag.decompose()
        for tag in soup.find_all(NOT_ON_PAPER):
            leave_out(tag, f"<{tag.name}>")
        for tag in soup.find_all(["code", "pre"]):
            if tag.find("code") is None:
                tag.string = self.formulas.restore(tag.get_text())
        for tag in soup.find_all(id=True):
            del tag["id"]
        for link in soup.find_all("a"):
            link["href"] = self.formulas.restore(link.get("href", ""))
            if not re.match(r"(https?|mailto):", link["href"]):
                link.unwrap()  # typst stops at a link to a place that is not there
        for picture in soup.find_all("img"):
            address = self.formulas.restore(picture.get("src", ""))
            try:
                picture["src"] = self.store(self.read(address, attachments))
            except PictureError as error:
                leave_out(picture, error)
                continue
            if picture.get("title"):  # of a figure, whose caption it is
                caption = soup.new_tag("figcaption", string=picture.attrs.pop("title"))
                picture.wrap(soup.new_tag("figure")).append(caption)
        self.html.append(str(soup))
        return len(self.html) - 1

    def typeset(self):
        """Typst for each text, and all warnings."""
        options = ["--wrap=none", "--columns=100000", "--quiet"]  # columns have no fixed widths
        html = f"<p>{BORDER}</p>".join(self.html)
        typst = pypandoc.convert_text(html, "typst", format="html", extra_args=options)
        formulas, warnings = self.formulas.typeset()
        sources = [with_formulas(source, formulas) for source in typst.split(BORDER)]
        return sources, self.warnings + warnings

    def read(self, address, attachments):
        """The content of a picture at attachment:NAME, at a data: address or at a path."""
        scheme, _, rest = address.partition(":")
        try:
            if scheme == "attachment":
                return next(iter(attachments[unquote(rest)].values()))
            if scheme == "data":
                return urlopen(address).read()
            return (self.source / unquote(address)).read_bytes()
        except (OSError, LookupError, StopIteration, ValueError) as error:
            raise PictureError(
                f"the picture {address[:200]}, which is neither attached to the cell nor in a file"
            ) from error

    def store(self, content):
        """Store a picture for typst; returns its file's name.

        content: bytes; or str, of SVG itself, of other kinds their base64.
        Raises PictureError if it is damaged, or of a kind that typst does not know.
        """
        try:
            if isinstance(content, str):
                content = content.encode() if "<svg" in content else base64.b64decode(content)
            self.n_pictures += 1
            kind = "svg" if content.lstrip().startswith(b"<") else "picture"
            name = f"picture{self.n_pictures}.{kind}"
            (self.folder / name).write_bytes(content)
            typst.compile(f'#image("{name}")'.encode(), root=self.folder)
        except (ValueError, typst.TypstError, RuntimeError) as error:
            raise PictureError("a damaged picture, or one of an unknown kind") from error
        return name
