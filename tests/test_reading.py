"""Reading notebooks: cells, answers wherever a student wrote them, and files of all kinds."""

import copy
import json

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_output, new_raw_cell

from tools.common import NOTEBOOK
from tools.notebook import (
    NotebookError,
    answers,
    cell_of,
    final_figures,
    grade_id,
    load_definitions,
    place_of,
    printed,
    printed_gradients,
    provided_lines,
    read_notebook,
    run,
)
from tools.questions import QUESTIONS

PLACEHOLDER = "YOUR ANSWER HERE"


@pytest.fixture(scope="module")
def provided(saved_notebook):
    return provided_lines(saved_notebook)


@pytest.fixture
def handed_out(saved_notebook):
    """The notebook with placeholders where the answers were."""
    notebook = copy.deepcopy(saved_notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = PLACEHOLDER
    return notebook


def test_the_reference_answers_every_written_question_and_what_is_handed_out_none(
    saved_notebook, handed_out, provided
):
    written = [question.number for question in QUESTIONS if question.is_written]
    assert answers(handed_out, provided) == {number: [] for number in written}
    for cells in answers(saved_notebook, provided).values():
        assert len("".join(cell.source for cell in cells)) > 100


def in_the_cell_of_the_question(cells, place, text):
    titles = [cell for cell in cells[:place] if cell.cell_type == "markdown"]
    next(c for c in titles if c.source.startswith("### 2.1.4 ")).source += f"\n\n{text}"


def below_a_heading_of_its_own(cells, place, text):
    cells[place + 1 : place + 1] = map(new_markdown_cell, ["## My answer", text])


def without_any_ids(cells, place, text):
    cells[place].source = text
    for cell in cells:
        cell.pop("id", None)
        cell.metadata = nbformat.from_dict({})


def after_the_placeholder(cells, place, text):
    cells[place].source = f"{PLACEHOLDER}\n\n{text}"


def merged_with_the_next_title(cells, place, text):
    cells[place].source = f"{text}\n\n## 2.2 A masked language model"


def in_a_raw_cell(cells, place, text):
    cells.insert(place, new_raw_cell(text))


def at_the_end_of_the_notebook(cells, place, text):
    cells.append(new_markdown_cell(f"### 2.1.4 The dimension\n\n{text}"))


@pytest.mark.parametrize(
    "write",
    [
        after_the_placeholder,
        merged_with_the_next_title,
        in_a_raw_cell,
        at_the_end_of_the_notebook,
        in_the_cell_of_the_question,
        below_a_heading_of_its_own,
        without_any_ids,
    ],
)
def test_an_answer_is_found_wherever_it_stands(handed_out, provided, write):
    answer = "The best d is 86,\nsince the losses say so."
    cells = handed_out.cells
    write(cells, cells.index(cell_of(handed_out, "q2_1_4")), answer)
    found = answers(handed_out, provided)
    text = "\n".join(cell.source for cell in found.pop("2.1.4"))
    assert text.endswith(answer) and PLACEHOLDER not in text
    assert not any(found.values())


def test_what_is_no_notebook_gives_one_line(tmp_path):
    path = tmp_path / "hw1_code_abc1234.ipynb"
    half, picture = NOTEBOOK.read_bytes()[:10_000], b"\x89PNG\r\n\x1a\n" + bytes(100)
    for content in (b" \n", half, picture, b"[" * 100_000, b'{"cells": [3], "nbformat": 4}'):
        path.write_bytes(content)
        with pytest.raises(NotebookError) as error:
            read_notebook(path)
        (line,) = str(error.value).splitlines()
        assert line.startswith(f"{path}: found no Jupyter notebook (")
        assert ("the file is empty" in line) == (content == b" \n")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("while True: pass", "A cell timed out"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "Kernel died"),
    ],
)
def test_a_run_that_fails_names_its_cell(tmp_path, source, reason):
    saved = [("a = 1", 7), (f"# endless\n{source}", 8), ("b = 2", 9)]  # with old counts
    cells = [nbformat.v4.new_code_cell(text, execution_count=count) for text, count in saved]
    with pytest.raises(NotebookError, match=rf"cell \[?2\]? \(# endless\) stops with {reason}"):
        run(nbformat.v4.new_notebook(cells=cells), tmp_path, timeout=4)


def test_parts_of_a_cell_have_their_types_whatever_a_file_holds(tmp_path):
    attachments = {"a": {"image/png": ["QUJD", "REVG"]}, "b": {"image/png": [1]}, "c": [[]]}
    outputs = [
        *(3, {"output_type": "stream"}, {"output_type": "stream", "text": ["b", "c"]}),
        *({"output_type": "display_data", "data": 3}, {"output_type": "error"}),
    ]
    cells = [
        {"cell_type": "markdown", "source": None, "metadata": [], "attachments": attachments},
        {"cell_type": "code", "source": ["a = 1\n", "b"], "outputs": outputs},
        {"cell_type": "code", "execution_count": "[" * 9},
        {"source": "no type", "outputs": 1, "metadata": {"nbgrader": 3}},
    ]
    path = tmp_path / "odd.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}))
    notebook = read_notebook(path)
    assert [cell.source for cell in notebook.cells] == ["", "a = 1\nb", "", "no type"]
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code", "raw"]
    assert [printed(cell) for cell in notebook.cells[1:3]] == ["bc", ""]
    assert [grade_id(cell) for cell in notebook.cells] == [""] * 4
    text, code, empty, _ = notebook.cells
    images = {"a": {"image/png": "QUJDREVG"}, "b": {"image/png": ""}, "c": {}}
    assert text.attachments == images and code.outputs[2].data == {}
    assert empty.outputs == [] and empty.execution_count is None


def test_a_byte_order_mark_is_no_hindrance(tmp_path, saved_notebook):
    path = tmp_path / "marked.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + NOTEBOOK.read_bytes())
    assert read_notebook(path).cells == saved_notebook.cells


def test_figures_are_read_from_what_was_printed():
    cell = nbformat.v4.new_code_cell()
    cell.outputs = [
        new_output("stream", text="\x1b[32mhid_bias[3] -1.5e-02\n"),
        new_output("stream", text="final validation cross-entropy: 1.976\n"),
    ]
    assert printed_gradients(printed(cell)) == {"hid_bias[3]": -0.015}
    assert final_figures(printed(cell)) == {"validation": 1.976}


def test_a_cell_is_named_as_jupyter_counts_it():
    cell = nbformat.v4.new_code_cell("x = 1\ny = 2", execution_count=24)
    assert place_of(3, cell) == "cell [24] (x = 1)"
    cell.execution_count = None
    assert place_of(3, cell) == "cell 3 (x = 1)"


def test_definitions_that_fail_are_named(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("A = 1 / 0")])
    path = tmp_path / "other.ipynb"
    nbformat.write(notebook, path)
    with pytest.raises(NotebookError, match="code cell 1 stops with ZeroDivisionError"):
        load_definitions({"vocab": ["[MASK]"]}, path)
    notebook.cells[0].source = "A = 1"
    nbformat.write(notebook, path)
    with pytest.raises(NotebookError, match="has no Params or no Model"):
        load_definitions({"vocab": ["[MASK]"]}, path)
