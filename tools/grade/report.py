"""What people read: a table, pages for students, and the written answers for who marks them.

All of it is made from the results that are there, one JSON file a submission in `JUDGED`.
"""

import base64
import csv
import html
import io
import json
import re
from collections import Counter
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


def picture_urls(attachments):
    """Data URLs of the pictures that were pasted into a cell, by name."""
    found = {}
    for name, kinds in attachments.items():
        for kind, data in kinds.items():
            if re.fullmatch(r"image/(png|jpeg|gif|webp)", kind):
                found[name] = f"data:{kind};base64,{''.join(data.split())}"
    return found


def answer_html(cell):
    """HTML of one cell of an answer, with its pictures."""
    urls = picture_urls(cell.get("attachments", {}))

    def keep(found):
        """Make a picture in the text an attachment, too."""
        urls[f"in-the-text-{len(urls)}"] = found[0]
        return f"attachment:in-the-text-{len(urls) - 1}"

    def show(found):
        return f'src="{html.escape(urls.get(unquote(found[1]), ""))}"'

    source = cell["source"].encode(errors="replace").decode()
    source = re.sub(r"data:image/[\w+;,/=-]*", keep, source)
    if len(source) > LARGEST_ANSWER:
        return f"<pre>{html.escape(source[:LARGEST_ANSWER])}</pre><p>(cut here)</p>"
    try:
        shown = markdown.render(source)
    except Exception:  # what no answer does by chance must not keep the others from being shown
        return f"<pre>{html.escape(source)}</pre>"
    return re.sub(r'src="attachment:([^"]*)"', show, shown)


# Pages


def feedback_page(result):
    """HTML for the student."""
    title = f"hw1: {result['student']}"
    return PAGES.get_template("feedback.html").render(result, title=title, totals=totals(result))


def save_pictures(result, folder):
    """Write the plots of a result into a folder; return their names by the number of the question.

    In the pages themselves they would be too many.
    """
    names = {}
    for question, urls in result["pictures"].items():
        names[question] = []
        for number, url in enumerate(urls):
            name = f"{file_name(result['submission'])}-{question}-{number}.png"
            try:
                picture = base64.b64decode(url.partition(",")[2], validate=True)
            except ValueError:  # no picture
                continue
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / name, picture)
            names[question].append(name)
    return names


def cells_html(cells):
    return Markup("".join(map(answer_html, cells)))


def written_page(question, reference, results):
    """HTML for staff about a written question.

    reference: cells of the answer of the reference. results: their pictures are names of files.
    """
    return PAGES.get_template("written_answers.html").render(
        title=f"{question.number} {question.title}",
        question=question,
        rubric=RUBRIC[question.number],
        reference=reference,
        results=results,
        pictures=PICTURES,
        cells_html=cells_html,
        url=lambda path: Path(path).as_uri(),
    )


# All of it


def write_report(folder, notebook=NOTEBOOK):
    """Write the table, feedback/ and written_answers/ from the results in a folder.

    notebook: path of the reference, which has the answers. Returns the results. Raises OSError.
    """
    folder, results = Path(folder), []
    place = folder / "written_answers"
    for path in sorted((folder / JUDGED).glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        name = f"{file_name(result['submission'])}.html"
        write_text(folder / "feedback" / name, feedback_page(result))
        result["pictures"] = save_pictures(result, place / PICTURES)
        results.append(result)
    results.sort(key=lambda result: (result["student"], result["submission"]))
    write_table(folder, results)
    node = read_notebook(notebook)
    right = answers(node, provided_lines(node))
    for question in QUESTIONS:
        if question.is_written:
            text = written_page(question, right[question.number], results)
            write_text(place / f"{question.number}.html", text)
    return results
