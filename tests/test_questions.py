"""The table of questions and the rubric against the notebook and the handout's marks."""

import re

from tools.notebook import grade_id
from tools.questions import QUESTIONS
from tools.rubric import RUBRIC


def test_the_table_agrees_with_the_notebook(saved_notebook):
    text = "\n".join(cell.source for cell in saved_notebook.cells if cell.cell_type == "markdown")
    found = re.findall(r"^(##+ \d\.\d(?:\.\d)?) (.*) \[(\d+) marks?\]", text, re.MULTILINE)
    sections = {heading: (title, int(marks)) for heading, title, marks in found}
    for question in QUESTIONS:
        assert sections.pop(question.heading) == (question.title, question.marks)
    assert {heading: marks for heading, (_, marks) in sections.items()} == {
        "## 2.1": 16,
        "## 2.2": 26,
    }
    cells = {grade_id(cell): cell for cell in saved_notebook.cells}
    for question in QUESTIONS:
        cell = cells[question.grade_id]
        assert question.is_written == (cell.cell_type == "markdown")
        assert cell.metadata.nbgrader.get("points", question.marks) == question.marks


def test_the_marks_are_those_of_the_handout():
    assert [question.marks for question in QUESTIONS] == [1, 6, 6, 3, 8, 8, 8, 2, 8]


def test_the_rubric_distributes_the_marks_of_the_written_questions():
    written = {question.number: question.marks for question in QUESTIONS if question.is_written}
    points = {number: [int(p.partition(":")[0]) for p in texts] for number, texts in RUBRIC.items()}
    assert {number: sum(marks) for number, marks in points.items()} == written
