"""Markdown or HTML with LaTeX math -> PDF, by pandoc and typst; neither TeX nor system fonts.

The Markdown is pandoc's dialect: math, tables, code, footnotes, images, divs. Of raw LaTeX,
`\\newpage` and the environments align, equation, gather and multline (starred or not) are
understood; anything else that would be lost on the way is an error, never a gap in the PDF.
"""

import json
import re
from contextlib import contextmanager
from pathlib import Path

import pypandoc
import typst

TEMPLATE = Path(__file__).with_suffix(".typ")
PAPERS = {"a4": "a4", "letter": "us-letter"}

# Environments that LaTeX allows outside of $$...$$, and what they are called inside.
ENVIRONMENT = re.compile(
    r"\\begin\{(align|equation|gather|multline)\*?\}(.*)\\end\{\1\*?\}", re.DOTALL
)
INNER_NAME = {"align": "aligned", "gather": "gathered", "multline": "gathered"}
# {W^{(1)}}^T: pandoc loses the outer braces, and the second exponent with them its place.
TWO_EXPONENTS = re.compile(
    r"(?<![A-Za-z}\]])\{((?:\\[A-Za-z]+\{\w+\}|\w)(?:_\w|_\{\w+\})?)\^(\{[^{}]*\}|\w)\}"
    r"\^(\{[^{}]*\}|\\[A-Za-z]+|\w)"
)
NORM = re.compile(r"(?<!\\)\\\|(.+?)(?<!\\)\\\|")  # \|x\|, whose bars pandoc takes for "parallel"
PAGE_BREAKS = (r"\newpage", r"\pagebreak", r"\clearpage")
NO_FIXED_WIDTHS = "--columns=100000"  # pandoc fixes the columns of a table with longer lines
PAGE_BREAK = {"t": "RawBlock", "c": ["typst", "#pagebreak(weak: true)"]}


class TypesetError(ValueError):
    """A text cannot be typeset; the message says which part, and what to do."""


def _display_math(latex):
    """Inline element of pandoc's AST for a bare LaTeX environment, or None if it is none."""
    match = ENVIRONMENT.fullmatch(latex.strip())
    if match is None:
        return None
    name, body = match.groups()
    if inner := INNER_NAME.get(name):
        body = rf"\begin{{{inner}}}{body}\end{{{inner}}}"
    return {"t": "Math", "c": [{"t": "DisplayMath"}, body]}


def mend_formula(latex):
    """A formula as pandoc needs it to typeset it rightly."""
    latex = NORM.sub(r"\\lVert \1 \\rVert", latex)
    return TWO_EXPONENTS.sub(r"\1^{\2 \3}", latex)


def _mend_latex(node):
    """Pandoc's AST with its raw LaTeX turned into math and page breaks, and its math mended.

    Raises TypesetError if some raw LaTeX is neither.
    """
    if isinstance(node, list):
        return [_mend_latex(child) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("t") == "Math":
        kind, latex = node["c"]
        return {"t": "Math", "c": [kind, mend_formula(latex)]}
    if node.get("t") in ("RawBlock", "RawInline") and node["c"][0] in ("tex", "latex"):
        latex = node["c"][1]
        is_block = node["t"] == "RawBlock"
        if is_block and latex.strip() in PAGE_BREAKS:
            return PAGE_BREAK
        if (math := _display_math(latex)) is None:
            raise TypesetError(
                f"found LaTeX outside of math, {latex.strip()[:60]!r}: write formulas between "
                "$ or $$ signs, and text in Markdown"
            )
        return {"t": "Para", "c": [math]} if is_block else math
    return {key: _mend_latex(child) for key, child in node.items()}


def _to_typst(text, format):
    """What pandoc makes of a text. Raises TypesetError if it warns or stops."""
    try:
        return pypandoc.convert_text(
            text, "typst", format=format, extra_args=["--fail-if-warnings", "--wrap=none"]
        )
    except RuntimeError as error:
        raise TypesetError(
            f"pandoc stopped, probably at a formula that it does not know: {error}"
        ) from error


def markdown_to_typst(markdown):
    """Body of a typst document.

    Raises TypesetError if pandoc cannot read the Markdown, or a formula in it.
    """
    try:
        tree = json.loads(
            pypandoc.convert_text(markdown, "json", format="markdown", extra_args=[NO_FIXED_WIDTHS])
        )
    except RuntimeError as error:
        raise TypesetError(f"pandoc stopped: {error}") from error
    return _to_typst(json.dumps(_mend_latex(tree)), "json")


def html_to_typst(html):
    """Body of a typst document. Formulas are in script elements, of type math/tex.

    Raises TypesetError if pandoc cannot read a formula.
    """
    return _to_typst(html, "html")


def compile_typst(source, folder=".", format="pdf", fonts=None, system_fonts=False, **inputs):
    """Bytes of a PDF or SVG, the same at every call.

    Args:
        source: typst, a str.
        folder: where the paths of images in `source` start.
        format: "pdf" or "svg".
        fonts: a folder with fonts to use beside those that typst brings with it.
        system_fonts: whether the fonts of the machine may be used, too.
        inputs: strings that `source` reads as `sys.inputs`.

    Raises TypesetError if it does not compile, for instance since an image is missing.
    """
    with _errors_of_typst():
        return _compiler(source.encode(), folder, fonts, system_fonts, inputs).compile(
            format=format
        )


def query_typst(path, label, fonts=None, system_fonts=False, **inputs):
    """Values of the metadata with a label in the typst file `path`; the rest as for compile_typst.

    Raises TypesetError if it does not compile.
    """
    with _errors_of_typst():
        compiler = _compiler(Path(path), Path(path).parent, fonts, system_fonts, inputs)
        return json.loads(compiler.query(f"<{label}>", field="value"))


def _compiler(source, folder, fonts, system_fonts, inputs):
    return typst.Compiler(
        source,
        root=folder,
        font_paths=[fonts] if fonts else [],
        ignore_system_fonts=not system_fonts,
        sys_inputs=inputs,
    )


@contextmanager
def _errors_of_typst():
    """Turn what typst raises into TypesetError."""
    try:
        yield
    except (typst.TypstError, RuntimeError, OSError) as error:
        hints = "; ".join(getattr(error, "hints", []))
        raise TypesetError(f"typst stopped: {error}" + (f" ({hints})" if hints else "")) from error


def markdown_to_pdf(markdown, folder=".", paper="a4", title="", footer=""):
    """Typeset a text.

    Args:
        markdown: str, in pandoc's dialect.
        folder: where the paths of its images start.
        paper: "a4" or "letter".
        title: for the PDF's properties; `footer` is printed at the foot of every page.

    Returns:
        bytes of a PDF, the same at every call.

    Raises TypesetError if something cannot be typeset.
    """
    if paper not in PAPERS:
        raise TypesetError(f"unknown paper {paper!r}: use one of {', '.join(PAPERS)}")
    source = TEMPLATE.read_text(encoding="utf-8") + markdown_to_typst(markdown)
    return compile_typst(source, folder, paper=PAPERS[paper], title=title, footer=footer)
