"""Search the files for students for traces of the solutions.

A trace is one of three kinds:

- *code*: an expression that the solution of a question computes, with whatever spaces. Names,
  attributes and calls of provided functions compute nothing, so a line such as `return`,
  `print_gradients()` or `hidden_layer = activations.hidden_layer` gives nothing away;
- *prose*: a sentence of an answer that is too long to stand elsewhere by chance, a comment of a
  solution, or a point of the rubric, whatever the markup, the punctuation and the capitals;
- *gradient*: a value that `print_gradients` prints, whatever its sign, its exponent and its point.

Other numbers are no traces. A text may hold the same ones by chance, and those that an answer cites
are what every student's own run prints.
"""

import ast
import io
import json
import re
import textwrap
import tokenize
import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pypdf import PdfReader

SHORTEST_SENTENCE = 40  # letters and digits; "Two things are easily missed." is no secret
SHORTEST_COMMENT = 20
SENTENCE_END = re.compile(r"(?<=[.:;?!])\s+|\$\$|\n\s*\n")
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?=(?:e[+-]?\d+)?(?!\w))")
SOLUTION = re.compile(r"^.*BEGIN SOLUTION.*\n((?:.*\n)*?).*END SOLUTION", re.MULTILINE)


class Trace(NamedTuple):
    """A piece of a solution, by which it can be recognised."""

    kind: str  # "code", "prose" or "gradient"
    text: str
    origin: str  # where it comes from, for messages


# What is compared


def without_spaces(text):
    return "".join(text.split())


def letters_and_digits(text):
    """Small letters and digits alone, also those that a PDF has as ligatures or mathematics."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


def digits_of_decimals(text):
    """The digits of the decimal numbers in a text, " 9971212 " for "-9.971212e-01"."""
    digits = (number.replace(".", "").lstrip("0") for number in DECIMAL.findall(text))
    return f" {' '.join(filter(None, digits))} "


NORMAL_FORMS = {"code": without_spaces, "prose": letters_and_digits, "gradient": digits_of_decimals}


def find_traces(text, traces):
    """Those of the traces that are in `text`."""
    forms = {kind: normal_form(text) for kind, normal_form in NORMAL_FORMS.items()}
    return [trace for trace in traces if NORMAL_FORMS[trace.kind](trace.text) in forms[trace.kind]]


# Traces of the solutions


def computes(expression):
    """Whether an `ast` expression has an operator or calls a method."""
    return any(
        isinstance(node, ast.BinOp)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
        for node in ast.walk(expression)
    )


def expressions(source):
    """Source of the expressions that the statements in `source` compute.

    Raises SyntaxError if it is not Python.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AugAssign):
            yield ast.get_source_segment(source, node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)):
            if node.value is not None and computes(node.value):
                yield ast.get_source_segment(source, node.value)


def prose_traces(texts, origin, shortest=SHORTEST_COMMENT):
    """Traces of those texts that have enough letters and digits."""
    return [
        Trace("prose", text.strip(), origin)
        for text in texts
        if len(letters_and_digits(text)) >= shortest
    ]


def text_traces(text, origin):
    """Traces of an answer in words."""
    return prose_traces(SENTENCE_END.split(text), origin, SHORTEST_SENTENCE)


def code_traces(source, origin):
    """Traces of a solution in Python. Raises SyntaxError if it is not Python."""
    source = textwrap.dedent(source)
    traces = [Trace("code", expression, origin) for expression in expressions(source)]
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    return traces + prose_traces(comments, origin)


def notebook_traces(notebook):
    """Traces of all solutions in a notebook node with nbgrader's metadata.

    Raises SyntaxError if a solution is not Python.
    """
    traces = []
    for cell in notebook.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if nbgrader.get("solution"):
            traces_of = code_traces if cell.cell_type == "code" else text_traces
            for solution in SOLUTION.findall(cell.source) or [cell.source]:
                traces += traces_of(solution, f"the solution in the cell {nbgrader['grade_id']}")
    return traces


def gradient_traces(key_lines):
    """Traces of the lines `name[index] value` of an answer key; a 0 is none."""
    pairs = [line.rsplit(" ", 1) for line in key_lines]
    return [
        Trace("gradient", value, f"the printed {entry}") for entry, value in pairs if float(value)
    ]


# The text of files


def strings(node):
    """All text in what `json` loads; a list of str is one text, as in a notebook's cells."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list) and all(isinstance(item, str) for item in node):
        yield "".join(node)
    elif isinstance(node, (list, dict)):
        for item in node if isinstance(node, list) else [*node, *node.values()]:
            yield from strings(item)


def notebook_text(content):
    return "\n".join(strings(json.loads(content)))


@cache  # since it takes a second, and the tests look at one file often
def pdf_text(content):
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def text_of(name, content):
    """All text in a file, given as bytes; that in a pickle stands among numbers that are none."""
    suffix = Path(name).suffix
    if suffix == ".pdf":
        return pdf_text(content)
    return notebook_text(content) if suffix == ".ipynb" else content.decode(errors="replace")
