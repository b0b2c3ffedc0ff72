"""The PDF that students hand in: what is checked beforehand, what it shows, and where."""

import base64
import copy
import io
import json
import re
import shutil
import sys

import nbformat
import pypdf
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from PIL import Image

from tools import hand_in_checks, hand_in_pdf, make_pdf, submitted_notebook
from tools.common import NOTEBOOK, ROOT
from tools.notebook import NotebookError, printed_gradients, read_notebook
from tools.pdf.cells import columns_of, overwritten, printable, shortened
from tools.pdf.document import WrittenError, read_written
from tools.pdf.missing import misses
from tools.pdf.typeset import TypesetError
from tools.questions import QUESTIONS

NAME = "hw1_code_abc1234.ipynb"
SOLUTIONS = ROOT / "written" / "solutions.pdf"
PAPER_SIZES = {"a4": (595, 842), "letter": (612, 792)}  # points
SIDE_MARGIN = 56  # points, 2 cm


def picture(kind="png", size=(3, 2)):
    """Bytes of a small plot."""
    figure, stream = Figure(size), io.BytesIO()
    figure.subplots().plot([1, 3, 2])
    figure.savefig(stream, format=kind)
    return stream.getvalue()


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


def numbered(cells):
    """A notebook of cells as a run from top to bottom would leave it."""
    count = 0
    for cell in cells:
        if cell.cell_type == "code":
            cell.execution_count = count = count + 1
    return submitted_notebook.mend(new_notebook(cells=cells))


def pdf_of(*cells, path=NAME, **options):
    """Typeset cells: text of each page, warnings."""
    notebook = submitted_notebook.mend(new_notebook(cells=list(cells)))
    pdf, _, warnings = hand_in_pdf.typeset_notebook(notebook, path, **options)
    return reader_of(pdf), warnings


def reader_of(pdf):
    return pypdf.PdfReader(io.BytesIO(pdf))


def text_of(reader):
    return "\n".join(page.extract_text() for page in reader.pages).replace("\u200b", "")


GRADIENTS = "\n".join(
    f"{name}[{i}] {i}.123456e-0{i}" for name in sorted(hand_in_checks.TENSORS) for i in range(1, 5)
)
FINAL = "".join(
    f"final {name:<10} cross-entropy: 1.977\n" for name in ("training", "validation", "test")
)


@pytest.fixture
def complete():
    """A small notebook that lacks nothing."""
    plot = display(image_png=as_base64(picture()))
    cells = [new_markdown_cell("# Title"), code("1 + 1")]
    for question in QUESTIONS:
        cells.append(new_markdown_cell(f"{question.heading} {question.title} [1 mark]\n\nDo it."))
        if question.is_written:
            cells.append(new_markdown_cell("Because $V^2$.", metadata=nbgrader(question)))
    calls = {
        "2.2.3": [code("print_gradients()", stream(GRADIENTS))],
        "2.2.4": [code("train()", stream(FINAL)), code("axis.plot()\nplt.show()", plot)],
        "2.3": [
            code("trained_model.tsne_plot_representation()", plot),
            code("W = 1\ntsne_plot_GLoVe_representation(W, vocab)", plot),
            code("plot_2d_GLoVe_representation(W, vocab)", plot),
        ],
    }
    for number, added in calls.items():
        place = cell_index(cells, f" {number} ") + 1
        cells[place:place] = added
    return numbered(cells)


def nbgrader(question):
    return {"nbgrader": {"grade_id": question.grade_id, "solution": True, "grade": True}}


def cell_index(cells, text):
    return next(i for i, cell in enumerate(cells) if text in cell.source)


def cell_with(notebook, text):
    return notebook.cells[cell_index(notebook.cells, text)]


def saved(notebook, folder, name=NAME):
    path = folder / name
    path.write_text(json.dumps(notebook))
    return path


# What is checked


def test_nothing_is_missing_in_the_reference_notebook(saved_notebook):
    assert misses(read_notebook(NOTEBOOK), NAME) == []


def clear_gradients(notebook):
    cell_with(notebook, "print_gradients()").outputs = []


def only_check_gradients(notebook):
    clear_gradients(notebook)
    cell_with(notebook, "1 + 1").outputs = [
        stream("  hid_bias                (128,)        right\n")
    ]


def lose_a_tensor(notebook):
    cell = cell_with(notebook, "print_gradients()")
    cell.outputs = [stream(GRADIENTS.replace("hid_bias", "bias"))]


def few_gradients(notebook):
    cell_with(notebook, "print_gradients()").outputs = [
        stream("\n".join(GRADIENTS.splitlines()[:8]))
    ]


def set_source(text, source):
    def change(notebook):
        cell_with(notebook, text).source = source

    return change


def clear_outputs(text):
    def change(notebook):
        cell_with(notebook, text).outputs = []

    return change


def not_run(notebook):
    cell_with(notebook, "train()").execution_count = None


def none_run(notebook):
    for cell in notebook.cells:
        cell.pop("execution_count", None)


def swapped(notebook):
    first, second = (cell_with(notebook, text) for text in ("1 + 1", "train()"))
    first.execution_count, second.execution_count = second.execution_count, 1


def run_later(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count += 40


def add_error(notebook):
    error = {"output_type": "error", "ename": "KeyError", "evalue": "1", "traceback": []}
    cell_with(notebook, "train()").outputs.append(nbformat.from_dict(error))


def interrupt(notebook):
    cell = cell_with(notebook, "train()")
    cell.outputs = [stream("Interrupted after 5 of 10 mini-batches\n" + FINAL)]


def empty_answer(text, keep_id=True):
    def change(notebook):
        cell = notebook.cells[cell_index(notebook.cells, "## 2.3") + 4]
        assert "Because" in cell.source
        cell.source = text
        if not keep_id:
            cell.metadata = {}

    return change


def remove_section(notebook):
    place = cell_index(notebook.cells, "### 2.1.2")
    del notebook.cells[place : place + 2]


@pytest.mark.parametrize(
    "change, message",
    [
        (not_run, "(train()) not run: restart the kernel"),
        (none_run, "no cell has been run"),
        (swapped, "not run from top to bottom in one go"),
        (run_later, "not run from top to bottom in one go"),
        (add_error, "(train()) stopped with KeyError"),
        (
            set_source("1 + 1", "def f():\n    raise NotImplementedError('2.1.3')"),
            "cell [1] (def f():) still raises",
        ),
        (clear_gradients, "output of print_gradients is missing"),
        (only_check_gradients, "only check_gradients has printed"),
        (lose_a_tensor, "not complete (hid_bias)"),
        (few_gradients, "not complete"),
        (clear_outputs("train()"), "three final cross-entropies of 2.2.4 are missing"),
        (interrupt, "training of 2.2.4 was interrupted"),
        (clear_outputs("plt.show()"), "does not show the losses"),
        (clear_outputs(".tsne_plot_representation"), "does not show the map of the masked"),
        (clear_outputs("tsne_plot_GLoVe"), "does not show the map of the GLoVe"),
        (clear_outputs("plot_2d"), "does not show the plot of the two-dimensional"),
        (set_source("plot_2d", "pass"), "no cell draws the plot of the two-dimensional"),
        (empty_answer("YOUR ANSWER HERE"), "question 2.3 has no answer"),
        (empty_answer(" \n"), "question 2.3 has no answer"),
        (empty_answer("YOUR ANSWER HERE", keep_id=False), "question 2.3 has no answer"),
        (remove_section, "the section of question 2.1.2 is missing"),
    ],
)
def test_each_miss_is_found_with_its_remedy(complete, change, message):
    assert misses(complete, NAME) == []
    change(complete)
    (miss,) = misses(complete, NAME)
    assert message in miss and ": " in miss


def test_answers_are_found_without_the_ids_of_nbgrader(complete):
    for cell in complete.cells:
        cell.metadata = nbformat.from_dict({})
    assert misses(complete, NAME) == []
    del complete.cells[cell_index(complete.cells, "### 2.1.1") + 1]
    (miss,) = misses(complete, NAME)
    assert "question 2.1.1 has no answer" in miss


def test_the_line_that_marks_the_place_of_an_answer_may_stay_above_it(complete):
    empty_answer("YOUR ANSWER HERE\n\nThe answer.")(complete)
    assert misses(complete, NAME) == []


def lose_metadata(cells):
    for cell in cells:
        cell.metadata = nbformat.from_dict({})


def move_below(cells, place):
    """Leave the placeholder, and write the answer into the next cell."""
    cells.insert(place + 1, new_markdown_cell("Because $V^2$."))
    cells[place].source = "YOUR ANSWER HERE"


def move_to_the_end(cells, place):
    """Write the answer at the end of the section, in place of the cell for it."""
    cells.append(new_markdown_cell("Because $V^2$."))
    del cells[place]


def drop(cells, place):
    del cells[place]


def leave_open(cells, place):
    cells[place].source = "YOUR ANSWER HERE"


@pytest.mark.parametrize("has_metadata", [True, False])
@pytest.mark.parametrize(
    "grade_id, change, is_answered",
    [
        ("q2_1_4", move_below, True),
        ("q2_3", move_below, True),
        ("q2_3", move_to_the_end, True),
        *((name, drop, False) for name in ("q2_1_1", "q2_1_2", "q2_1_4", "q2_3")),
        *((name, leave_open, False) for name in ("q2_1_1", "q2_1_2", "q2_1_4", "q2_3")),
    ],
)
def test_an_answer_is_told_from_what_was_handed_out(grade_id, change, is_answered, has_metadata):
    notebook = read_notebook(NOTEBOOK)
    ids = [submitted_notebook.grade_id(cell) for cell in notebook.cells]
    change(notebook.cells, ids.index(grade_id))
    if not has_metadata:
        lose_metadata(notebook.cells)
    expected = [] if is_answered else [f"question {grade_id[1:].replace('_', '.')} has no answer"]
    assert [miss.partition(":")[0] for miss in misses(notebook, NAME)] == expected


@pytest.mark.parametrize(
    "name", ["hw1_code.ipynb", "hw1_code_.ipynb", "hw1_code_YOUR_UNI.ipynb", "hw1_code_uni.ipynb",
             "hw1_code_<uni>.ipynb", "hw1_code_abc1234 (1).ipynb", "hw2.ipynb"]
)  # fmt: skip
def test_names_of_the_file_that_are_refused(complete, name):
    (miss,) = misses(complete, name)
    assert name in miss


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"x"', b"{}", b'{"cells": 3}', b'{"cells": [1]}', b"\xff\xfe",
                b"%PDF-1.7", b'{"cells": [{"cell_type": "code"}], "nbformat": "x"}']
)  # fmt: skip
def test_what_is_no_notebook_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(NotebookError, match="found no Jupyter notebook") as error:
        read_notebook(path)
    assert "\n" not in str(error.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    for read, error in [(read_notebook, NotebookError), (read_written, WrittenError)]:
        (tmp_path / "folder.pdf").mkdir(exist_ok=True)
        with pytest.raises(error, match="there is no such file"):
            read(tmp_path / "absent.pdf")
        with pytest.raises(error, match="found a folder"):
            read(tmp_path / "folder.pdf")


def test_a_notebook_that_breaks_the_format_is_read_and_typeset(complete, tmp_path):
    node = json.loads(json.dumps(complete))
    node["cells"][0].pop("metadata")
    node["cells"][0].pop("id")
    node["cells"][1]["outputs"] = [None, {}, {"output_type": "stream", "text": ["a\n", "b"]}]
    node["cells"][2]["metadata"] = {"nbgrader": "broken"}
    node["cells"][3]["source"] = None
    path = tmp_path / NAME
    path.write_text(json.dumps(node))
    notebook = read_notebook(path)
    assert misses(notebook, NAME)
    pdf, _, _ = hand_in_pdf.make_pdf(notebook, path)
    assert "a\nb" in text_of(reader_of(pdf))


def test_a_notebook_of_an_old_format_is_read(tmp_path):
    path = tmp_path / NAME
    cell = {"cell_type": "code", "input": ["x = 1"], "outputs": [], "prompt_number": 1}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    path.write_text(json.dumps(old))
    (read,) = read_notebook(path).cells
    assert (read.source, read.execution_count) == ("x = 1", 1)


# The written part


def write_pdf(path, n_pages=2, password=None):
    writer = pypdf.PdfWriter()
    for _ in range(n_pages):
        writer.add_blank_page(300, 400)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    with open(path, "wb") as file:
        writer.write(file)


def test_a_written_part_that_cannot_be_used_is_refused_in_one_line(tmp_path):
    names = ["text.docx", "renamed.pdf", "cut.pdf", "empty.pdf", "locked.pdf", "no_pages.pdf"]
    docx, renamed, cut, empty, locked, no_pages = (tmp_path / name for name in names)
    docx.write_bytes(b"PK")
    renamed.write_bytes(b"PK\x03\x04 a Word document")
    cut.write_bytes(SOLUTIONS.read_bytes()[:5000])
    empty.write_bytes(b"")
    write_pdf(locked, password="secret")
    write_pdf(no_pages, 0)
    messages = ["expected a PDF: export", "no PDF, whatever its name", "damaged", "no PDF",
                "a password", "without pages"]  # fmt: skip
    for path, message in zip([docx, renamed, cut, empty, locked, no_pages], messages, strict=True):
        with pytest.raises(WrittenError, match=message) as error:
            read_written(path)
        assert str(path) in str(error.value) and "\n" not in str(error.value)


# What the PDF shows


def bookmarks(reader):
    return [(item.title, reader.get_destination_page_number(item) + 1) for item in reader.outline]


@pytest.mark.parametrize("written_last", [False, True])
def test_questions_begin_on_pages_of_their_own_and_the_table_says_which(
    complete, tmp_path, written_last
):
    write_pdf(tmp_path / "w.pdf", 3)
    written = read_written(tmp_path / "w.pdf")
    pdf, parts, warnings = hand_in_pdf.make_pdf(
        complete, tmp_path / NAME, written, written_last=written_last
    )
    assert warnings == []
    reader = reader_of(pdf)
    pages = [page.extract_text() for page in reader.pages]
    assert bookmarks(reader) == [(part.title, part.first) for part in parts]
    (written_part,) = [part for part in parts if part.title == "Written problems"]
    assert [not page for page in pages[written_part.first - 1 : written_part.last]] == [True] * 3
    questions = [part for part in parts if part != written_part]
    assert [part.title.split()[0] for part in questions] == [q.number for q in QUESTIONS]
    for part, after in zip(questions, questions[1:]):
        assert pages[part.first - 1].startswith(part.title)
        assert after.first == part.last + 1
    assert questions[-1].last == len(pages) - 3 * written_last
    for number, page in enumerate(pages, start=1):
        assert not page or page.endswith(f"{NAME} {number} / {len(pages)}")


def test_a_section_ends_the_pages_of_a_question_and_is_none():
    parts = hand_in_pdf.parts_of([("2.1.4", 3), ("2.2", 5), ("2.2.1", 9)], 10, 2, False)
    assert [(part.first, part.last) for part in parts] == [(1, 2), (5, 6), (11, 12)]


def test_questions_are_found_in_merged_cells_and_by_the_id_of_a_cell(tmp_path):
    q_2_1_2 = QUESTIONS[1]
    cells = [
        new_markdown_cell("intro\n### 2.1.1 Number\n\none\n\n```\n# 3.5 no section\n```\n"),
        new_markdown_cell("its title is gone", metadata=nbgrader(q_2_1_2)),
        new_markdown_cell("### 2.1.1 again\n### 2.1.10 none\n### 2.1.2 later"),
    ]
    _, parts, warnings = hand_in_pdf.make_pdf(
        read_notebook(saved(new_notebook(cells=cells), tmp_path)), NAME
    )
    assert [(p.title[:5], p.first, p.last) for p in parts] == [("2.1.1", 2, 2), ("2.1.2", 3, 3)]
    assert sum("neither its title nor its cell" in warning for warning in warnings) == 7


FORMULAS = [
    r"$\alpha=1$",
    r"\(\beta=1\)",
    r"\\(\gamma=1\\)",
    r"\[\delta=1\]",
    r"$$\zeta=1$$",
    r"\\[\eta=1\\]",
    "\\begin{align}\n\\theta&=1 \\tag{7}\\\\\n\\kappa&=2\\nonumber\n\\end{align}",
    "$$\n\\begin{align*}\n\\lambda&=1\n\\end{align*}\n$$",
    r"\begin{equation}\mu=1\label{e}\end{equation}",
    r"$$\nu=1 \\ \xi=2$$",
    r"$\newcommand{\half}{\frac12} \half$",
    r"$\bm{\rho}=1$",
    r"$\half\pi$",
    r"$\|\sigma\|={\rm d}\tau$",
    r"$\textcolor{red}{\omega}={\bf v}$",
]


def test_formulas_of_all_kinds_that_jupyter_accepts():
    reader, warnings = pdf_of(*map(new_markdown_cell, FORMULAS))
    text = text_of(reader)
    assert warnings == []
    assert "\\" not in text and "$" not in text and "(7)" in text
    for letter in "𝛼𝛽𝛾𝛿𝜁𝜂𝜃𝜅𝜆𝜇𝜈𝜉𝝆𝜋𝜏𝜔𝐯":
        assert letter in text, letter
    assert "‖𝜎‖" in text


def test_labels_of_formulas_are_left_out():
    reader, warnings = pdf_of(new_markdown_cell("$$x=1 \\notag$$\n\n$$y \\label{t}$$"))
    assert "𝑥 = 1\n𝑦" in text_of(reader) and warnings == []


def test_links_to_places_that_are_not_there():
    reader, warnings = pdf_of(new_markdown_cell("See [above](#nowhere), [here](https://x.org)."))
    assert "See above, here." in text_of(reader) and warnings == []


def test_code_and_money_are_no_formulas():
    reader, warnings = pdf_of(new_markdown_cell(r"`\(x\)` and `$y$` cost \$5, not $6."))
    assert r"\(x\) and $y$ cost $5, not $6." in text_of(reader) and warnings == []


@pytest.mark.parametrize(
    "broken", [r"$\frac{a}{$", r"$\nosuchmacro{x}$", "$$\\nosuchmacro{x} \\\\\n y$$"]
)
def test_a_broken_formula_is_shown_as_its_source_and_costs_nothing_else(broken):
    text = rf"$\newcommand{{\half}}{{1/2}}$ **Text** {broken} and $\alpha\half$"
    reader, (warning,) = pdf_of(new_markdown_cell("before"), new_markdown_cell(text))
    shown = text_of(reader)
    for part in ("before", "Text", *broken.replace("$", "").split("\n"), "𝛼1/2"):
        assert part in shown
    assert "*" not in shown and "newcommand" not in shown
    assert warning.startswith("cell 2 (") and "shown as its source" in warning


def test_a_cell_that_pandoc_does_not_understand_is_shown_as_its_source(monkeypatch):
    def fail(html):
        raise TypesetError("pandoc stopped")

    monkeypatch.setattr("tools.pdf.cells.html_to_typst", fail)
    reader, (warning,) = pdf_of(new_markdown_cell(r"**Text** $x$"), code("x = 1"))
    assert "**Text** $x$" in text_of(reader) and "x = 1" in text_of(reader)
    assert "shown as its source, because of pandoc stopped" in warning


def test_a_piece_that_typst_refuses_is_shown_plainly(monkeypatch):
    """No input is known for which pandoc's typst does not compile; so pandoc is made to err."""
    monkeypatch.setattr("tools.pdf.cells.html_to_typst", lambda html: "#nonsense()")
    reader, (warning,) = pdf_of(new_markdown_cell("**Text**"), code("x = 1"))
    assert "**Text**" in text_of(reader) and "x = 1" in text_of(reader)
    assert "cell 1" in warning and "shown as its source" in warning


STRANGE = [
    '<div><table><tr><td>cell <b>bold\n\n</div></span> #hash @at *star _under \\ [br](  $ lone "',
    "#include <x> #let x = 1 #pagebreak() `` ` `` ```\n~~~\n$$ $ \\",
    "<script>alert(1)</script><style>p{}</style><iframe src=x></iframe>[to](#nowhere) <a id=q>",
    "- [x] done\n- [ ] open\n\n| a | b |\n|--|--|\n| $x$ | `y` |\n\n> q\n\n---\n<br/>&lt;&#0;",
    "\x00\x07\ud800 zero\u200bwidth \u202e left",
    "](" * 50 + "[" * 200 + "*" * 200,
    "\\begin{align}",
]  # fmt: skip


@pytest.mark.parametrize("text", STRANGE)
def test_strange_markdown_never_stops_the_pdf(text):
    reader, _ = pdf_of(new_markdown_cell("before"), new_markdown_cell(text), code("after"))
    shown = text_of(reader)
    assert "before" in shown and "after" in shown and "alert(1)" not in shown


def test_lists_tables_and_boxes():
    reader, _ = pdf_of(new_markdown_cell(STRANGE[3]))
    text = text_of(reader)
    assert "☒ done" in text and "☐ open" in text and "𝑥" in text and "`" not in text


def test_outputs_are_shown_without_colours_and_progress_bars():
    traceback = ["\x1b[0;31mKeyError\x1b[0m: 'x'", "\x1b[38;5;241mline\x1b[39m 2"]
    error = {"output_type": "error", "ename": "KeyError", "evalue": "x", "traceback": traceback}
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "a bar"}
    reader, warnings = pdf_of(
        code(
            "x = 1", stream("  0%| | 0/2\r 50%|#| 1/2\r"), stream("100%|##| 2/2\nall \x1b[1mdone")
        ),
        code(
            "y = 2", stream("careful", name="stderr"), nbformat.from_dict(error), display(**widget)
        ),
        new_raw_cell("raw text"),
    )
    text = text_of(reader)
    assert warnings == []
    for shown in ["100%|##| 2/2\nall done", "careful", "KeyError: 'x'\nline 2", "raw text"]:
        assert shown in text
    for hidden in ["0/2", "1/2", "a bar", "[0", "\x1b"]:
        assert hidden not in text


@pytest.mark.parametrize(
    "between",
    [
        display(**{"application/vnd.jupyter.widget-view+json": {}}),
        stream("\r  0%| | 0/2\r          \r", "stderr"),
    ],
)
def test_what_a_progress_bar_leaves_does_not_part_an_output(between):
    parted, _ = pdf_of(code("x", stream("head\n"), between, stream("row 1\nrow 2")))
    whole, _ = pdf_of(code("x", stream("head\nrow 1\nrow 2")))
    assert text_of(parted) == text_of(whole)
    assert heights_of(parted) == heights_of(whole)


def test_code_is_broken_at_blank_lines():
    functions = [f"def f{i}():\n" + "    pass\n" * 8 for i in range(30)]
    reader, _ = pdf_of(code("\n\n".join(functions)))
    assert len(reader.pages) > 3
    for page in reader.pages:
        assert page.extract_text().startswith("def f")


def test_hundreds_of_long_lines_are_shown():
    lines = ["=" * 60, "/very/long/path" * 5] * 160
    reader, warnings = pdf_of(code("x", stream("\n".join(lines))))
    assert text_of(reader).count("=" * 60) == 160 and warnings == []


def test_lines_of_outputs():
    assert overwritten("a\rb\nc\r\nd\r") == "b\nc\nd"
    lines = shortened("\n".join(map(str, range(10_000)))).split("\n")
    assert lines[0] == "0" and lines[-1] == "9999" and "9650 lines left out" in lines[250]
    assert "195000 more characters" in shortened("z" * 200_000)
    assert shortened(GRADIENTS) == GRADIENTS


def test_tables_of_html_are_shown_but_very_wide_ones_as_text():
    def table(n_columns):
        cells = "".join(f"<td>{i}.5</td>" for i in range(n_columns))
        return f"<style>x{{}}</style><table><tr><th>head</th></tr><tr>{cells}</tr></table>"

    assert columns_of(table(7)) == 7
    outputs = [display(text_html=table(n), text_plain=f"plain {n}") for n in (5, 30)]
    other = display(text_html="<b>bold</b>", text_plain="plain text")
    latex = display(text_latex=r"$\displaystyle \frac{u}{v}$", text_plain="u/v")
    page = display(text_html="<p>shown</p>", text_plain="<IPython.core.display.HTML object>")
    text = text_of(pdf_of(code("x", *outputs, other, latex, page))[0])
    assert "shown" in text and "IPython" not in text
    assert "head" in text and "4.5" in text and "plain 5" not in text and "x{}" not in text
    assert "plain 30" in text and "plain text" in text and "𝑢" in text and "u/v" not in text


def drawn(reader):
    """(page, x, y, width, height) of the pictures, in points, y from below."""
    places = []
    for number, page in enumerate(reader.pages, start=1):

        def note(operator, operands, cm, tm, number=number):
            if operator == b"Do":
                places.append((number, cm[4], cm[5], cm[0], cm[3]))

        page.extract_text(visitor_operand_before=note)
    return places


def test_pictures_of_all_kinds_fit_on_the_page(tmp_path):
    (tmp_path / "beside it.png").write_bytes(picture())
    attached = new_markdown_cell("![one](attachment:my%20plot.png) ![two](beside%20it.png)")
    attached.attachments = {"my plot.png": {"image/png": as_base64(picture())}}
    outputs = [
        display(image_png=as_base64(picture(size=size))) for size in [(6, 4), (30, 4), (4, 40)]
    ]
    outputs.append(display(image_jpeg=as_base64(picture("jpg"))))
    data = f'<img src="data:image/png;base64,{as_base64(picture())}" width="200">'
    reader, warnings = pdf_of(
        attached, code("x", *outputs), new_markdown_cell(data), path=tmp_path / NAME
    )
    assert warnings == []
    places = drawn(reader)
    assert len(places) == 7
    for _, x, y, width, height in places:
        assert SIDE_MARGIN <= x and x + width <= 595 - SIDE_MARGIN
        assert 60 <= min(y, y + height) and max(y, y + height) <= 842 - 55
    assert abs(places[2][3] - 6 * 72) < 1  # 6 inches
    assert places[-1][3] == pytest.approx(200 * 72 / 96, abs=1)


def test_photographs_keep_their_format_and_other_kinds_are_converted():
    bitmap = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(bitmap, "BMP")
    outputs = [
        display(image_jpeg=as_base64(content)) for content in (picture("jpg"), bitmap.getvalue())
    ]
    reader, warnings = pdf_of(code("x", *outputs))
    resources = reader.pages[0]["/Resources"]["/XObject"].values()
    filters = sorted(item.get_object()["/Filter"] for item in resources)
    assert filters == ["/DCTDecode", "/FlateDecode"] and warnings == []


def test_svg_pictures_are_drawn():
    empty, _ = pdf_of(code("x"))
    reader, warnings = pdf_of(code("x", display(**{"image_svg+xml": picture("svg").decode()})))
    sizes = [len(r.pages[0].get_contents().get_data()) for r in (empty, reader)]
    assert warnings == [] and sizes[1] > sizes[0] + 500


@pytest.mark.parametrize(
    "data",
    [
        {"image_png": "?? no base64"},
        {"image_png": as_base64(picture()[:400])},
        {"image_jpeg": as_base64(b"GIF")},
        {"image_svg+xml": "<svg broken"},
    ],
)
def test_a_damaged_picture_costs_a_warning(data):
    reader, (warning,) = pdf_of(code("x = 1", display(**data, text_plain="<Figure>")))
    assert "<Figure>" in text_of(reader) and "cell 1 (x = 1): not shown" in warning


@pytest.mark.parametrize("address", ["attachment:a.png", "no.png", "https://x.org/a.png", ""])
def test_an_absent_picture_is_named(address, tmp_path):
    reader, (warning,) = pdf_of(new_markdown_cell(f"A ![alt]({address}) B"), path=tmp_path / NAME)
    assert "[the picture" in text_of(reader).replace("\n", " ") and address in warning


def test_signs_without_a_glyph_are_named_and_all_others_shown():
    text = "é Ж ω ∇ ≤ → ✓ ★ ½ 😀 𝐱"
    reader, warnings = pdf_of(new_markdown_cell(text + " 🎉 👍🏽"), code(f"# {text} 🚀"))
    shown = text_of(reader)
    assert text in shown and f"# {text} [rocket]" in shown and warnings == []
    assert "[party popper] [thumbs up sign]" in shown
    assert "\x00" not in shown  # what a character without a glyph leaves in the text
    assert printable("a\tb\x00\x1b[31mc\ud800") == "a\tbc"


def test_letters_that_no_font_of_ours_has_cost_a_warning():
    _, warnings = pdf_of(new_markdown_cell("你好"))
    assert "letters that depend on the fonts of your computer: 你 好" in warnings[0]


def widest_line(reader):
    return max(len(line) for page in reader.pages for line in page.extract_text().splitlines())


def test_long_lines_are_wrapped_and_a_line_of_100_characters_is_not():
    hundred = "x = " + "1 + " * 23 + "1234"
    assert len(hundred) == 100
    reader, _ = pdf_of(
        code(hundred, stream("y" * 900 + " " + "word " * 100)),
        code("# " + "c" * 500),
        new_markdown_cell("w" * 500 + "\n\nhttps://" + "u" * 300),
        new_markdown_cell("$$" + "+".join(f"x_{{{i}}}" for i in range(60)) + "$$"),
    )
    text = text_of(reader)
    assert hundred in text
    assert "y" * 90 in text and "y" * 110 not in text and "c" * 110 not in text
    assert "w" * 110 not in text and "u" * 110 not in text
    assert positions_are_inside(reader, 595)
    assert min(size for _, _, size in pieces_of(reader)) > 4.5  # points


def pieces_of(reader):
    """(text, x, font size) of the pieces of text, lengths in points."""
    pieces = []

    def visit(text, cm, tm, font, size):
        if text.strip():
            pieces.append((text.strip(), cm[0] * tm[4] + cm[4], abs(size * tm[0] * cm[0])))

    for page in reader.pages:
        page.extract_text(visitor_text=visit)
    return pieces


def heights_of(reader):
    """Heights of the pieces of text on the first page, in points."""
    heights = []
    reader.pages[0].extract_text(
        visitor_text=lambda text, cm, tm, *_: heights.append(round(tm[5] + cm[5]))
    )
    return heights


def positions_are_inside(reader, width):
    return all(SIDE_MARGIN <= x <= width - SIDE_MARGIN for _, x, _ in pieces_of(reader))


# The command


class Result:
    """How a call of the command ended."""

    def __init__(self, returncode, printed):
        self.returncode = returncode
        self.stdout = printed.out
        self.stderr = printed.err.rsplit("\r", 1)[-1].lstrip()  # without the progress bar


@pytest.fixture
def run_tool(monkeypatch, capsys):
    """Calls the command as the shell does, but in this process, which saves the imports."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["make_pdf", *map(str, arguments)])
        try:
            make_pdf.main()
            status = 0
        except SystemExit as end:
            status = end.code
        return Result(status, capsys.readouterr())

    return run


def test_command_makes_the_same_pdf_twice_and_leaves_the_notebook_alone(
    complete, tmp_path, run_tool
):
    path = saved(complete, tmp_path)
    before = path.read_bytes(), path.stat().st_mtime_ns
    written, other = tmp_path / "w.pdf", tmp_path / "b.pdf"
    write_pdf(written, 2)
    first = run_tool(path, "--written", written, "--paper", "letter")
    assert first.returncode == 0, first.stderr
    pdf = path.with_suffix(".pdf").read_bytes()
    again = run_tool(path, "--written", written, "--paper", "letter", "-o", other)
    assert again.returncode == 0 and other.read_bytes() == pdf
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    rows = first.stdout.splitlines()
    assert re.fullmatch(r"  Written problems +1-2", rows[1])
    assert re.fullmatch(r"  2.1.1 Number of parameters +4", rows[2])
    sizes = [tuple(map(round, page.mediabox[2:])) for page in reader_of(pdf).pages]
    assert sizes[:3] == [(300, 400), (300, 400), PAPER_SIZES["letter"]]


def test_command_refuses_an_incomplete_notebook_unless_forced(complete, tmp_path, run_tool):
    clear_gradients(complete)
    not_run(complete)
    path = saved(complete, tmp_path)
    refused = run_tool(path)
    assert refused.returncode == 1 and not list(tmp_path.glob("*.pdf"))
    lines = refused.stderr.splitlines()
    assert len(lines) == 3 and "is not complete" in lines[2] and "--force" in lines[2]
    forced = run_tool(path, "--force")
    assert forced.returncode == 0 and path.with_suffix(".pdf").exists()
    assert "--written" in forced.stdout


def test_command_ends_with_one_line_when_a_file_is_wrong(complete, tmp_path, run_tool):
    path = saved(complete, tmp_path)
    write_pdf(path.with_suffix(".pdf"))
    for arguments, message in [
        ([tmp_path / "absent.ipynb"], "there is no such file"),
        ([path, "--written", path], "expected a PDF"),
        ([path, "--written", path.with_suffix(".pdf")], "name another file with -o"),
        ([path, "-o", path], "ends in .pdf"),
        ([path, "-o", tmp_path / "nowhere" / "x.pdf"], "cannot be written"),
    ]:
        before = sorted(tmp_path.iterdir())
        result = run_tool(*arguments)
        assert result.returncode == 1 and message in result.stderr, (arguments, result.stderr)
        assert len(result.stderr.splitlines()) == 1
        assert sorted(tmp_path.iterdir()) == before


def test_missing_packages_are_named_with_the_command_that_installs_them(monkeypatch):
    find = make_pdf.importlib.util.find_spec
    absent = {"typst", "pypandoc"}
    monkeypatch.setattr(
        make_pdf.importlib.util, "find_spec", lambda name: None if name in absent else find(name)
    )
    with pytest.raises(make_pdf.HandInError) as error:
        make_pdf.require_packages()
    assert 'pip install "pypandoc-binary>=1.17" "typst==0.14.9"' in str(error.value)
    absent.add("nbconvert")
    with pytest.raises(make_pdf.HandInError, match="pip install -r requirements.txt"):
        make_pdf.require_packages()


def test_packages_are_those_of_the_requirements():
    lines = (ROOT / "tools" / "requirements.txt").read_text().splitlines()
    required = {line.split("#")[0].strip() for line in lines}
    assert set(make_pdf.PACKAGES.values()) <= required


# The whole notebook


@pytest.fixture(scope="module", params=PAPER_SIZES)
def whole(request, tmp_path_factory):
    """The saved notebook with the written solutions: paper, pypdf.PdfReader, parts."""
    path = shutil.copy(NOTEBOOK, tmp_path_factory.mktemp("whole") / NAME)
    pdf, parts, warnings = hand_in_pdf.make_pdf(
        read_notebook(path), path, read_written(SOLUTIONS), paper=request.param
    )
    assert warnings == []
    return request.param, reader_of(pdf), {part.title.split()[0]: part for part in parts}


def text_of_part(reader, part):
    pages = reader.pages[part.first - 1 : part.last]
    return "\n".join(page.extract_text() for page in pages).replace("\u200b", "")


@pytest.mark.slow
def test_whole_notebook_has_its_code_outputs_and_answers(whole, saved_notebook):
    paper, reader, parts = whole
    text = text_of(reader)
    for cell in saved_notebook.cells:
        if cell.cell_type == "code":
            for line in cell.source.splitlines():
                assert line.strip() in text
        for output in cell.get("outputs", []):
            for line in output.get("text", "").splitlines():
                assert line.strip() in text
    for line in ["2V(d + 1)", "V (d + d"]:
        assert line not in text  # LaTeX
    assert "\x00" not in text and "\\frac" not in text and "$$" not in text
    fonts = {
        font.get_object()["/BaseFont"].split("+")[-1]
        for page in reader.pages
        for font in page["/Resources"]["/Font"].values()
    }
    assert all(font.startswith(("Libertinus", "NewCM", "DejaVu")) for font in fonts)
    assert {"Written", *(q.number for q in QUESTIONS)} == set(parts)


@pytest.mark.slow
def test_whole_notebook_prints_the_gradients_line_by_line(whole, saved_notebook):
    _, reader, parts = whole
    (cell,) = [c for c in saved_notebook.cells if "print_gradients" == grade_id(c)]
    shown = text_of_part(reader, parts["2.2.3"])
    assert cell.outputs[0].text.strip() in shown
    assert printed_gradients(shown) == printed_gradients(cell.outputs[0].text)


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


@pytest.mark.slow
def test_whole_notebook_has_its_plots_in_their_questions_large_and_inside_the_page(whole):
    paper, reader, parts = whole
    width, height = PAPER_SIZES[paper]
    places = [place for place in drawn(reader) if place[0] > parts["Written"].last]
    by_question = {
        number: [p for p in places if part.first <= p[0] <= part.last]
        for number, part in parts.items()
    }
    assert [len(by_question[number]) for number in ("2.1.4", "2.2.4", "2.3")] == [1, 1, 4]
    assert len(places) == 6
    captions = ["The masked language model:", "GLoVe, the asymmetric model", "And GLoVe with two"]
    for caption, (page, *_) in zip(captions, by_question["2.3"]):
        assert caption in reader.pages[page - 1].extract_text()
    for _, x, y, picture_width, picture_height in places:
        assert picture_width > 0.75 * (width - 2 * SIDE_MARGIN)
        assert SIDE_MARGIN <= x and x + picture_width <= width - SIDE_MARGIN
        assert 60 <= min(y, y + picture_height) and max(y, y + picture_height) <= height - 55


@pytest.mark.slow
def test_whole_notebook_stays_inside_the_margins_and_has_no_empty_page(whole):
    paper, reader, parts = whole
    width, height = PAPER_SIZES[paper]
    notebook = pypdf.PdfWriter()
    notebook.append(reader, pages=(parts["Written"].last, len(reader.pages)), import_outline=False)
    assert positions_are_inside(notebook, width)
    pictured = {page for page, *_ in drawn(reader)}
    for number, page in enumerate(reader.pages, start=1):
        if number > parts["Written"].last:
            assert tuple(map(round, page.mediabox[2:])) == (width, height)
        lines = page.extract_text().splitlines()
        assert len(lines) > 4 or number in pictured, number
        assert not re.fullmatch(r"(\d\.\d.*|[A-Z][a-z ]+)", lines[-3]) or number in pictured, lines


@pytest.mark.slow
def test_a_forced_pdf_of_a_notebook_in_ruins(saved_notebook, tmp_path, run_tool):
    ruin = copy.deepcopy(saved_notebook)
    for i, cell in enumerate(ruin.cells):
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "markdown":
            cell.source = cell.source[: len(cell.source) * 2 // 3] + STRANGE[i % 4]
        elif i % 3 == 0:
            cell.outputs = []
    path = saved(ruin, tmp_path)
    assert run_tool(path).returncode == 1
    assert run_tool(path, "--force").returncode == 0
    assert len(pypdf.PdfReader(path.with_suffix(".pdf")).pages) > 20
