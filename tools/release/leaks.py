"""Search the files for students for traces of the solutions.

A trace is what a line of a solution computes, whatever its spaces; or words that are too many to
stand elsewhere by chance: a sentence of an answer, a comment, a point of the rubric, a value that
`print_gradients` prints, whatever the markup, the punctuation and the capitals.

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
from tqdm import tqdm

from tools.common import ROOT
from tools.rubric import RUBRIC

SHORTEST_SENTENCE = 40  # letters and digits; "Two things are easily missed." is no secret
SHORTEST_COMMENT = 20
SENTENCE_END = re.compile(r"(?<=[.:;?!])\s+|\$\$|\n\s*\n")
# An operator, or a call of a method. A line with neither, such as `return`, `print_gradients()` or
# `hidden_layer = activations.hidden_layer`, computes nothing, so it gives nothing away.
COMPUTES = re.compile(r"[-+*/@]|\.\w+\(")
SOLUTION = re.compile(r"^.*BEGIN SOLUTION.*\n((?:.*\n)*?).*END SOLUTION", re.MULTILINE)


class Trace(NamedTuple):
    """A piece of a solution, by which it can be recognised."""

    text: str
    origin: str  # where it comes from, for messages
    wanted: str  # what is searched for, in what is `searched`


# The search


def code_without_spaces(text):
    return re.sub(r"[^!-~]+", "", text)  # what else a pickle holds goes, too


def letters_and_digits(text):
    """Small letters and digits alone, also those that a PDF has as ligatures or mathematics."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def strings(node):
    """All text in what `json` loads; a list of str is one text, as in a notebook's cells."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list) and all(isinstance(item, str) for item in node):
        yield "".join(node)
    elif isinstance(node, (list, dict)):
        for item in node if isinstance(node, list) else [*node, *node.values()]:
            yield from strings(item)


def text_of(name, content):
    """All text in a file, given as bytes; that in a pickle stands among numbers that are none."""
    suffix = Path(name).suffix
    if suffix == ".pdf":
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    if suffix == ".ipynb":
        return "\n".join(strings(json.loads(content)))
    return content.decode(errors="replace")


@cache  # since the tests look at one file often
def searched(name, content):
    """The text of a file as traces are searched for in it: as code, and as words."""
    text = text_of(name, content)
    return f"{code_without_spaces(text)}\n{letters_and_digits(text)}"


def find_traces(files, traces):
    """Pairs (name of a file, Trace that it holds); files: dict from names to bytes."""
    return [
        (name, trace)
        for name in tqdm(files, "searching for solutions", leave=False)
        for trace in traces
        if trace.wanted in searched(name, files[name])
    ]


# Traces of the solutions


def word_traces(texts, origin, shortest):
    """Traces of those texts that have enough letters and digits."""
    traces = [Trace(text.strip(), origin, letters_and_digits(text)) for text in texts]
    return [trace for trace in traces if len(trace.wanted) >= shortest]


def answer_traces(text, origin):
    """Traces of an answer in words."""
    return word_traces(SENTENCE_END.split(text), origin, SHORTEST_SENTENCE)


def code_traces(source, origin):
    """Traces of a solution in Python: its comments, and what its lines assign or return."""
    lines = [line.partition("#") for line in source.splitlines()]
    values = [re.sub(r"^.*? [-+*/@]?= |^\s*return ", "", code).strip() for code, _, _ in lines]
    code = [Trace(v, origin, code_without_spaces(v)) for v in values if COMPUTES.search(v)]
    return code + word_traces([comment for _, _, comment in lines], origin, SHORTEST_COMMENT)


def notebook_traces(notebook):
    """Traces of all solutions in a notebook node with nbgrader's metadata."""
    traces = []
    for cell in notebook.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        if nbgrader.get("solution"):
            traces_of = code_traces if cell.cell_type == "code" else answer_traces
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
            traces += word_traces([value], f"the printed {entry}", shortest=0)
    for number, points in RUBRIC.items():
        texts = [point.partition(": ")[2] for point in points]  # after the marks
        traces += word_traces(texts, f"the rubric of question {number}", SHORTEST_COMMENT)
    problems, solutions = (ROOT / "written" / f"{name}.md" for name in ("problems", "solutions"))
    written = answer_traces(solutions.read_text(encoding="utf-8"), "the written solutions")
    public = {trace for _, trace in find_traces({problems.name: problems.read_bytes()}, written)}
    return traces + [trace for trace in written if trace not in public]
