"""Markdown and HTML -> typst, by markdown-it and pandoc. Formulas are placeholders all the way."""

import re

import pypandoc
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from tools.pdf.mathml import quoted
from tools.pdf.pictures import PictureError

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])  # as Jupyter's
NOT_SEEN = ["style", "script", "template", "title"]
NOT_ON_PAPER = ["iframe", "video", "audio", "object", "embed", "svg", "math"]
TASK = re.compile(r"(<li>(?:\n<p>)?)\[([ xX])\] ")
BORDER = "\ue002"  # between two texts that pandoc converts at once
LONG_WORD = re.compile(r"[^\s\ue000\ue001]{50,}")


def breakable(text):
    """The text with places in its long words where typst may break a line."""
    return LONG_WORD.sub(lambda word: "\u200b".join(word[0]), text)


def html_of(markdown):
    return TASK.sub(
        lambda task: task[1] + ("☐ " if task[2] == " " else "☒ "), MARKDOWN.render(markdown)
    )


def prepared(html, formulas, store):
    """HTML that pandoc turns into all that is to be seen, and a list of what cannot be shown.

    Args:
        formulas: Formulas; the placeholders of those in code and addresses are undone.
        store: turns the address of a picture into the name of a file, or raises PictureError.
    """
    soup, missing = BeautifulSoup(html, "html.parser"), []
    for tag in soup.find_all(NOT_SEEN):
        tag.decompose()
    for tag in soup.find_all(NOT_ON_PAPER):
        missing.append(f"<{tag.name}>")
        tag.replace_with(f"[not shown: {missing[-1]}]")
    for tag in soup.find_all(["code", "pre"]):
        if tag.find("code") is None:
            tag.string = formulas.restore(tag.get_text())
    for tag in soup.find_all(id=True):
        del tag["id"]
    for link in soup.find_all("a"):
        link["href"] = formulas.restore(link.get("href", ""))
        if not re.match(r"(https?|mailto):", link["href"]):
            link.unwrap()  # typst stops at a link to a place that is not there
    for text in soup.find_all(string=LONG_WORD):
        text.replace_with(breakable(text))
    for picture in soup.find_all("img"):
        try:
            picture["src"] = store(formulas.restore(picture.get("src", "")))
        except PictureError as error:
            missing.append(str(error))
            picture.replace_with(f"[not shown: {error}]")
            continue
        if picture.get("title"):  # of a figure, whose caption it is
            caption = soup.new_tag("figcaption", string=picture.attrs.pop("title"))
            picture.wrap(soup.new_tag("figure")).append(caption)
    return str(soup), missing


def html_to_typst(texts):
    """Typst for each HTML text."""
    html = f"<p>{BORDER}</p>".join(texts)
    options = ["--wrap=none", "--columns=100000", "--quiet"]  # the widths of columns are not fixed
    source = pypandoc.convert_text(html, "typst", format="html", extra_args=options)
    return source.split(BORDER)


def raw_block(text, language):
    """Typst for text in the code font; language: "python", "output", "stderr" or "text"."""
    text = breakable(text.strip("\n"))
    return f"\n#raw({quoted(text)}, block: true, lang: {quoted(language)})\n"
