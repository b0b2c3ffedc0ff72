"""The table of questions against the notebook and the handout's marks."""

import re

from tools.questions import QUESTIONS


def headings(notebook):
    """Pairs (number, title, marks) of the questions, from the titles of the sections."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.findall(r"^(##+) (\d\.\d(?:\.\d)?) (.*) \[(\d+) marks?\]", text, re.MULTILINE)
    return {(level, number): (title, int(marks)) for level, number, title, marks in found}


def test_the_table_agrees_with_the_notebook(saved_notebook):
    sections = headings(saved_notebook)
    for question in QUESTIONS:
        level, number = question.heading.split()
        assert sections.pop((level, number)) == (question.title, question.marks)
    assert sections == {
        ("##", "2.1"): ("GLoVe word representations", 16),
        ("##", "2.2"): ("A masked language model", 26),
    }
    cells = {
        c.metadata["nbgrader"]["grade_id"]: c
        for c in saved_notebook.cells
        if "nbgrader" in c.metadata
    }
    for question in QUESTIONS:
        assert question.is_written == (cells[question.grade_id].cell_type == "markdown")


def test_the_marks_are_those_of_the_handout():
    assert [question.marks for question in QUESTIONS] == [1, 6, 6, 3, 8, 8, 8, 2, 8]
