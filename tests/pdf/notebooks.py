"""Small notebooks and their parts, as a run leaves them."""

import base64
import io
import re

import nbformat
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.pdf.pages import text_of
from tools.notebook import complete_cell
from tools.pdf.typeset import make_pdf
from tools.questions import QUESTIONS

NAME = "hw1_code_abc1234.ipynb"


def picture(kind="png", size=(3, 2)):
    """Bytes of a small plot."""
    figure, content = Figure(size), io.BytesIO()
    figure.subplots().plot([1, 3, 2])
    figure.savefig(content, format=kind)
    return content.getvalue()


def as_base64(content):
    return base64.b64encode(content).decode()


def stream(text, name="stdout"):
    return nbformat.from_dict({"output_type": "stream", "name": name, "text": text})


def display(**data):
    """An output; image_png stands for image/png."""
    data = {kind.replace("_", "/", 1): content for kind, content in data.items()}
    return nbformat.from_dict({"output_type": "display_data", "metadata": {}, "data": data})


def code(source, *outputs):
    return new_code_cell(source, outputs=list(outputs))


def text(source, **attachments):
    return new_markdown_cell(source, attachments=attachments)


def notebook_of(*cells):
    """A notebook of cells that were run from top to bottom."""
    count = 0
    for cell in cells:
        if cell.cell_type == "code":
            cell.execution_count = count = count + 1
        complete_cell(cell)
    return new_notebook(cells=list(cells))


def typeset(*cells, path=NAME, **options):
    """PDF of cells, and warnings but those about questions, which are not there."""
    pdf, _, warnings = make_pdf(notebook_of(*cells), path, **options)
    return pdf, [warning for warning in warnings if "so it has no page" not in warning]


def assert_shown(rows, **options):
    """The PDF of each cell has certain words, and there are certain warnings.

    rows: (cell, words, parts of the warnings that it costs).
    """
    titles = (text(f"start{i}end") for i in range(len(rows)))
    cells = [part for title, row in zip(titles, rows) for part in (title, row[0])]
    pdf, warnings = typeset(*cells, **options)
    pages = re.sub(rf"{re.escape(NAME)} \d+ / \d+|\s", "", text_of(pdf))
    shown = re.split(r"start\d+end", pages)[1:]
    expected = ["".join(words.split()) for _, words, *_ in rows]
    assert list(zip(rows, shown)) == list(zip(rows, expected))
    parts = sorted(part for _, _, *parts in rows for part in parts)
    assert len(warnings) == len(parts)
    assert [part for part in parts if not any(part in warning for warning in warnings)] == []


def questions():
    """A notebook with the title of every question and an answer, and two pages of code in 2.1.3."""
    cells = [text("# Title"), code("1 + 1")]
    for question in QUESTIONS:
        cells.append(text(f"{question.heading} {question.title} [1 mark]\n\nDo it."))
        answer = text("Because $V^2$.")
        answer.metadata = nbformat.from_dict(
            {"nbgrader": {"grade_id": question.grade_id, "solution": True}}
        )
        cells.append(answer)
        if question.number == "2.1.3":
            cells.append(code("\n".join(f"x{i} = {i}" for i in range(120))))
    return notebook_of(*cells)
