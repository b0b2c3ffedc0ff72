"""Search the files for students for traces of the solutions.

A trace is one of three kinds:

- *code*: an expression that the solution of a question computes, with whatever spaces. Names,
  attributes and calls of provided functions compute nothing, so a line such as `return`,
  `print_gradients()` or `hidden_layer = activations.hidden_layer` gives nothing away;
- *prose*: a sentence of an answer, or a comment of a solution, of at least 20 letters and digits,
  whatever the markup, the punctuation and the capitals;
- *figure*: a number of at least four digits that an answer cites or that `print_gradients` prints,
  whatever its sign, its exponent and its point. Shorter ones, such as 251, also occur by chance.
"""

import ast
import io
import json
import pickletools
import re
import textwrap
import tokenize
import unicodedata
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from pypdf import PdfReader

LEAST_LETTERS = 20
LEAST_DIGITS = 4
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?=(?:e[+-]?\d+)?(?!\w))")
SENTENCE_END = re.compile(r"(?<=[.:;?!])\s+|\$\$|\n\s*\n")
SOLUTION = re.compile(r"^.*BEGIN SOLUTION.*\n((?:.*\n)*?).*END SOLUTION", re.MULTILINE)


def without_spaces(text):
    return "".join(text.split())


def letters_and_digits(text):
    """Small letters and digits alone, also those that a PDF has as ligatures or mathematics."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


def digits_of_numbers(text):
    """Set of the digits of each number in `text`: {"9971212"} for "-9.971212e-01"."""
    return {number.replace(".", "").lstrip("0") for number in NUMBER.findall(text)}


# What a file's text becomes before traces of this kind are looked up in it.
REDUCTIONS = {"code": without_spaces, "prose": letters_and_digits, "figure": digits_of_numbers}


@dataclass(frozen=True)
class Trace:
    """A piece of a solution, by which it can be recognised."""

    kind: str  # "code", "prose" or "figure"
    text: str  # of a figure: its digits
    origin: str  # where it comes from, for messages

    @cached_property
    def key(self):
        """What to look up in the reduced text of a file."""
        return self.text if self.kind == "figure" else REDUCTIONS[self.kind](self.text)


# Traces of the solutions


def is_telling(expression):
    """Whether an `ast` expression computes something: by an operator, or by a method."""
    return any(
        isinstance(node, ast.BinOp)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
        for node in ast.walk(expression)
    )


def expressions(source):
    """Source of what the statements in `source` compute, where that tells something.

    Raises SyntaxError if it is not Python.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AugAssign):
            yield ast.get_source_segment(source, node)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)):
            if node.value is not None and is_telling(node.value):
                yield ast.get_source_segment(source, node.value)


def comments(source):
    """Comments in Python source."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def prose_traces(pieces, origin):
    """Traces of kind prose; `pieces` are str."""
    for piece in pieces:
        if len(letters_and_digits(piece)) >= LEAST_LETTERS:
            yield Trace("prose", piece.strip(), origin)


def code_traces(source, origin):
    """Traces of a solution in Python."""
    source = textwrap.dedent(source)
    yield from (Trace("code", expression, origin) for expression in expressions(source))
    yield from prose_traces(comments(source), origin)


def figure_traces(text, origin):
    """Traces of the numbers in `text`."""
    for digits in sorted(digits_of_numbers(text)):
        if len(digits) >= LEAST_DIGITS:
            yield Trace("figure", digits, origin)


def text_traces(text, origin):
    """Traces of an answer in words."""
    yield from prose_traces(SENTENCE_END.split(text), origin)
    yield from figure_traces(text, origin)


def notebook_traces(notebook):
    """Traces of all solutions in a notebook node with nbgrader's metadata.

    Raises SyntaxError if a solution is not Python.
    """
    for cell in notebook.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if nbgrader.get("solution"):
            traces_of = code_traces if cell.cell_type == "code" else text_traces
            for solution in SOLUTION.findall(cell.source) or [cell.source]:
                yield from traces_of(solution, f"the solution in the cell {nbgrader['grade_id']}")


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


def pickle_text(content):
    """The str in a pickle, which is not loaded for that; numbers in its arrays are no text."""
    arguments = (argument for _, argument, _ in pickletools.genops(content))
    return "\n".join(argument for argument in arguments if isinstance(argument, str))


@cache  # since it takes a second
def pdf_text(content):
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


READERS = {".ipynb": notebook_text, ".pk": pickle_text, ".pdf": pdf_text}


def text_of(name, content):
    """All text in a file, given as bytes."""
    return READERS.get(Path(name).suffix, bytes.decode)(content)


def find_traces(text, traces):
    """Those of the traces that are in `text`."""
    reduced = {kind: reduction(text) for kind, reduction in REDUCTIONS.items()}
    return [trace for trace in traces if trace.key in reduced[trace.kind]]
