"""Typst -> PDF, with the look of every page that the package makes; and a text as a PDF."""

import json
import tempfile
from pathlib import Path

import matplotlib
import typst

from tools.pdf.markup import Texts

TEMPLATE = Path(__file__).with_suffix(".typ")
PAPERS = {"a4": "a4", "letter": "us-letter"}
# DejaVu Sans for signs that the fonts of typst lack.
FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")


class TypesetError(ValueError):
    """A text cannot be typeset; the message says which part, and what to do."""


def compile_typst(body, folder, system_fonts=False, **inputs):
    """Typeset a document.

    Args:
        body: typst, a str, to which the template is added.
        folder: of its pictures; the document is written there, too.
        system_fonts: whether the fonts of the machine may be used, beside those that typst and
            matplotlib bring with them.
        inputs: strings that the template reads as `sys.inputs`.

    Returns:
        bytes of the PDF, the same at every call, and the values of the metadata labelled
        <section>, a list.

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
