"""The PDF that students hand in: what it shows, and where."""

import ast
import io
import json
import re
import shutil
import sys

import nbformat
import pypdf
import pytest
from nbformat.v4 import new_raw_cell
from PIL import Image

from tests.commands import run_tool
from tests.pdf.notebooks import (
    NAME,
    as_base64,
    assert_shown,
    code,
    display,
    notebook_of,
    picture,
    questions,
    stream,
    text,
    typeset,
)
from tests.pdf.pages import (
    SIZE,
    assert_fonts_are_ours,
    filled,
    glyphs_of,
    pages_of,
    pictures_of,
    reader_of,
    text_of,
)
from tools.common import NOTEBOOK, ROOT
from tools.notebook import code_cells, printed, printed_gradients, read_notebook
from tools.pdf import __main__ as command
from tools.pdf.cells import overwritten, shortened
from tools.pdf.typeset import TypesetError, make_pdf, markdown_to_pdf, read_written
from tools.questions import QUESTIONS

SIDE_MARGIN = 56  # points, 2 cm


def assert_inside_the_page(pdf):
    assert all(SIDE_MARGIN <= x <= 595 - SIDE_MARGIN for _, _, x, _, _ in glyphs_of(pdf))
    for _, x, y, width, height in pictures_of(pdf):
        assert SIDE_MARGIN <= x and x + width <= 595 - SIDE_MARGIN
        assert 60 <= y and y + height <= 842 - 55


# The written part, and pages of the questions


def write_pdf(path, n_pages=2, password=None):
    writer = pypdf.PdfWriter()
    for _ in range(n_pages):
        writer.add_blank_page(300, 400)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(path)
    return path


def test_questions_begin_on_pages_of_their_own_and_the_table_says_which(tmp_path):
    written = read_written(write_pdf(tmp_path / "w.pdf", 3))
    pdf, all_parts, warnings = make_pdf(questions(), NAME, written, paper="letter")
    written, *parts = all_parts
    reader, pages = reader_of(pdf), pages_of(pdf)
    assert warnings == []
    assert (written.title, written.first, written.last) == ("Written problems", 1, 3)
    assert [part.title.split()[0] for part in parts] == [q.number for q in QUESTIONS]
    for part, after in zip(parts, parts[1:]):
        assert pages[part.first - 1].startswith(part.title)
        assert after.first == part.last + 1
    assert parts[-1].last == len(pages) and parts[2].first < parts[2].last
    for number, page in enumerate(pages, start=1):
        assert not page or page.endswith(f"{NAME} {number} / {len(pages)}")
    marks = [(m.title, reader.get_destination_page_number(m) + 1) for m in reader.outline]
    assert marks == [(part.title, part.first) for part in all_parts]
    sizes = {tuple(map(round, page.mediabox[2:])) for page in reader.pages}
    assert sizes == {(300, 400), SIZE["letter"]}


def test_questions_are_found_in_merged_cells_and_by_the_name_of_a_cell():
    unnamed = text("its title is gone")
    unnamed.metadata = {"nbgrader": {"grade_id": QUESTIONS[1].grade_id, "solution": True}}
    cells = [
        text("intro\n### 2.1.1 Number\n\none\n\n```\n# 3.5 no section\n```\n"),
        unnamed,
        text("### 2.1.1 again\n### 2.1.10 none\n## 2.2 ends a question\n### 2.2.1 later"),
    ]
    _, parts, warnings = make_pdf(notebook_of(*cells), NAME)
    found = [(part.title[:5], part.first, part.last) for part in parts]
    assert found == [("2.1.1", 2, 2), ("2.1.2", 3, 3), ("2.2.1", 5, 5)]
    assert sum("neither its title nor its cell" in warning for warning in warnings) == 6


# Content

MARKDOWN = {
    "## 1.1 Count \\[1pt\\]\n\nThe \\[MASK\\], f\\(x\\).": "1.1 Count [1pt]\nThe [MASK], f(x).",
    "| a | b |\n|---|---|\n| 1 |\n| 2 | 3 | 4 |": "a b\n1\n2 3",
    "| P | is |\n|---|---|\n| $P(y|x)$ | conditional |": "P is\n𝑃 (𝑦|𝑥) conditional",
    "- [x] done\n- [ ] open": "• ☒ done\n• ☐ open",
    "See [above](#nowhere), [here](https://x.org).": "See above, here.",
    "[link](https://x.org/?a=$b$) and `$` and $x$": "link and $ and 𝑥",
    "[named][1]\n\n[1]: https://y.org": "named",
    "a[^1] b[^n]\n\n[^1]: word\n\n- [^n]: https://x.org": "a[^1] b[^n]\n[^1]: word\n• [^n]: https://x.org",
    "`\\(x\\)`, `$y$`, ``$`z`$``: \\$5, not $6.": "\\(x\\), $y$, $`z`$: $5, not $6.",
    "```\n$v\n```\n~~~\n$w\n~~~\n$x$\n\n$a\n\nb$": "$v\n$w\n𝑥\n$a\nb$",
    "<code>$q$</code>\n\n    $r$ s": "$q$\n$r$ s",
    "3. three\n4. four": "3. three\n4. four",
    "1. one\n   - nested\n\n     more\n2. two": "1. one\n• nested\nmore\n2. two",
    "*a* **b** ~~c~~ <sub>d</sub> H<sup>2</sup> &lt;e&gt;": "a b c d H2 <e>",
    '#let x = 1 @at "q" _under #include': '#let x = 1 @at "q" _under #include',
    "<script>alert(1)</script><style>p{}</style><b>bold</b>": "bold",
    "<table><tr><td rowspan=2>m</td><td>n</td></tr><tr><td>o</td></tr></table>": "nm\no",
    "<ul><li>x<li>y</ul><table><tr><th>A<th>B<tr><td>1<td>2</table>": "• x\n• y\nA B\n1 2",
    "> quoted\n\n---\n\nword<br>next": "quoted\nword\nnext",
    "é Ж ω ∇ ≤ → ✓ ★ ½ 𝐱": "é Ж ω ∇ ≤ → ✓ ★ ½ 𝐱",
    "\x00\x07zero\u202f": "zero",
}


WIDGET = display(**{"application/vnd.jupyter.widget-view+json": {}, "text/plain": "a bar"})
BAR = stream("\r  0%| | 0/2\r          \r", "stderr")
TRACEBACK = ["\x1b[0;31mKeyError\x1b[0m: 'x'", "\x1b[38;5;241mline\x1b[39m 2"]
ERROR = {"output_type": "error", "ename": "KeyError", "evalue": "x"}


TABLE = "<style>x{}</style><table><tr><th>head</th></tr><tr><td>0.5</td><td>1.5</td></tr></table>"
OUTPUTS = [  # outputs of a cell, what is shown of them
    (
        [stream(" 0%| | 0/2\r 50%|#| 1/2\r"), stream("100%| 2/2\nall \x1b[1mdone")],
        "100%| 2/2 all done",
    ),
    ([stream("head\n"), WIDGET, BAR, stream("row 1")], "head row 1"),
    ([stream("careful", name="stderr")], "careful"),
    ([nbformat.from_dict(ERROR | {"traceback": TRACEBACK})], "KeyError: 'x' line 2"),
    ([nbformat.from_dict(ERROR | {"traceback": []})], "KeyError: x"),
    ([display(text_html=TABLE, text_plain="plain")], "head 0.5 1.5"),
    ([display(text_html="<b>bold</b>", text_plain="plain text")], "plain text"),
    ([display(text_html="<p>page</p>", text_plain="<IPython.core.display.HTML>")], "page"),
    ([display(text_latex=r"$\displaystyle \alpha$", text_plain="a")], "𝛼"),
]


def bitmap():
    content = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(content, "BMP")
    return content.getvalue()


DAMAGED = [
    {"image_png": "?? no base64"},
    {"image_png": as_base64(picture()[:400])},
    {"image_jpeg": as_base64(b"GIF")},
    {"image_jpeg": as_base64(bitmap())},
    {"image_svg+xml": "<svg broken"},
]


ABSENT = ["attachment:a.png", "no.png", "https://x.org/a.png", ""]  # addresses of pictures


def test_all_content_is_shown_as_jupyter_shows_it_or_as_its_source_with_a_warning(tmp_path):
    rows = [(text(markdown), words) for markdown, words in MARKDOWN.items()]
    rows += [(code("x", *outputs), f"x {words}") for outputs, words in OUTPUTS]
    rows += [
        (code("x", display(**data, text_plain=f"plain{i}")), f"x plain{i}", "not shown: a damaged")
        for i, data in enumerate(DAMAGED)
    ]
    for address in ABSENT:
        what = f"not shown: the picture {address}, which is neither attached to the cell nor in a"
        rows.append((text(f"![alt]({address})"), f"[{what} file]", what))
    rows += [
        (text("a <video></video>"), "a [not shown: <video>]", "not shown: <video>"),
        (new_raw_cell("raw text"), "raw text"),
        (text(r"**Text** $\nosuch{x}$ and $\alpha$"), r"Text $\nosuch{x}$ and 𝛼", "as its source"),
        (text("你好"), "你好", "characters that depend on the fonts of your computer: 你 好 -"),
    ]
    assert_shown(rows, path=tmp_path / NAME)


def test_links():
    pdf, _ = typeset(*map(text, MARKDOWN))
    links = [
        a.get_object()["/A"]["/URI"] for p in reader_of(pdf).pages for a in p.get("/Annots", [])
    ]
    assert links == ["https://x.org", "https://x.org/?a=$b$", "https://y.org"]


STRANGE = [
    '<div><table><tr><td>cell <b>bold\n\n</div></span> #hash [br](  $ lone "',
    "#include <x> #let x = 1 #pagebreak() `` ` `` ```\n~~~\n$$ $ \\",
    "](" * 50 + "[" * 200 + "*" * 200,
    "\\begin{align}",
    "<div>" * 400 + "deep",
    "> " * 300 + "deeper",
]


def test_strange_markdown_never_stops_the_pdf():
    pdf, _ = typeset(*(cell for source in STRANGE for cell in (text(source), code("after"))))
    assert text_of(pdf).count("after") == len(STRANGE)


def test_long_lines_are_wrapped_and_a_line_of_100_characters_is_not():
    hundred = "x = " + "1 + " * 23 + "1234"
    table = "\n".join("|" + "|".join([cell] * 24) + "|" for cell in ("head", "---", "1234567"))
    pdf, _ = typeset(
        code(hundred, stream("y" * 900 + " " + "word " * 100 + 3 * ("\n" + "y" * 4000))),
        code("# " + "c" * 500 + "\nx" + ".y" * 250),
        code("y", stream("=" * 60 + "\n" + "/very/long/path" * 100)),
        text("> " + "quoted text " * 1000),
        text("w" * 500 + "\n\nhttps://" + "u" * 300 + "\n\n`" + "z" * 300 + "`"),
        text("$$" + "+".join(f"x_{{{i}}}" for i in range(60)) + "$$"),
        text(table),
    )
    assert hundred in text_of(pdf)
    shown = text_of(pdf).replace("\u200b", "")
    assert all(letter * 110 not in shown for letter in "ycwuz")
    glyphs = glyphs_of(pdf)
    assert_inside_the_page(pdf)
    assert {round(y) for *_, y, _ in glyphs if y < 60} == {40}  # the footer
    assert min(size for *_, size in glyphs) > 4  # points
    cells = [(x, size) for _, word, x, _, size in glyphs if word == "1234567"]
    assert len(cells) == 24
    assert all(x + 7 * 0.45 * size < after for (x, size), (after, _) in zip(cells, cells[1:]))


def test_a_text_that_would_lose_something_is_refused(tmp_path):
    for markdown, message in [
        (r"$\nosuchmacro{x}$", "nosuchmacro"),
        ("![](missing.png)", "missing.png"),
        ("<video></video>", "video"),
    ]:
        with pytest.raises(TypesetError, match=message):
            markdown_to_pdf(markdown, tmp_path)


def test_lines_of_outputs():
    assert overwritten("a\rb\nc\r\nd\r") == "b\nc\nd"
    lines = shortened("\n".join(map(str, range(10_000)))).split("\n")
    assert lines[0] == "0" and lines[-1] == "9999" and "9650 lines left out" in lines[250]
    assert "195000 more characters" in shortened("z" * 200_000)


def test_short_leaves_out_the_code_that_was_handed_out_but_not_its_outputs():
    first, line = "import numpy\n\nx = 1", "import numpy"
    cells = [code(first, stream("a result")), code(f"{first}\nmine = 1")]
    assert text_of(typeset(*cells)[0]).count(line) == 2
    short = text_of(typeset(*cells, provided={"import numpy", "x = 1"})[0])
    assert short.count(line) == 1 and "a result" in short and "mine = 1" in short
    assert "without the code that was handed out" in short


# Pictures


def test_pictures_of_all_kinds_fit_on_the_page(tmp_path):
    (tmp_path / "beside it.png").write_bytes(picture())
    attached = text("![one](attachment:my%20plot.png) ![two](beside%20it.png)")
    attached.attachments = {"my plot.png": {"image/png": as_base64(picture())}}
    outputs = [display(image_png=as_base64(picture(size=s))) for s in [(6, 4), (30, 4), (4, 40)]]
    outputs.append(display(image_jpeg=as_base64(picture("jpg"))))
    data = f'<img src="data:image/png;base64,{as_base64(picture())}" width="200">'
    pdf, warnings = typeset(attached, code("x", *outputs), text(data), path=tmp_path / NAME)
    assert warnings == []
    places = pictures_of(pdf)
    assert len(places) == 7
    assert_inside_the_page(pdf)
    assert abs(places[2][3] - 6 * 72) < 1  # 6 inches
    assert places[-1][3] == pytest.approx(200 * 72 / 96, abs=1)


def test_svg_pictures_are_drawn():
    sizes = [
        len(reader_of(typeset(code("x", *outputs))[0]).pages[0].get_contents().get_data())
        for outputs in ([], [display(**{"image_svg+xml": picture("svg").decode()})])
    ]
    assert sizes[1] > sizes[0] + 500


# Pages


def test_code_is_broken_at_blank_lines():
    functions = "\n\n".join(f"def f{i}():\n" + "    pass\n" * 8 for i in range(30))
    pages = pages_of(typeset(code(functions))[0])
    assert len(pages) > 3 and all(page.startswith("def f") for page in pages)


@pytest.mark.parametrize(
    "cells, alone, follows",
    [
        ([code("import a\n\n" + "    pass\n" * 20)], "import a", "pass"),
        ([text("word " * 100 + "\n\n## Title"), code("y = 1\n" * 9)], "Title", "y = 1"),
    ],
)
def test_neither_a_line_of_code_nor_a_title_is_alone_at_the_foot_of_a_page(cells, alone, follows):
    for n_lines in range(54, 72, 2):
        first = pages_of(typeset(code("x", stream("row\n" * n_lines)), *cells)[0])[0]
        assert alone not in first or follows in first, n_lines


@pytest.mark.parametrize("n_lines", [4, 14, 25, 50])
def test_no_page_is_nearly_empty(n_lines):
    """Whatever stands before pictures, tables and short outputs, which are not split."""
    plot = display(image_png=as_base64(picture(size=(7, 8.5))))
    output = stream("\n".join(f"row {i}" for i in range(24)))
    cells = [code("x", stream("\n".join(map(str, range(n_lines)))))]
    for _ in range(3):
        cells += [text("### Title\n\nA short text."), code("plot()\n" * 9, plot), code("y", output)]
    pdf, _ = typeset(*cells)
    assert min(filled(pdf)[:-1]) > 1 / 3
    assert min(height for *_, height in pictures_of(pdf)) > 0.7 * 8.5 * 72


# The command


@pytest.fixture
def incomplete(tmp_path):
    path = tmp_path / NAME
    path.write_text(json.dumps(questions()))
    return path


def test_command_makes_the_same_pdf_twice_but_of_an_incomplete_notebook_only_if_forced(incomplete):
    before, path = incomplete.read_bytes(), incomplete.with_suffix(".pdf")
    status, _, errors = run_tool(command, incomplete)
    assert status == 1 and not path.exists()
    assert "is not complete" in errors.splitlines()[-1] and "--force" in errors
    status, output, _ = run_tool(command, incomplete, "--force", "--short")
    assert status == 0 and "--written" in output
    again = path.with_name("again.pdf")
    assert run_tool(command, incomplete, "--force", "--short", "-o", again)[0] == 0
    assert path.read_bytes() == again.read_bytes()
    assert incomplete.read_bytes() == before


def test_command_ends_with_one_line_when_a_file_is_wrong(incomplete, tmp_path):
    damaged = tmp_path / "damaged.pdf"
    damaged.write_bytes((ROOT / "written" / "solutions.pdf").read_bytes()[:5000])
    locked = write_pdf(tmp_path / "locked.pdf", password="secret")
    for arguments, message in [
        ([tmp_path / "absent.ipynb"], "absent.ipynb: No such file"),
        ([locked], "locked.pdf: found no Jupyter notebook"),
        ([incomplete, "--written", incomplete], f"{incomplete}: found no PDF that can be read"),
        ([incomplete, "--written", damaged], "damaged.pdf: found no PDF that can be read"),
        ([incomplete, "--written", locked], "locked.pdf: found no PDF that can be read (File has"),
        ([incomplete, "--written", write_pdf(tmp_path / "w.pdf", 0)], "it has no pages"),
        ([incomplete, "--written", tmp_path], "Is a directory"),
        ([incomplete, "--written", tmp_path / "no.pdf"], "no.pdf: No such file"),
        ([incomplete, "-o", incomplete], "ends in .pdf"),
        ([incomplete, "--written", locked, "-o", locked], "would be overwritten"),
    ]:
        before = locked.read_bytes()
        status, _, errors = run_tool(command, *arguments)
        assert status == 1 and message in errors and len(errors.splitlines()) == 1
        assert locked.read_bytes() == before


def test_an_old_python_is_told_before_anything_else(monkeypatch):
    source = (ROOT / "tools" / "pdf" / "__main__.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    package = (ROOT / "tools" / "__init__.py").read_text(encoding="utf-8")  # imported before it
    assert "import" not in package
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    monkeypatch.setattr(sys, "version", "3.9.18 (main)")
    monkeypatch.setattr(sys, "path", [])  # nothing else can be imported
    with pytest.raises(SystemExit, match="this is Python 3.9.18: install Python 3.11 or newer"):
        exec(compile(source, "__main__.py", "exec"), {"__name__": "__main__"})


def test_a_missing_package_ends_it_with_the_command_that_installs_all(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "interpreter", lambda: ".venv/bin/python")
    monkeypatch.setitem(sys.modules, "tools.pdf.typeset", None)
    status, _, errors = run_tool(command, tmp_path / NAME)
    assert status == 1 and "tools.pdf.typeset" in errors
    assert ".venv/bin/python -m pip install -r tools/requirements.txt" in errors


def test_the_interpreter_is_that_of_the_environment_beside_the_notebook(tmp_path):
    assert command.interpreter(tmp_path).startswith("python")
    for name in (".venv/Scripts/python.exe", ".venv/bin/python"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
        assert command.interpreter(tmp_path).replace("\\", "/") == name


# The whole notebook


@pytest.mark.slow
def test_whole_notebook(tmp_path):
    """Code, outputs, answers and plots, in their questions, inside pages that are not empty."""
    shutil.copy(NOTEBOOK, tmp_path / NAME)
    status, output, errors = run_tool(command, tmp_path / NAME)
    assert (status, errors) == (0, "")
    rows = re.findall(r"^  ([\d.]+) .+? (\d+)(?:-(\d+))?$", output, re.MULTILINE)
    parts = {number: range(int(first), int(last or first) + 1) for number, first, last in rows}
    assert set(parts) == {question.number for question in QUESTIONS}
    notebook = read_notebook(NOTEBOOK)
    pdf = (tmp_path / NAME).with_suffix(".pdf").read_bytes()
    pages, found = pages_of(pdf), text_of(pdf)

    for cell in code_cells(notebook):
        lines = cell.source.splitlines() + printed(cell).splitlines()
        assert [line for line in lines if line.strip() not in found] == []
    assert not any(part in found for part in ("\x00", "\\frac", "$$"))
    assert_fonts_are_ours(pdf)
    gradients = printed_gradients(found)
    assert printed_gradients("\n".join(pages[n - 1] for n in parts["2.2.3"])) == gradients != {}

    places = pictures_of(pdf)
    assert len(places) == sum(
        "image/png" in output.get("data", {}) for c in code_cells(notebook) for output in c.outputs
    ) + sum(len(cell.get("attachments", {})) for cell in notebook.cells)
    for number in ("2.1.4", "2.2.4", "2.3"):
        assert any(page in parts[number] for page, *_ in places)
    assert_inside_the_page(pdf)
    assert min(width for *_, width, _ in places) > 0.75 * (595 - 2 * SIDE_MARGIN)

    ends = [bool(re.match(r"\d\.\d", page)) for page in pages[1:]] + [True]
    shares = filled(pdf)
    assert [
        n for n, (share, end) in enumerate(zip(shares, ends), 1) if share < 1 / 3 and not end
    ] == []
