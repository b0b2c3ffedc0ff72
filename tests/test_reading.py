"""Reading notebooks: cells, answers wherever a student wrote them, and files of all kinds."""

import copy
import json

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_output

from tools.common import NOTEBOOK
from tools.notebook import (
    NotebookError,
    answers,
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
def reference():
    return read_notebook(NOTEBOOK)


@pytest.fixture(scope="module")
def provided(reference):
    return provided_lines(reference)


@pytest.fixture
def handed_out(reference):
    """The notebook with placeholders where the answers were."""
    notebook = copy.deepcopy(reference)
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = PLACEHOLDER
    return notebook


def text_of(notebook, number, provided):
    return [cell.source for cell in answers(notebook, provided)[number]]


def index_of(notebook, identifier):
    return next(i for i, cell in enumerate(notebook.cells) if grade_id(cell) == identifier)


def heading_of(notebook, number):
    return next(
        i
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown" and cell.source.lstrip("# ").startswith(number + " ")
    )


def test_what_is_handed_out_is_no_answer(handed_out, provided):
    assert answers(handed_out, provided) == {
        question.number: [] for question in QUESTIONS if question.is_written
    }


def test_the_reference_answers_every_written_question(reference, provided):
    for number, cells in answers(reference, provided).items():
        assert len("".join(cell.source for cell in cells)) > 100, number


def in_its_cell(notebook, text):
    notebook.cells[index_of(notebook, "q2_1_4")].source = text


def after_the_placeholder(notebook, text):
    notebook.cells[index_of(notebook, "q2_1_4")].source = f"{PLACEHOLDER}\n\n{text}"


def in_the_cell_of_the_question(notebook, text):
    notebook.cells[heading_of(notebook, "2.1.4")].source += f"\n\n{text}"


def in_a_new_cell_below_the_plots(notebook, text):
    notebook.cells.insert(index_of(notebook, "q2_1_4") - 1, new_markdown_cell(text))


def below_a_heading_of_its_own(notebook, text):
    place = index_of(notebook, "q2_1_4") + 1
    notebook.cells.insert(place, new_markdown_cell("## My answer"))
    notebook.cells.insert(place + 1, new_markdown_cell(text))


def in_a_raw_cell(notebook, text):
    notebook.cells.insert(index_of(notebook, "q2_1_4"), nbformat.v4.new_raw_cell(text))


def without_any_ids(notebook, text):
    in_its_cell(notebook, text)
    for cell in notebook.cells:
        cell.pop("id", None)
        cell.metadata = nbformat.from_dict({})


WAYS = [
    in_its_cell,
    after_the_placeholder,
    in_the_cell_of_the_question,
    in_a_new_cell_below_the_plots,
    below_a_heading_of_its_own,
    in_a_raw_cell,
    without_any_ids,
]


@pytest.mark.parametrize("write", WAYS, ids=lambda write: write.__name__)
def test_an_answer_is_found_wherever_it_stands(handed_out, provided, write):
    write(handed_out, "The best d is 86,\nsince the losses say so.")
    found = "\n".join(text_of(handed_out, "2.1.4", provided))
    assert found.endswith("The best d is 86,\nsince the losses say so.")
    assert PLACEHOLDER not in found
    others = [cells for number, cells in answers(handed_out, provided).items() if number != "2.1.4"]
    assert not any(others)


def test_an_answer_keeps_its_attachments(handed_out, provided):
    cell = handed_out.cells[index_of(handed_out, "q2_3")]
    cell.source = "![photo](attachment:photo.png)"
    cell.attachments = {"photo.png": {"image/png": "aGVsbG8="}}
    (answer,) = answers(handed_out, provided)["2.3"]
    assert answer.attachments["photo.png"]["image/png"] == "aGVsbG8="


NO_NOTEBOOKS = [
    *(b"", b"{}", b"[]", b"null", b"\xff\xfe{\x00}\x00"),
    *(b'{"cells": 3}', b'{"cells": [3]}', b"PK\x03\x04"),
]


@pytest.mark.parametrize("content", NO_NOTEBOOKS)
def test_what_is_no_notebook_gives_one_line(tmp_path, content):
    path = tmp_path / "hw1_code_abc1234.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookError) as error:
        read_notebook(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.ipynb", tmp_path):
        with pytest.raises(OSError, match=str(path)):
            read_notebook(path)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("while True: pass", "A cell timed out"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "Kernel died"),
    ],
)
def test_a_run_that_fails_names_its_cell(tmp_path, monkeypatch, source, reason):
    monkeypatch.setattr("tools.notebook.CELL_TIMEOUT", 4)
    saved = [("a = 1", 7), (f"# endless\n{source}", 8), ("b = 2", 9)]  # with old counts
    cells = [nbformat.v4.new_code_cell(text, execution_count=count) for text, count in saved]
    with pytest.raises(NotebookError, match=rf"cell \[?2\]? \(# endless\) stops with {reason}"):
        run(nbformat.v4.new_notebook(cells=cells), tmp_path)


def test_cells_with_parts_of_other_types_are_completed(tmp_path):
    cells = [
        {
            "cell_type": "code",
            "source": ["a = 1\n", "b"],
            "outputs": [3, {"output_type": "stream"}],
        },
        {"cell_type": "code"},
        {"cell_type": "markdown", "source": None, "metadata": []},
        {"source": "no type"},
    ]
    path = tmp_path / "odd.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}))
    notebook = read_notebook(path)
    assert [cell.source for cell in notebook.cells] == ["a = 1\nb", "", "", "no type"]
    assert [printed(cell) for cell in notebook.cells[:2]] == ["", ""]
    assert [grade_id(cell) for cell in notebook.cells] == [""] * 4


def test_a_byte_order_mark_is_no_hindrance(tmp_path, reference):
    path = tmp_path / "marked.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + NOTEBOOK.read_bytes())
    assert read_notebook(path).cells == reference.cells


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


def test_parts_of_a_cell_have_their_types_whatever_a_file_holds(tmp_path):
    attachments = {"a": {"image/png": ["QUJD", "REVG"]}, "b": {"image/png": [1]}, "c": [[]]}
    cells = [
        {"cell_type": "markdown", "source": "An answer", "attachments": attachments},
        {"cell_type": "code", "source": "1", "execution_count": "[" * 9, "outputs": [3]},
    ]
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    text, code = read_notebook(path).cells
    assert text.attachments == {"a": {"image/png": "QUJDREVG"}, "b": {}, "c": {}}
    assert code.execution_count is None and code.outputs == []
