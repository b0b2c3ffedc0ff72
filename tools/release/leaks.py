"""Search the files for students for traces of the solutions.

A trace is one of three kinds:

- *code*: what a line of a solution computes, with whatever spaces. Names, attributes and calls of
  provided functions compute nothing, so a line such as `return`, `print_gradients()` or
  `hidden_layer = activations.hidden_layer` gives nothing away;
- *prose*: a sentence of an answer that is too long to stand elsewhere by chance, a comment of a
  solution, or a point of the rubric, whatever the markup, the punctuation and the capitals;
- *gradient*: a value that `print_gradients` prints, whatever its sign, its exponent and its point.

Other numbers are no traces. A text may hold the same ones by chance, and those that an answer cites
are what every student's own run prints.
"""

import io
import json
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pypdf import PdfReader

from tools.common import ROOT
from tools.rubric import RUBRIC

SHORTEST_SENTENCE = 40  # letters and digits; "Two things are easily missed." is no secret
SHORTEST_COMMENT = 20
SENTENCE_END = re.compile(r"(?<=[.:;?!])\s+|\$\$|\n\s*\n")
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?=(?:e[+-]?\d+)?(?!\w))")
COMPUTES = re.compile(r"[-+*/@]|\.\w+\(")  # an operator, or a call of a method
SOLUTION = re.compile(r"^.*BEGIN SOLUTION.*\n((?:.*\n)*?).*END SOLUTION", re.MULTILINE)


class Trace(NamedTuple):
    """A piece of a solution, by which it can be recognised."""

    kind: str  # "code", "prose" or "gradient"
    text: str
    origin: str  # where it comes from, for messages


# The search


def letters_and_digits(text):
    """Small letters and digits alone, also those that a PDF has as ligatures or mathematics."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def digits_of_decimals(text):
    """The digits of the decimal numbers in a text, " 9971212 " for "-9.971212e-01"."""
    digits = (number.replace(".", "").lstrip("0") for number in DECIMAL.findall(text))
    return f" {' '.join(filter(None, digits))} "


# What is compared, of a trace and of the text in which it is searched for
NORMAL_FORMS = {
    "code": lambda text: "".join(text.split()),
    "prose": letters_and_digits,
    "gradient": digits_of_decimals,
}


def find_traces(texts, traces):
    """Pairs (name of a text, Trace that it holds); texts: pairs (name, text)."""
    found = []
    wanted = [(NORMAL_FORMS[trace.kind](trace.text), trace) for trace in traces]
    for name, text in texts:
        forms = {kind: normal_form(text) for kind, normal_form in NORMAL_FORMS.items()}
        found += [(name, trace) for form, trace in wanted if form in forms[trace.kind]]
    return found


def strings(node):
    """All text in what `json` loads; a list of str is one text, as in a notebook's cells."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list) and all(isinstance(item, str) for item in node):
        yield "".join(node)
    elif isinstance(node, (list, dict)):
        for item in node if isinstance(node, list) else [*node, *node.values()]:
            yield from strings(item)


@cache  # since a PDF takes a second, and the tests look at one file often
def text_of(name, content):
    """All text in a file, given as bytes; that in a pickle stands among numbers that are none."""
    suffix = Path(name).suffix
    if suffix == ".pdf":
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    if suffix == ".ipynb":
        return "\n".join(strings(json.loads(content)))
    return content.decode(errors="replace")


# Traces of the solutions


def prose_traces(texts, origin, shortest=SHORTEST_COMMENT):
    """Traces of those texts that have enough letters and digits."""
    long_enough = [text.strip() for text in texts if len(letters_and_digits(text)) >= shortest]
    return [Trace("prose", text, origin) for text in long_enough]


def text_traces(text, origin):
    """Traces of an answer in words."""
    return prose_traces(SENTENCE_END.split(text), origin, SHORTEST_SENTENCE)


def code_traces(source, origin):
    """Traces of a solution in Python: its comments, and what its lines assign or return."""
    lines = [line.partition("#") for line in source.splitlines()]
    values = [re.sub(r"^.*? [-+*/@]?= |^\s*return ", "", code).strip() for code, _, _ in lines]
    code = [Trace("code", value, origin) for value in values if COMPUTES.search(value)]
    return code + prose_traces([comment for _, _, comment in lines], origin)


def notebook_traces(notebook):
    """Traces of all solutions in a notebook node with nbgrader's metadata."""
    traces = []
    for cell in notebook.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if nbgrader.get("solution"):
            traces_of = code_traces if cell.cell_type == "code" else text_traces
            for solution in SOLUTION.findall(cell.source) or [cell.source]:
                traces += traces_of(solution, f"the solution in the cell {nbgrader['grade_id']}")
    return traces


def traces_of_solutions(reference, key_lines):
    """List of all `Trace` of the reference notebook, the answer key and the written solutions.

    What the solutions of the written problems repeat from the problems is no secret, and neither is
    a gradient that is 0.
    """
    traces = notebook_traces(reference)
    for entry, value in (line.rsplit(" ", 1) for line in key_lines):
        if float(value):
            traces.append(Trace("gradient", value, f"the printed {entry}"))
    for number, points in RUBRIC.items():
        texts = [point.partition(": ")[2] for point in points]  # after the marks
        traces += prose_traces(texts, f"the rubric of question {number}")
    problems, solutions = (
        (ROOT / "written" / f"{name}.md").read_text(encoding="utf-8")
        for name in ("problems", "solutions")
    )
    written = text_traces(solutions, "the written solutions")
    public = {trace for _, trace in find_traces([("problems", problems)], written)}
    return traces + [trace for trace in written if trace not in public]
