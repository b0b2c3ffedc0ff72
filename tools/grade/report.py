"""What people read: a table, pages for students, and the written answers for who marks them.

All of it is made from the results that are there, one JSON file a submission in `JUDGED`.
"""

import base64
import csv
import hashlib
import html
import io
import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import jinja2
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markupsafe import Markup
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.common import NOTEBOOK, write_atomically
from tools.grade.judge import automatic, totals
from tools.grade.submission import JUDGED, file_name, write_text
from tools.notebook import answers, provided_lines, read_notebook
from tools.questions import QUESTIONS
from tools.rubric import RUBRIC

TABLE = "results.csv"
LARGEST_FIELD = 2000  # characters; what is longer, the csv module does not read
LARGEST_ANSWER = 20_000  # characters without pictures
PICTURES = "pictures"  # folder beside the pages of answers
MARKS = {question.number: f"{question.number} [{question.marks}]" for question in QUESTIONS}
COLUMNS = ("submission", "student", *MARKS.values(), "automatic", "out of", "remarks")
PAGES = jinja2.Environment(  # escapes what is put into a page
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    **{"autoescape": True, "trim_blocks": True, "lstrip_blocks": True},
)


# The table


def plain(text):
    """Text for a table that spreadsheet programs do not take for a formula."""
    text = re.sub(r"\s+", " ", text)[:LARGEST_FIELD]
    return "'" + text if text[:1] in tuple("=+-@") else text


def remarks_of(result, n_namesakes=1):
    """All that staff should know about a submission, the first error of its code above all."""
    lines = [*result["remarks"], *result["staff"]]
    if n_namesakes > 1:
        lines.append(f"{n_namesakes} submissions are named {result['student']}")
    for question in automatic(result):
        found = [*question["remarks"], *question["staff"]]
        lost = [item for item in question["items"] if item["marks"] < item["out_of"]]
        if not (question["remarks"] and lost and lost[0]["remark"] == "no result"):
            found += [f"{item['name']}: {item['remark']}" for item in lost[:1]]
        lines += [f"{question['number']}: {line}" for line in found]
    return " | ".join(dict.fromkeys(lines))


def rows_of(results):
    """The rows of the table as the grader makes it: by submission, dicts from columns to text."""
    names = Counter(result["student"].casefold() for result in results)
    rows = {}
    for result in results:
        given, out_of = totals(result)
        remarks = remarks_of(result, names[result["student"].casefold()])
        row = {"submission": result["submission"], "student": result["student"]}
        row |= {MARKS[q["number"]]: f"{q['marks']:g}" for q in automatic(result)}
        row |= {"automatic": f"{given:g}", "out of": f"{out_of:g}", "remarks": remarks}
        row = {column: plain(text) for column, text in row.items()}
        rows[row["submission"]] = row
    return rows


def read_table(path):
    """The rows of a table by submission; a spreadsheet may have saved it."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # saved by a spreadsheet program of Windows
        text = content.decode("cp1252", errors="replace")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    return {row.get("submission", ""): row for row in reader}


def write_rows(path, rows):
    columns = dict.fromkeys([*COLUMNS, *(column for row in rows for column in row if column)])
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def is_same(text, other):
    try:
        return float(text.replace(",", ".")) == float(other.replace(",", "."))
    except ValueError:
        return text.strip() == other.strip()


def write_table(folder, results):
    """Write the table. What a human typed into it stays, as do the rows of others.

    Typed is what differs from the table as the grader wrote it last time, of which it keeps a copy.
    """
    new, table = rows_of(results), read_table(folder / TABLE)
    written = read_table(folder / JUDGED / TABLE)
    write_rows(folder / JUDGED / TABLE, new.values())
    fixed = {None, *COLUMNS} - set(MARKS.values())  # None: of what is beyond the last column
    for name in new.keys() & table.keys():
        for column, text in table[name].items():
            last = written.get(name, {}).get(column, "")
            if column not in fixed and text and not is_same(text, last):
                new[name][column] = text
    write_rows(folder / TABLE, [row for _, row in sorted((table | new).items())])


# Written answers: Markdown, with formulas as MathML, which browsers show without help. The HTML
# holds no element of a student's own, and needs no network.


def mathml(formula, options):
    """MathML of a formula, or its source where that cannot be read."""
    source = re.sub(r"\\(begin|end)\{(aligned|align|split|eqnarray)\*?\}", r"\\\1{align*}", formula)
    # latex2mathml copies what it does not know, so that the signs of HTML come back escaped.
    source = source.translate(str.maketrans('<>"', "\ue000\ue001\ue002"))
    try:
        made = convert(source.strip(), display="block" if options["display_mode"] else "inline")
    except Exception:  # its errors have no common class
        return f"<code>{html.escape(formula)}</code>"
    return re.sub("[\ue000-\ue002]", lambda m: html.escape('<>"'[ord(m[0]) - 0xE000]), made)


def display_mathml(formula):
    return mathml(formula, {"display_mode": True})


markdown = MarkdownIt("js-default")  # refuses HTML and links that run something
markdown.use(dollarmath_plugin, allow_labels=False, allow_space=False, renderer=mathml)
markdown.use(amsmath_plugin, renderer=display_mathml)


def save_picture(folder, url):
    """Write the picture of a data URL into a folder; return its address in a page, or "".

    In the pages themselves the pictures of all students would be too much for a browser.
    """
    found = re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,(.*)", url, re.DOTALL)
    try:
        picture = base64.b64decode("".join(found[2].split()), validate=True)
    except (TypeError, ValueError):  # no picture
        return ""
    name = f"{hashlib.sha256(picture).hexdigest()[:24]}.{found[1]}"
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    write_atomically(folder / PICTURES / name, picture)
    return f"{PICTURES}/{name}"


def answer_html(cell, save):
    """HTML of one cell of an answer. save: makes an address of the data URL of a picture."""
    pasted = {
        name: save(f"data:{kind};base64,{data}")
        for name, kinds in cell.get("attachments", {}).items()
        for kind, data in kinds.items()
    }
    source = cell["source"].encode(errors="replace").decode()
    source = re.sub(r"attachment:([^\s\"')]+)", lambda m: pasted.get(unquote(m[1]), ""), source)
    source = re.sub(r"data:image/[\w+;,/=-]*", lambda m: save(m[0]), source)
    if len(source) > LARGEST_ANSWER:
        return f"<pre>{html.escape(source[:LARGEST_ANSWER])}</pre><p>(cut here)</p>"
    try:
        return markdown.render(source)
    except Exception:  # what no answer does by chance must not keep the others from being shown
        return f"<pre>{html.escape(source)}</pre>"


# Pages


def feedback_page(result):
    """HTML for the student."""
    title = f"hw1: {result['student']}"
    return PAGES.get_template("feedback.html").render(result, title=title, totals=totals(result))


def written_page(question, reference, results, save):
    """HTML for staff about a written question.

    reference: cells of the answer of the reference. save: as `answer_html` has it.
    """

    def cells_html(cells):
        return Markup("".join(answer_html(cell, save) for cell in cells))

    return PAGES.get_template("written_answers.html").render(
        title=f"{question.number} {question.title}",
        question=question,
        rubric=RUBRIC[question.number],
        reference=reference,
        results=results,
        save=save,
        cells_html=cells_html,
        url=lambda path: Path(path).as_uri(),
    )


# All of it


def write_report(folder, notebook=NOTEBOOK):
    """Write the table, feedback/ and written_answers/ from the results in a folder.

    notebook: path of the reference, which has the answers. Returns the results. Raises OSError.
    """
    folder = Path(folder)
    results = [json.loads(path.read_bytes()) for path in (folder / JUDGED).glob("*.json")]
    results.sort(key=lambda result: (result["student"], result["submission"]))
    write_table(folder, results)
    for result in results:
        name = f"{file_name(result['submission'])}.html"
        write_text(folder / "feedback" / name, feedback_page(result))
    node = read_notebook(notebook)
    right = answers(node, provided_lines(node))
    place = folder / "written_answers"
    for question in QUESTIONS:
        if question.is_written:
            save = partial(save_picture, place)
            text = written_page(question, right[question.number], results, save)
            write_text(place / f"{question.number}.html", text)
    return results
