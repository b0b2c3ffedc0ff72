"""Read a submitted notebook, whatever its state: solutions, printed figures, written answers.

Cells are found by their nbgrader id, and by what they define or the title before them where an
editor has lost the ids. Nothing of the submission is executed here.
"""

import ast
import re
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
    extras: sources of other definitions that the student added.
    printed: by `name[index]`, the last value that `print_gradients` printed, a float.
    final: by the name of a split, the last printed final cross-entropy, a float.
    answers: by the number of a question, the written answer; "" if there is none.
    remarks: by the number of a question (or "" for the whole), lines about what was found.
    """

    solutions: dict = field(default_factory=dict)
    extras: list = field(default_factory=list)
    printed: dict = field(default_factory=dict)
    final: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    remarks: dict = field(default_factory=dict)

    def remark(self, number, text):
        self.remarks.setdefault(number, []).append(text)


def without_magics(source):
    """The source with IPython's own lines (%magic, !command, ?help) replaced by `pass`."""
    return re.sub(r"^(\s*)(?:[%!?].*|.*\?)$", r"\1pass", source, flags=re.MULTILINE)


def parse(source):
    """Syntax tree of a cell. Raises SyntaxError with a message in one line."""
    if len(source) > MAX_SOURCE:
        raise SyntaxError("the cell is too long")
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse(without_magics(source))
    except (ValueError, MemoryError, RecursionError) as error:
        raise SyntaxError(f"the cell cannot be parsed ({type(error).__name__})") from error


def blocks(notebook):
    """Pairs (grade id, source) of the code cells.

    A cell that begins with indented code is the rest of the cell before, which somebody has split.
    """
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if found and cell.source.lstrip("\n")[0] in " \t":
            found[-1] = found[-1][0], found[-1][1] + "\n" + cell.source
        else:
            found.append((grade_id(cell), cell.source))
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


def find_solutions(notebook, submission):
    """Fill in `submission.solutions`, and remark on what is missing."""
    cells = blocks(notebook)
    for question in QUESTIONS:
        name = question.grade_id
        if name not in FUNCTIONS:
            continue
        candidates, problems = [], []
        for identifier, source in cells:
            try:
                tree = parse(source)
            except SyntaxError as error:
                if identifier == name or re.search(rf"def +{name}\b", source):
                    problems.append(f"syntax error in line {error.lineno}: {error.msg}")
                continue
            function = function_definition(tree, name)
            if function is not None:
                is_method = function not in tree.body
                text = ast.unparse(function if is_method else tree)
                candidates.append((not is_unwritten(function), len(candidates), text))
        if candidates:
            is_written, _, submission.solutions[name] = max(candidates)
            if sum(c[0] for c in candidates) > 1:
                submission.remark(
                    question.number, f"{name} is defined several times; the last one is judged"
                )
            if not is_written:
                submission.remark(question.number, f"{name} still raises NotImplementedError")
        elif problems:
            submission.remark(question.number, f"{name}: {problems[-1]}")
        else:
            submission.remark(question.number, f"no cell defines {name}")


def names_defined(statement):
    """Names that a statement defines."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def is_literal(node):
    """Whether an expression is made of numbers, text and operators only."""
    allowed = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.Tuple, ast.List)
    return all(isinstance(part, (*allowed, ast.expr_context)) for part in ast.walk(node))


def find_extras(notebook, submission, provided):
    """Fill in `submission.extras`: imports, functions, classes and constants of the student's.

    provided: names that the handed-out notebook defines; a changed one does not count.
    """
    for _, source in blocks(notebook):
        try:
            body = parse(source).body
        except SyntaxError:
            continue
        for statement in body:
            is_constant = isinstance(statement, ast.Assign) and is_literal(statement.value)
            kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
            names = names_defined(statement)
            if names & {*provided, *FUNCTIONS, "checking"}:
                continue
            if is_constant or isinstance(statement, kinds):
                submission.extras.append(ast.unparse(statement))


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
