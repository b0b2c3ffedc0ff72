"""Write what the grader found: a table, pages for students, Gradescope's files, answers to mark."""

import csv
import html
import io
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pypandoc
from tqdm import tqdm

from tools.common import write_atomically
from tools.questions import QUESTIONS

STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .35em .8em .35em 0 }
td, th { border-bottom: 1px solid #ddd }
th { background: #f3f3f3; padding-left: .5em }
.marks { white-space: nowrap; text-align: right }
.answer { display: grid; grid-template-columns: 1fr 1fr; gap: 2em; border-top: 1px solid #ddd }
iframe { width: 100%; height: 22em; resize: vertical; border: 1px solid #ddd }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.4 monospace }
"""
# What students wrote may hold anything: no script of theirs runs, no address of theirs is asked.
NO_SCRIPTS = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)
MAX_ANSWER = 20_000  # characters
PANDOC_SECONDS = 10  # for an answer; some texts take it minutes


@dataclass
class Result:
    """Everything about one submission.

    grades: list of `tools.grade.judge.Grade`; remarks: lines about the whole, for staff and student;
    warnings: lines for staff alone; answers: written answers by the number of the question.
    """

    student: str
    notebook: str = ""
    pdf: str = ""
    grades: list = field(default_factory=list)
    remarks: list = field(default_factory=list)
    warnings: list = field(default_factory=list)
    answers: dict = field(default_factory=dict)

    @property
    def automatic(self):
        """Grades that need no human."""
        return [grade for grade in self.grades if not grade.is_written]

    @property
    def marks(self):
        return round(sum(grade.marks for grade in self.automatic), 2)

    @property
    def out_of(self):
        return sum(grade.out_of for grade in self.automatic)


def number(marks):
    """Marks without needless zeros: 6, 4.5."""
    return f"{marks:g}"


def cell(text):
    """Text for a table that spreadsheet programs do not take for a formula."""
    return "'" + text if text[:1] in tuple("=+-@\t\r\n") else text


def csv_table(results):
    """Text of results.csv: a row a student, a column a question; written answers stay empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    questions = [f"{question.number} [{question.marks}]" for question in QUESTIONS]
    writer.writerow(["student", *questions, "automatic", "out of", "notebook", "pdf", "remarks"])
    for result in results:
        by_number = {grade.number: grade for grade in result.automatic}
        marks = [
            number(by_number[question.number].marks) if question.number in by_number else ""
            for question in QUESTIONS
        ]
        remarks = " | ".join([*result.remarks, *result.warnings])
        files = [cell(result.notebook), cell(result.pdf), cell(remarks)]
        total = [number(result.marks), number(result.out_of)]
        writer.writerow([cell(result.student), *marks, *total, *files])
    return stream.getvalue()


def page(title, body):
    """An HTML page, complete in itself."""
    title = html.escape(title)
    head = f'<meta charset="utf-8">{NO_SCRIPTS}<title>{title}</title>\n<style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en">{head}\n<h1>{title}</h1>\n{body}\n</html>\n'


def feedback_rows(grade):
    """Rows of a student's page for one question."""
    marks = "by hand" if grade.is_written else f"{number(grade.marks)} / {number(grade.out_of)}"
    title = html.escape(f"{grade.number} {grade.title}")
    yield f'<tr><th scope="rowgroup" colspan="2">{title}</th><th class="marks">{marks}</th></tr>'
    for item in grade.items:
        out_of = f" / {number(item.out_of)}" if item.out_of else ""
        cells = html.escape(item.name), html.escape(item.remark), number(item.marks) + out_of
        yield "<tr><td>{}</td><td>{}</td><td class=marks>{}</td></tr>".format(*cells)
    for remark in grade.remarks:
        yield f'<tr><td colspan="3">{html.escape(remark)}</td></tr>'


def feedback_page(result):
    """HTML for the student. Neither the key nor a right value is in it."""
    rows = "\n".join(row for grade in result.grades for row in feedback_rows(grade))
    remarks = "".join(f"<p>{html.escape(remark)}</p>" for remark in result.remarks)
    total = f"{number(result.marks)} of {number(result.out_of)} marks given automatically"
    return page(f"hw1: {result.student}", f"<p>{total}</p>\n{remarks}\n<table>\n{rows}\n</table>")


def markdown_to_html(text):
    """HTML of an answer. Formulas become MathML, which browsers show without help."""
    text = text[:MAX_ANSWER].encode(errors="replace").decode()
    as_it_is = f"<pre>{html.escape(text)}</pre>"
    if "$" not in text:  # pandoc takes its time
        return as_it_is
    command = [pypandoc.get_pandoc_path(), "--from=commonmark_x", "--to=html", "--mathml"]
    try:
        run = subprocess.run(
            command, input=text.encode(), capture_output=True, check=True, timeout=PANDOC_SECONDS
        )
    except subprocess.SubprocessError:
        return as_it_is
    return run.stdout.decode()


def in_a_frame(content):
    """HTML of a student's in a frame of its own, where it can do nothing to the page around it."""
    framed = f"<style>{STYLE}</style>{content}"
    return f'<iframe sandbox srcdoc="{html.escape(framed)}"></iframe>'


def rubric_page(question, reference_answer, results):
    """HTML for staff: every answer to a written question, beside the rubric."""
    points = "".join(f"<li>{html.escape(point)}</li>" for point in question.rubric)
    blocks = [f"<h2>Reference, {question.marks} marks</h2>{markdown_to_html(reference_answer)}"]
    for result in results:
        answer = result.answers.get(question.number, "")
        shown = in_a_frame(markdown_to_html(answer)) if answer else "<p>(no answer)</p>"
        name = f"<h3>{html.escape(result.student)}</h3>"
        rubric = f"<div><h3>Marks</h3><ul>{points}</ul></div>"
        blocks.append(f'<div class="answer"><div>{name}{shown}</div>{rubric}</div>')
    return page(f"{question.number} {question.title}", "\n".join(blocks))


def gradescope_test(grade):
    """A question in the form of Gradescope's results.json."""
    lines = [f"{item.name}: {number(item.marks)}; {item.remark}" for item in grade.items]
    return {
        "name": f"{grade.number} {grade.title}",
        "number": grade.number,
        "score": grade.marks,
        "max_score": grade.out_of,
        "output": "\n".join([*lines, *grade.remarks]),
        "output_format": "text",
    }


def gradescope_json(result, questions=QUESTIONS):
    """Text of Gradescope's results.json: the automatic questions.

    A question that is not judged yet has 0 marks and says so, for partial results.
    """
    by_number = {grade.number: grade for grade in result.automatic}
    tests = []
    for question in questions:
        if grade := by_number.get(question.number):
            tests.append(gradescope_test(grade))
        elif not question.is_written:
            waiting = {"number": question.number, "score": 0, "max_score": question.marks}
            name = f"{question.number} {question.title}"
            tests.append({"name": name, "output": "not judged yet"} | waiting)
    content = {
        "output": "\n".join(result.remarks) or "The written answers are marked by hand.",
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(content, indent=1) + "\n"


def file_names(students):
    """For each student a name for files, without signs that some system forbids, all different."""
    names = {}
    for student in students:
        plain = re.sub(r"[^\w.-]", "_", student, flags=re.ASCII).strip(".")[:80] or "unnamed"
        name, number = plain, 1
        while name.lower() in {other.lower() for other in names.values()}:
            number += 1
            name = f"{plain}-{number}"
        names[student] = name
    return names


def write_text(path, text):
    """Write a text as UTF-8, whatever a file name or an answer held. Raises OSError."""
    write_atomically(path, text.encode(errors="replace"))


def write_results(folder, results, reference_answers):
    """Write results.csv, feedback/, gradescope/ and written_answers/ into a folder.

    reference_answers: by the number of the question. Raises OSError.
    """
    folder = Path(folder)
    for name in ("feedback", "gradescope", "written_answers"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names = file_names([result.student for result in results])
    for result in results:
        name = names[result.student]
        write_text(folder / "feedback" / f"{name}.html", feedback_page(result))
        write_text(folder / "gradescope" / f"{name}.json", gradescope_json(result))
    write_text(folder / "results.csv", csv_table(results))

    def write_rubric_page(question):
        text = rubric_page(question, reference_answers[question.number], results)
        write_text(folder / "written_answers" / f"{question.number}.html", text)

    written = [question for question in QUESTIONS if question.is_written]
    with ThreadPoolExecutor(len(written)) as pool:
        list(tqdm(pool.map(write_rubric_page, written), "answers", len(written), leave=False))
