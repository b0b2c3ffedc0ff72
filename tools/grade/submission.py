"""Read a submitted notebook, whatever its state: solutions, printed figures, written answers.

Cells are found by their nbgrader id, and by what they define or the title before them where an
editor has lost the ids. Nothing of the submission is executed here.
"""

import ast
import copy
import re
import symtable
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from tools.notebook import (
    final_figures,
    grade_id,
    printed,
    printed_gradients,
    read_notebook,
)
from tools.questions import QUESTIONS

FUNCTIONS = ("grad_GLoVe", "compute_loss_derivative", "back_propagate")
GIVEN = {  # names that the grader defines, since it makes problems of other sizes with them
    *("V", "N", "data", "vocab", "word_index", "Model", "Params", "Activations"),
    *("log_co_occurrence_train", "log_co_occurrence_valid"),
}
ANYTHING = "*"  # the name that a star import defines
MAX_SOURCE = 200_000  # characters of a cell
MAX_PIECES = 10  # cells into which one may have been split
UNI = re.compile(r"hw1_code_([A-Za-z0-9]+)")
PLACEHOLDERS = ("YOUR ANSWER HERE", "")


@dataclass
class Submission:
    """What a grader needs of a notebook.

    solutions: by the name of a function, the source of it and of all that it uses.
    written: names of the functions that do not raise NotImplementedError any more.
    printed: by `name[index]`, the last value that `print_gradients` printed, a float.
    final: by the name of a split, the last printed final cross-entropy, a float.
    was_interrupted: whether the training that printed those was stopped before its end.
    answers: by the number of a question, the written answer; "" if there is none.
    remarks: by the number of a question (or "" for the whole), lines about what was found.
    """

    solutions: dict = field(default_factory=dict)
    written: set = field(default_factory=set)
    printed: dict = field(default_factory=dict)
    final: dict = field(default_factory=dict)
    was_interrupted: bool = False
    answers: dict = field(default_factory=dict)
    remarks: dict = field(default_factory=dict)

    def remark(self, number, text):
        self.remarks.setdefault(number, []).append(text)


CELL_MAGIC = re.compile(r"\A\s*%%.*")
MAGIC = re.compile(
    r"^([ \t]*)(?:[%!?].*"  # %magic, !command, ?help
    r"|\w[\w., \t]*=[ \t]*[%!].*"  # x = %magic
    r"|[\w.]+\?+[ \t]*)$",  # help?
    re.MULTILINE,
)


def parse(source):
    """Syntax tree of a cell, without IPython's own lines. Raises SyntaxError."""
    if len(source) > MAX_SOURCE:
        raise SyntaxError("the cell is too long")
    plain = CELL_MAGIC.sub("pass", source)
    # A line that begins with % may be the rest of an expression, so that it goes only if it has to.
    for text in (plain, MAGIC.sub(r"\1pass", plain)):
        try:
            return ast.parse(text)
        except SyntaxError as error:
            problem = error
        except (ValueError, MemoryError, RecursionError) as error:
            problem = SyntaxError(f"the cell cannot be parsed ({type(error).__name__})")
    raise problem


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


def defines_functions(source):
    """Whether a cell has functions or classes at its top."""
    try:
        return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in parse(source).body)
    except SyntaxError:
        return False


def blocks(notebook):
    """Pairs (grade id, source) of the code cells.

    A cell that begins with indented code is the rest of the cell before, which somebody has split,
    if the two make sense together. With functions of its own it is a cell that is indented as a
    whole.
    """
    found, n_pieces = [], 0
    for cell in notebook.cells:
        source = cell.source.strip("\n")
        if cell.cell_type != "code" or not source.strip():
            continue
        whole = textwrap.dedent(source)
        may_be_rest = source[0] in " \t" and found and n_pieces < MAX_PIECES
        joined = f"{found[-1][1]}\n{source}" if may_be_rest else ""
        if may_be_rest and not defines_functions(whole) and can_be_parsed(joined):
            found[-1] = found[-1][0], joined
            n_pieces += 1
        else:
            found.append((grade_id(cell), whole))
            n_pieces = 1
    return found


# What a function consists of


@dataclass
class Statement:
    """A top-level statement of the student's, or one that adds something to the class Model.

    defines: names that it defines, uses: names that it looks up in the notebook. `Model.name`
    stands for an attribute of the class, and for any attribute that is used. unwritten: names of
    functions that still raise NotImplementedError.
    """

    text: str
    defines: set
    uses: set
    unwritten: set


def outside_functions(tree):
    """The nodes of a syntax tree, without those inside its functions."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))


def symbols(text):
    """Python's own table of the names in a text. Raises SyntaxError."""
    try:
        return symtable.symtable(text, "<submission>", "exec")
    except (ValueError, MemoryError, RecursionError) as error:
        raise SyntaxError(f"the code is too complicated ({type(error).__name__})") from error


def global_names(table):
    """Names that code looks up in the notebook, the functions in it included."""
    names = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return names.union(*map(global_names, table.get_children()))


def names_used(tree, table):
    """Names that a statement or its functions look up, its attributes as `Model.name`."""
    attributes = {
        f"Model.{node.attr}" for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    return attributes | global_names(table)


def names_defined(tree, table):
    """Names that a statement assigns to, be it to an attribute or an entry of what they name."""
    names = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    for node in outside_functions(tree):
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            names.add(ANYTHING)
        is_changed = isinstance(getattr(node, "ctx", None), ast.Store)
        if is_changed and isinstance(getattr(node, "value", None), ast.Name):
            owner = node.value.id
            is_method = owner == "Model" and isinstance(node, ast.Attribute)
            names.add(f"Model.{node.attr}" if is_method else owner)
    return names


def additions(model_class, provided):
    """For each member of a class Model that is the student's, a subclass that adds only this one.

    The class itself is the grader's, which makes the models.
    """
    for member in model_class.body:
        if text_of(member) in provided:
            continue
        subclass = copy.copy(model_class)
        subclass.body, subclass.bases = [member], [ast.Name("Model", ast.Load())]
        subclass.keywords, subclass.decorator_list = [], []
        names = names_defined(member, symbols(text_of(member)))
        text = text_of(subclass)
        if names and not any(name.startswith("__") for name in names):
            defines = {f"Model.{name}" for name in names}
            uses = names_used(subclass, symbols(text))
            yield Statement(text, defines, uses, unwritten_functions(member))


def own_statements(source, provided):
    """The Statements of a cell that define something and were not handed out.

    Raises SyntaxError.
    """
    found = []
    for tree in parse(source).body:
        text = text_of(tree)
        if text in provided:
            continue
        if isinstance(tree, ast.ClassDef) and tree.name == "Model":
            found += additions(tree, provided)
            continue
        table = symbols(text)
        names = names_defined(tree, table)
        if names and not names & GIVEN:
            uses = names_used(tree, table)
            found.append(Statement(text, names, uses, unwritten_functions(tree)))
    return found


def is_unwritten(function):
    """Whether a function raises NotImplementedError as the handed-out version does.

    That is without a condition and before anything is returned.
    """
    for statement in function.body:
        if isinstance(statement, ast.Return):
            return False
        if isinstance(statement, ast.Raise) and statement.exc:
            return text_of(statement.exc).startswith("NotImplementedError")
    return False


def unwritten_functions(tree):
    """Names of the functions in a statement that are unwritten, each time if there are several."""
    functions = [node for node in outside_functions(tree) if isinstance(node, ast.FunctionDef)]
    written = {function.name for function in functions if not is_unwritten(function)}
    return {function.name for function in functions} - written


def needed(statements, names):
    """The Statements that define some of the names or what those use, in their order."""
    defining = {}
    for number, statement in enumerate(statements):
        for name in statement.defines:
            defining.setdefault(name, []).append(number)
    pending, seen, chosen = list(names), set(names), set()
    while pending:
        for number in defining.get(pending.pop(), ()):
            if number not in chosen:
                chosen.add(number)
                new = statements[number].uses - seen
                seen |= new
                pending += new
    return [statements[number] for number in sorted(chosen)]


def read_statements(notebook, provided):
    """The Statements of a notebook, and by function a line about the cell that cannot be parsed."""
    statements, problems = [], {}
    for identifier, source in blocks(notebook):
        try:
            statements += own_statements(source, provided)
        except SyntaxError as error:
            place = f" in line {error.lineno}" if error.lineno else ""
            for name in FUNCTIONS:
                if identifier == name or re.search(rf"def +{name}\b|\b{name} *=", source):
                    problems[name] = f"{name}: syntax error{place}: {error.msg}"
    return statements, problems


def definitions(statements, name):
    """The Statements that define a function or method, but not `Model.name = name`."""
    return [
        statement
        for statement in statements
        if statement.defines & {name, f"Model.{name}"}
        and statement.text != f"Model.{name} = {name}"
    ]


def find_solutions(notebook, submission, provided):
    """Fill in `submission.solutions` and `submission.written`, and remark on what is missing.

    provided: sources of the statements that were handed out.

    What a function uses is run in the order of the notebook, so that its last definition counts, as
    it does there. One that raises NotImplementedError does not replace one that is written.
    """
    statements, problems = read_statements(notebook, provided)
    numbers = {question.grade_id: question.number for question in QUESTIONS}
    for name in FUNCTIONS:
        found = definitions(statements, name)
        written = [statement for statement in found if name not in statement.unwritten]
        if not found:
            submission.remark(numbers[name], problems.get(name, f"no cell defines {name}"))
        elif not written:
            submission.remark(numbers[name], f"{name} still raises NotImplementedError")
        else:
            submission.written.add(name)
            statements = [s for s in statements if s in written or s not in found]
        if len(written) > 1:
            text = f"{name} is defined several times; what the notebook uses in the end is judged"
            submission.remark(numbers[name], text)
    for name in FUNCTIONS:
        if definitions(statements, name):
            parts = needed(statements, {name, f"Model.{name}", ANYTHING})
            submission.solutions[name] = "\n".join(part.text for part in parts)


def find_outputs(notebook, submission):
    """Fill in `submission.printed`, `submission.final` and `submission.was_interrupted`."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            text = printed(cell)
            submission.printed.update(printed_gradients(text))
            if figures := final_figures(text):
                submission.final.update(figures)
                submission.was_interrupted = "Interrupted after" in text


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
        new = next((q for q in written if text.startswith(q.heading + " ")), None)
        if new:
            section = new
        elif section and text.startswith("#") and text in provided:  # a heading may be an answer's
            level = len(text) - len(text.lstrip("#"))
            section = section if level > section.heading.count("#") else None
        question = next((q for q in written if q.grade_id == grade_id(cell)), section)
        if question and text not in {*PLACEHOLDERS, *provided}:
            texts[question.number].append(text)
    submission.answers = {number: "\n\n".join(parts) for number, parts in texts.items()}


def read_submission(path, reference):
    """The Submission in a file.

    reference: `tools.grade.judge.Reference`, which knows what was handed out.

    Raises NotebookError if the file is no notebook.
    """
    notebook, submission = read_notebook(path), Submission()
    if not UNI.search(Path(path).name):
        submission.remark("", f"the file is named {Path(path).name}, not hw1_code_<uni>.ipynb")
    find_solutions(notebook, submission, reference.provided)
    find_outputs(notebook, submission)
    find_answers(notebook, submission, reference.texts)
    return submission
