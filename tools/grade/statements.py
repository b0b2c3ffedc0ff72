"""The top-level statements of a notebook, and those of them that a function needs.

A student's function is judged with whatever it uses: helpers, constants, classes of one's own. All
statements that it needs, directly or through others, are executed in the order of the notebook, as
its kernel would; scratch cells, plots and experiments are not. Nothing is executed here.
"""

import ast
import dis
import re
import textwrap
from dataclasses import dataclass

from tools.grade.problems import FUNCTIONS
from tools.notebook import EXPERIMENT, Node, code_cells, grade_id, place_of

ANYTHING = "*"  # what a star import defines
UNREADABLE = (SyntaxError, ValueError, MemoryError, RecursionError)  # for Python's own parser
CHANGES = {"add", "append", "extend", "insert", "setdefault", "update"}  # methods of a table
CELL_MAGIC = re.compile(r"\A\s*%%.*")
SOLUTION = re.compile(r"(?ms)^ *### BEGIN SOLUTION$.*?^ *### END SOLUTION$")
LIBRARIES = {"autograd", "jax", "tensorflow", "torch"}  # they differentiate by themselves
LOOPS = ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp
CALLS = dict.fromkeys(("compute_loss", "loss_GLoVe", "evaluate"), "calls") | dict.fromkeys(
    (  # they call a function again and again
        *("map", "filter", "reduce", "accumulate", "fromiter", "fromfunction", "frompyfunc"),
        *("vectorize", "apply_along_axis", "apply_over_axes", "nditer", "ndenumerate", "ndindex"),
    ),
    "loops inside",
)


@dataclass
class Statement:
    """A top-level statement.

    place: how to name its cell. defines, uses: names; `.name` stands for an attribute of anything.
    tree: its syntax tree, in which the numbers of its lines are those of the cell, whose `lines`
    these are.
    """

    text: str
    place: str
    defines: set
    uses: set
    tree: ast.stmt
    lines: list

    def compiled(self):
        return compile(ast.Module([self.tree], []), self.place, "exec")


def stubs_of(cells):
    """Set of the texts of the statements in solution cells, without their solutions."""
    empty = [Node({**cell, "source": SOLUTION.sub("", cell.source)}) for cell in cells]
    return {statement.text for statement in read_statements(Node(cells=empty))[0]}


# From cells to statements


def parse(source):
    """Syntax tree of a cell, without IPython's own lines. Raises SyntaxError."""
    source = CELL_MAGIC.sub("", source)
    try:
        return ast.parse(source)
    except SyntaxError as error:
        from IPython.core.inputtransformer2 import TransformerManager  # takes time, rarely needed

        try:
            return ast.parse(TransformerManager().transform_cell(source))
        except SyntaxError:
            raise error from None


def is_rest(source, before):
    """Whether a cell is the rest of the one before, which somebody has split inside a function.

    With functions of its own it is a cell that is indented as a whole.
    """
    if not source.startswith((" ", "\t")):
        return False
    try:
        parse(f"{before}\n{source}")
    except UNREADABLE:
        return False
    try:
        alone = ast.parse(textwrap.dedent(source)).body
    except UNREADABLE:
        return True
    return not any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in alone)


def blocks(notebook):
    """Pairs (place, source) of the code cells that are no experiments; split ones are joined."""
    found = []
    cells = [c for c in code_cells(notebook) if EXPERIMENT not in c.metadata.get("tags", [])]
    for number, cell in enumerate(cells, start=1):
        source = cell.source.strip("\n")
        if found and is_rest(source, found[-1][1]):
            found[-1] = found[-1][0], f"{found[-1][1]}\n{source}"
        else:
            name = grade_id(cell)
            place = f"cell {name}" if name in FUNCTIONS else place_of(number, cell)
            found.append((place, textwrap.dedent(source)))
    return found


def read_statements(notebook):
    """The Statements of a notebook, and by function what keeps its cell from being parsed."""
    statements, problems = [], {}
    for place, source in blocks(notebook):
        try:
            trees = parse(source).body
            statements += [statement_of(tree, place, source.splitlines()) for tree in trees]
        except UNREADABLE as error:
            line = getattr(error, "lineno", None)
            where = f"{place}, line {line}" if line else place
            text = f"{type(error).__name__}: {getattr(error, 'msg', error)} ({where})"
            for name in FUNCTIONS:
                if re.search(rf"def +{name}\b|\b{name} *=", source):
                    problems[name] = text
    return statements, problems


def statement_of(tree, place, lines):
    """A Statement. Raises what the compiler raises."""
    code = compile(ast.Module([tree], []), place, "exec")
    defines, uses = names_in(code)
    for node in ast.walk(tree):  # an entry of a table that is defined elsewhere
        is_entry = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        is_change = isinstance(node, ast.Attribute) and node.attr in CHANGES
        if (is_entry or is_change) and isinstance(node.value, ast.Name):
            defines.add(node.value.id)
    if "setattr" in uses:
        named = {f".{c}" for c in code.co_consts if isinstance(c, str)}
        defines |= named or {f".{name}" for name in FUNCTIONS}
    if isinstance(tree, ast.ImportFrom) and tree.names[0].name == "*":
        defines.add(ANYTHING)
    return Statement(ast.unparse(tree), place, defines, uses, tree, lines)


def names_in(code):
    """Names that a code object stores at its top, and that it or its functions look up."""
    stores, loads, pending = set(), set(), [code]
    while pending:
        current = pending.pop()
        pending += [constant for constant in current.co_consts if hasattr(constant, "co_code")]
        for instruction in dis.get_instructions(current):
            operation, name = instruction.opname, instruction.argval
            if operation in ("LOAD_NAME", "LOAD_GLOBAL"):
                loads.add(name)
            elif operation in ("LOAD_ATTR", "LOAD_METHOD"):
                loads.add(f".{name}")
            elif current is code and operation in ("STORE_NAME", "STORE_GLOBAL"):
                stores.add(name)
            elif current is code and operation == "STORE_ATTR":
                stores.add(f".{name}")
    return stores, loads


# What a function needs


def is_unwritten(statement, stubs):
    """Whether a statement is one of the stubs, or has the line that students are to replace."""
    return statement.text in stubs or any(
        isinstance(node, ast.Raise) and node.exc and "NotImplementedError" in ast.unparse(node.exc)
        for node in ast.walk(statement.tree)
    )


def without_empty_copies(statements, stubs):
    """The Statements but for unwritten definitions of functions that an earlier one has written.

    stubs: texts of the functions as they were handed out.
    """
    kept, written = [], set()
    for statement in statements:
        functions = {name for name in FUNCTIONS if name in statement.defines}
        is_empty = bool(functions) and is_unwritten(statement, stubs)
        if not (is_empty and functions <= written):
            kept.append(statement)
        written |= set() if is_empty else functions
    return kept


def needed(statements, names):
    """The Statements that define some of the names or what those use, in their order."""
    defining = {}
    for number, statement in enumerate(statements):
        for name in statement.defines:
            defining.setdefault(name, []).append(number)
    pending, seen, chosen = [*names, ANYTHING], {*names, ANYTHING}, set()
    while pending:
        for number in defining.get(pending.pop(), ()):
            if number not in chosen:
                chosen.add(number)
                new = statements[number].uses - seen
                seen |= new
                pending += new
    return [statements[number] for number in sorted(chosen)]


# What staff may want to look at


def remarkable(node):
    """What there is to see in a node of a syntax tree; "" if nothing."""
    if isinstance(node, LOOPS):
        return "loops"
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        modules = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
        used = sorted({module.partition(".")[0] for module in modules} & LIBRARIES)
        return f"imports {used[0]}" if used else ""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))  # of f() or of x.f()
        return f"{CALLS[name]} {name}" if name in CALLS else ""
    return ""


def findings(statements, provided_lines):
    """Lines about loops, other people's gradients and the loss in the code of a student.

    statements: what a function needs of the student's. provided_lines: lines that were handed out.
    """
    found = {}
    for statement in statements:
        for node in ast.walk(statement.tree):
            number = getattr(node, "lineno", 0)
            line = "".join(statement.lines[number - 1 : number]).strip()
            if line and line not in provided_lines and (what := remarkable(node)):
                key = statement.place, number, what
                found[key] = f"{what} in line {number} of {statement.place}: {line[:80]}"
    return list(found.values())
