"""The top-level statements of a notebook, and those of them that a function needs.

A student's function is judged with whatever it uses: helpers, constants, classes of one's own. All
statements that it needs, directly or through others, are executed in the order of the notebook, as
its kernel would; scratch cells, plots and experiments are not. Nothing is executed here.
"""

import __future__

import ast
import dis
import re
import textwrap
from dataclasses import dataclass
from types import CodeType

from tools.grade.problems import FUNCTIONS
from tools.notebook import grade_id, place_of

ANYTHING = "*"  # what a star import defines
UNREADABLE = (SyntaxError, ValueError, MemoryError, RecursionError)  # for Python's own parser
CHANGES = {"add", "append", "extend", "insert", "setdefault", "update"}  # methods of a table
CELL_MAGIC = re.compile(r"\A\s*%%.*")
LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
REMARKABLE = {  # names of what loops inside, of the loss, and of what differentiates by itself
    *("map", "filter", "reduce", "accumulate", "fromiter", "fromfunction", "frompyfunc"),
    *("vectorize", "apply_along_axis", "apply_over_axes", "nditer", "ndenumerate", "ndindex"),
    *("compute_loss", "loss_GLoVe", "evaluate", "autograd", "jax", "tensorflow", "torch"),
}


@dataclass
class Statement:
    """A top-level statement: its syntax tree and code, the place and the lines of its cell.

    defines, uses: names; `.name` stands for an attribute of anything.
    """

    tree: ast.stmt
    code: CodeType
    place: str
    lines: list
    defines: set
    uses: set


# From cells to statements


def parse(source):
    """Syntax tree of a cell, without IPython's own lines. Raises one of UNREADABLE."""
    source = CELL_MAGIC.sub("", source)
    try:
        return ast.parse(source)
    except SyntaxError as error:
        from IPython.core.inputtransformer2 import TransformerManager  # takes time, rarely needed

        try:
            return ast.parse(TransformerManager().transform_cell(source))
        except SyntaxError:
            raise error from None


def written_lines(source):
    """The lines of a cell that are neither comments nor stubs, without outer spaces."""
    lines = (line.strip() for line in source.splitlines())
    return [x for x in lines if x and not x.startswith(("#", "raise NotImplementedError"))]


def is_rest(source, before):
    """Whether a cell is the rest of the one before, which somebody has split inside a function."""
    if not source[:1].isspace() or re.search(r"(?m)^\s*(def|class) ", source):
        return False  # with functions of its own it is a cell that is indented as a whole
    try:
        return bool(parse(f"{before}\n{source}"))
    except UNREADABLE:
        return False


def read_statements(cells):
    """The Statements in cells, which come as pairs (number of the cell, cell)."""
    blocks, statements = [], []
    for number, cell in cells:
        source = cell.source.strip("\n")
        if blocks and is_rest(source, blocks[-1][1]):
            blocks[-1] = blocks[-1][0], f"{blocks[-1][1]}\n{source}"
        else:
            is_known = grade_id(cell) in FUNCTIONS
            place = f"cell {grade_id(cell)}" if is_known else place_of(number, cell)
            blocks.append((place, textwrap.dedent(source)))
    for place, source in blocks:
        try:
            trees = parse(source).body
            statements += [statement_of(tree, place, source.splitlines()) for tree in trees]
        except UNREADABLE as error:
            # In place of its statements one that raises the error.
            text = str(getattr(error, "msg", error))
            tree = ast.parse(f"raise {type(error).__name__}({text!r})")
            ast.increment_lineno(tree, (getattr(error, "lineno", None) or 1) - 1)
            statements.append(statement_of(tree.body[0], place, source.splitlines()))
            names = re.findall(r"(?:def|class) +(\w+)|(\w+) *=", source)
            statements[-1].defines.update(*names)
    return statements


def statement_of(tree, place, lines):
    """A Statement. Raises what the compiler raises."""
    # Annotations are not evaluated: they may name what is only imported somewhere, or nowhere.
    code = compile(ast.Module([tree], []), place, "exec", __future__.annotations.compiler_flag)
    defines, uses = names_in(code)
    for node in ast.walk(tree):  # an entry of a table that is defined elsewhere
        is_entry = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        is_change = isinstance(node, ast.Attribute) and node.attr in CHANGES
        if (is_entry or is_change) and isinstance(node.value, ast.Name):
            defines.add(node.value.id)
        # A decorator or a helper of a student's own adds a method by its name.
        names = {getattr(node, key, None) for key in ("value", "arg")}
        defines |= {f".{name}" for name in names & FUNCTIONS.keys()}
    if "setattr" in uses:
        defines |= {f".{name}" for name in (*FUNCTIONS, *code.co_consts)}
    if isinstance(tree, ast.ImportFrom) and tree.names[0].name == "*":
        defines.add(ANYTHING)
    return Statement(tree, code, place, lines, defines, uses)


def names_in(code):
    """Names that a code object stores at its top, and that it or its functions look up."""
    defines, uses, pending = set(), set(), [code]
    while pending:
        current = pending.pop()
        pending += [constant for constant in current.co_consts if isinstance(constant, CodeType)]
        for instruction in dis.get_instructions(current):
            if instruction.opcode in dis.hasname:
                is_attribute = instruction.opname.endswith(("ATTR", "METHOD"))
                name = f".{instruction.argval}" if is_attribute else instruction.argval
                if instruction.opname.startswith("LOAD"):
                    uses.add(name)
                elif current is code and instruction.opname.startswith("STORE"):
                    defines.add(name)
    return defines, uses


# What a function needs


def needed(statements, names):
    """The Statements that define some of the names or what those use, in their order."""
    known, chosen = {*names, ANYTHING}, set()
    while True:
        new = {
            number
            for number, statement in enumerate(statements)
            if number not in chosen and statement.defines & known
        }
        if not new:
            return [statements[number] for number in sorted(chosen)]
        chosen |= new
        known |= set().union(*(statements[number].uses for number in new))


# What staff may want to look at


def remarkable(node):
    """What a node of a syntax tree does that staff may want to look at, or ""."""
    if isinstance(node, LOOPS):
        return "loops"
    # A variable, an attribute, something imported, or the module that it is imported from.
    names = [str(getattr(node, key, "")) for key in ("id", "attr", "name", "module")]
    found = [name for name in names if name.partition(".")[0] in REMARKABLE]
    return f"uses {found[0]}" if found else ""


def findings(statements, provided_lines):
    """Lines about loops, other people's gradients and the loss in the code of a student.

    statements: what a function needs of the student's. provided_lines: lines that were handed out.
    """
    found = {}  # in order, each once
    for statement in statements:
        for node in ast.walk(statement.tree):
            number = getattr(node, "lineno", 0)
            line = "".join(statement.lines[number - 1 : number]).strip()
            if line and line not in provided_lines and (what := remarkable(node)):
                found[f"{what} in line {number} of {statement.place}: {line[:80]}"] = None
    return list(found)
