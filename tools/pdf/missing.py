"""What a notebook still lacks before it is handed in, each miss with its remedy."""

import ast

from checking import PARAMETERS
from tools.notebook import (
    HANDED_OUT,
    NOTEBOOK,
    PLACEHOLDER,
    PLACEHOLDER_UNIS,
    SUBMITTED_NAME,
    answers,
    final_figures,
    place_of,
    printed,
    printed_gradients,
    provided_lines,
    read_notebook,
)
from tools.questions import QUESTIONS

TENSORS = {"loss_derivative", *PARAMETERS}
FEWEST_GRADIENTS = 20  # lines of `print_gradients`
RUN_ALL = "restart the kernel, run all cells, and save"


def misses(notebook, name, handed_out=None):
    """Lines about what the notebook lacks, each with its remedy; none if it can be handed in.

    Args:
        notebook: node, as `read_notebook` returns it.
        name: of its file.
        handed_out: node of the notebook that students were given; None: the one of this folder.
    """
    if handed_out is None:
        handed_out = read_notebook(HANDED_OUT if HANDED_OUT.is_file() else NOTEBOOK)
    cells = [
        (place_of(number, cell), cell)
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and cell.source.strip()
    ]
    return [
        *name_misses(name),
        *run_misses(cells),
        *code_misses(cells),
        *gradient_misses(cells),
        *training_misses(cells),
        *plot_misses(cells, handed_out),
        *answer_misses(notebook, provided_lines(handed_out)),
    ]


def name_misses(name):
    match = SUBMITTED_NAME.fullmatch(name)
    if match is None or not match["uni"].isalnum():
        return [f"the file is named {name}: rename it to hw1_code_<uni>.ipynb, with your own uni"]
    if match["uni"].lower() in PLACEHOLDER_UNIS:
        return [f"the file is named {name}: put your own uni in place of {match['uni']!r}"]
    return []


def run_misses(cells):
    """Whether all cells were run, from top to bottom in one go, and without an error."""
    counts = [cell.get("execution_count") for _, cell in cells]
    idle = [place for place, cell in cells if cell.get("execution_count") is None]
    found = []
    if not cells:
        found.append("the notebook has no code: is it the right file?")
    elif len(idle) == len(cells):
        found.append(f"no cell has been run: {RUN_ALL}")
    elif idle:
        others = f" and {len(idle) - 1} more" if len(idle) > 1 else ""
        found.append(f"{idle[0]}{others} not run: {RUN_ALL}")
    elif counts != list(range(1, len(cells) + 1)):
        found.append(f"the cells were not run from top to bottom in one go: {RUN_ALL}")
    errors = [
        (place, output.get("ename", "an error"))
        for place, cell in cells
        for output in cell.outputs
        if output.get("output_type") == "error"
    ]
    return found + [
        f"{place} stopped with {name}: repair it, then {RUN_ALL}" for place, name in errors
    ]


def code_misses(cells):
    """Whether any function is left as it was handed out."""
    return [
        f"{place} still raises NotImplementedError: put your code there"
        for place, cell in cells
        if any(
            line.strip().startswith("raise NotImplementedError") for line in cell.source.split("\n")
        )
    ]


def gradient_misses(cells):
    """Whether the output of `print_gradients` is there."""
    entries = max((printed_gradients(printed(cell)) for _, cell in cells), key=len, default={})
    absent = TENSORS - {entry.partition("[")[0] for entry in entries}
    if not absent and len(entries) >= FEWEST_GRADIENTS:
        return []
    what = "missing"
    if entries:
        what = f"not complete ({', '.join(sorted(absent)) or 'some lines'})"
    return [
        f"the output of print_gradients (not check_gradients) is {what}: call print_gradients() in "
        f"the cell of 2.2.3, then {RUN_ALL}"
    ]


def training_misses(cells):
    """Whether the run of 2.2.4 has come to its end."""
    for _, cell in cells:
        if set(final_figures(printed(cell))) == {"training", "validation", "test"}:
            return []
    return [f"the three final cross-entropies of 2.2.4 are missing: {RUN_ALL}"]


def plots_of(cell):
    """Names of the functions that draw and that a code cell calls itself, in order."""
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError:
        return []
    calls = [
        ast.unparse(statement.value.func)
        for statement in statements
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    ]
    return [call for call in calls if call in ("show", "plt.show") or "plot_" in call]


def plot_misses(cells, handed_out):
    """Whether each call that drew a plot in the handed-out notebook is there, with its plot."""
    required = [
        call for cell in handed_out.cells if cell.cell_type == "code" for call in plots_of(cell)
    ]
    found = []
    for call in dict.fromkeys(required):
        drawing = [(place, cell) for place, cell in cells if call in plots_of(cell)]
        if not drawing:
            found.append(f"no cell calls {call}(): put it back as it was in the notebook")
        for place, cell in drawing:
            kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
            if not any(kind.startswith("image/") for kind in kinds):
                found.append(f"{place} does not show its plot: {RUN_ALL}")
    return found


def answer_misses(notebook, provided):
    """Whether every written question has an answer."""
    found = answers(notebook, provided)
    return [
        f"question {question.number} has no answer: write it in place of {PLACEHOLDER}, or in a "
        f'new text cell below the title "{question.number} {question.title}"'
        for question in QUESTIONS
        if question.is_written and not found[question.number]
    ]
