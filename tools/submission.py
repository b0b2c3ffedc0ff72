"""Read a submitted notebook, whatever its state: solutions, printed figures, written answers.

Cells are found by their nbgrader id, and by what they define or the title before them where an
editor has lost the ids. Nothing of the submission is executed here.
"""

import ast
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from tools.questions import QUESTIONS
from tools.submitted_notebook import (
    final_figures,
    grade_id,
    printed,
    printed_gradients,
    read_notebook,
)

FUNCTIONS = ("grad_GLoVe", "compute_loss_derivative", "back_propagate")
MAX_SOURCE = 200_000  # characters of a cell
UNI = re.compile(r"hw1_code_([A-Za-z0-9]+)")
PLACEHOLDERS = ("YOUR ANSWER HERE", "")


@dataclass
class Submission:
    """What a grader needs of a notebook.

    solutions: by the name of a function, the source that defines it.
    written: names of the functions that do not raise NotImplementedError any more.
    extras: sources of other definitions of the student's that the solutions use.
    printed: by `name[index]`, the last value that `print_gradients` printed, a float.
    final: by the name of a split, the last printed final cross-entropy, a float.
    answers: by the number of a question, the written answer; "" if there is none.
    remarks: by the number of a question (or "" for the whole), lines about what was found.
    """

    solutions: dict = field(default_factory=dict)
    written: set = field(default_factory=set)
    extras: list = field(default_factory=list)
    printed: dict = field(default_factory=dict)
    final: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    remarks: dict = field(default_factory=dict)

    def remark(self, number, text):
        self.remarks.setdefault(number, []).append(text)


MAGIC = re.compile(
    r"^([ \t]*)(?:[%!?].*"  # %magic, !command, ?help
    r"|[\w., \t]+=[ \t]*[%!].*"  # x = %magic
    r"|[\w.]+\?+[ \t]*)$",  # help?
    re.MULTILINE,
)


def parse(source):
    """Syntax tree of a cell, without IPython's own lines. Raises SyntaxError."""
    if len(source) > MAX_SOURCE:
        raise SyntaxError("the cell is too long")
    try:
        try:
            return ast.parse(source)
        except SyntaxError:
            return ast.parse(MAGIC.sub(r"\1pass", source))
    except (ValueError, MemoryError, RecursionError) as error:
        raise SyntaxError(f"the cell cannot be parsed ({type(error).__name__})") from error


def text_of(tree):
    """Source of a syntax tree. Raises SyntaxError if it is nested too deeply."""
    try:
        return ast.unparse(tree)
    except (ValueError, MemoryError, RecursionError) as error:
        raise SyntaxError(f"the code is too complicated ({type(error).__name__})") from error


def can_be_parsed(source):
    try:
        parse(source)
    except SyntaxError:
        return False
    return True


def blocks(notebook):
    """Pairs (grade id, source) of the code cells.

    A cell that begins with indented code is the rest of the cell before, which somebody has split,
    if the two make sense together.
    """
    found = []
    for cell in notebook.cells:
        source = cell.source.strip("\n")
        if cell.cell_type != "code" or not source.strip():
            continue
        if found and source[0] in " \t" and can_be_parsed(f"{found[-1][1]}\n{source}"):
            found[-1] = found[-1][0], f"{found[-1][1]}\n{source}"
        else:
            found.append((grade_id(cell), textwrap.dedent(source)))
    return found


def defines(statement, name):
    """Whether a statement defines a function, by `def` or by an assignment."""
    if isinstance(statement, ast.Assign):
        return any(isinstance(node, ast.Name) and node.id == name for node in statement.targets)
    return isinstance(statement, ast.FunctionDef) and statement.name == name


def function_definition(tree, name):
    """The last definition of a function in a tree, at the top or in a class; None without one."""
    found = None
    for statement in tree.body:
        inside = statement.body if isinstance(statement, ast.ClassDef) else [statement]
        found = next((node for node in inside[::-1] if defines(node, name)), found)
    return found


def is_unwritten(function):
    """Whether a function still raises NotImplementedError, as the handed-out version does."""
    raised = [node.exc for node in ast.walk(function) if isinstance(node, ast.Raise) and node.exc]
    return any(ast.unparse(error).startswith("NotImplementedError") for error in raised)


@dataclass
class Candidate:
    """A cell that defines a function; the best one has the largest `rank`."""

    rank: tuple
    text: str
    is_written: bool


def candidate(tree, name, order):
    """The Candidate in a cell, or None. Raises SyntaxError.

    A function that is written ranks higher than one that is not, a `def` higher than an assignment,
    and a later cell higher than an earlier one.
    """
    function = function_definition(tree, name)
    if function is None:
        return None
    is_method = function not in tree.body
    text = text_of(function if is_method else tree)
    is_written = not is_unwritten(function)
    return Candidate((is_written, isinstance(function, ast.FunctionDef), order), text, is_written)


def find_solutions(notebook, submission):
    """Fill in `submission.solutions` and `submission.written`, and remark on what is missing."""
    cells = blocks(notebook)
    for question in QUESTIONS:
        name = question.grade_id
        if name not in FUNCTIONS:
            continue
        candidates, problems = [], []
        for order, (identifier, source) in enumerate(cells):
            try:
                candidates.append(candidate(parse(source), name, order))
            except SyntaxError as error:
                if identifier == name or re.search(rf"def +{name}\b", source):
                    place = f" in line {error.lineno}" if error.lineno else ""
                    problems.append(f"{name}: syntax error{place}: {error.msg}")
        candidates = [found for found in candidates if found]
        remark = submission.remark
        if not candidates:
            remark(question.number, problems[-1] if problems else f"no cell defines {name}")
            continue
        best = max(candidates, key=lambda found: found.rank)
        submission.solutions[name] = best.text
        if not best.is_written:
            remark(question.number, f"{name} still raises NotImplementedError")
            continue
        submission.written.add(name)
        if sum(found.is_written for found in candidates) > 1:
            remark(question.number, f"{name} is defined several times; the last one is judged")


def names_defined(statement):
    """Names that a statement defines; `Model.name` for an attribute of a class."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(f"Model.{node.attr}")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= names_defined(node)
    return names


def names_used(tree):
    """Names that code uses, and its attributes as `Model.name`."""
    nodes = list(ast.walk(tree))
    attributes = {f"Model.{node.attr}" for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {node.id for node in nodes if isinstance(node, ast.Name)}


def own_statements(notebook, provided):
    """Top-level statements of the student's, methods that were added to the class Model included.

    provided: names that the handed-out notebook defines; a changed one does not count.
    """
    for _, source in blocks(notebook):
        try:
            body = parse(source).body
        except SyntaxError:
            continue
        for statement in body:
            if isinstance(statement, ast.ClassDef) and statement.name == "Model":
                methods = [node for node in statement.body if isinstance(node, ast.FunctionDef)]
                for method in methods:
                    if method.name not in (*provided, *FUNCTIONS):
                        assignment = ast.parse(f"Model.{method.name} = {method.name}").body
                        yield {f"Model.{method.name}"}, [method, *assignment]
                continue
            names = names_defined(statement)
            methods = {name.removeprefix("Model.") for name in names}
            if names and not methods & {*provided, *FUNCTIONS, "checking", "np", "Model"}:
                yield names, [statement]


def find_extras(notebook, submission, provided):
    """Fill in `submission.extras`: what the solutions use of the student's own definitions."""
    statements = list(own_statements(notebook, provided))
    needed = set()
    for text in submission.solutions.values():
        needed |= names_used(ast.parse(text))
    chosen, before = set(), -1
    while len(chosen) > before:  # what the chosen ones use is needed too
        before = len(chosen)
        for number, (names, body) in enumerate(statements):
            if number not in chosen and names & needed:
                chosen.add(number)
                needed |= names_used(ast.Module(body, []))
    for number in sorted(chosen):
        try:
            submission.extras.append(text_of(ast.Module(statements[number][1], [])))
        except SyntaxError:
            continue


def find_outputs(notebook, submission):
    """Fill in `submission.printed` and `submission.final`."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            submission.printed.update(printed_gradients(printed(cell)))
            submission.final.update(final_figures(printed(cell)))


def find_answers(notebook, submission, provided):
    """Fill in `submission.answers`: cells with the id of the answer, and others in its section.

    provided: texts of the Markdown cells that were handed out, which are nobody's answers.
    """
    written = [question for question in QUESTIONS if question.is_written]
    texts = {question.number: [] for question in written}
    section = None
    for cell in notebook.cells:
        text = cell.source.strip()
        if cell.cell_type == "code":
            continue
        if text.startswith("#"):
            level = len(text) - len(text.lstrip("#"))
            new = next((q for q in written if text.startswith(q.heading + " ")), None)
            if new or (section and level <= section.heading.count("#")):
                section = new
        question = next((q for q in written if q.grade_id == grade_id(cell)), section)
        if question and text not in {*PLACEHOLDERS, *provided}:
            texts[question.number].append(text)
    submission.answers = {number: "\n\n".join(parts) for number, parts in texts.items()}


def read_submission(path, reference):
    """The Submission in a file.

    reference: `tools.judge.Reference`, which knows what was handed out.

    Raises NotebookError if the file is no notebook.
    """
    notebook, submission = read_notebook(path), Submission()
    if not UNI.search(Path(path).name):
        submission.remark("", f"the file is named {Path(path).name}, not hw1_code_<uni>.ipynb")
    find_solutions(notebook, submission)
    find_extras(notebook, submission, reference.names)
    find_outputs(notebook, submission)
    find_answers(notebook, submission, reference.texts)
    return submission
