"""What a notebook still lacks before it is handed in, each miss with its remedy."""

import re

from checking import PARAMETERS
from tools.notebook import (
    PLACEHOLDER,
    PLACEHOLDER_UNIS,
    SUBMITTED_NAME,
    answers,
    final_figures,
    printed,
    printed_gradients,
    provided_lines,
    sections,
)
from tools.questions import QUESTIONS

TENSORS = {"loss_derivative", *PARAMETERS}
FEWEST_GRADIENTS = 20  # lines of `print_gradients`
STUB = re.compile(r"^\s*raise NotImplementedError", re.MULTILINE)
PLOT = re.compile(r"^((?:plt\.)?show|[\w.]*plot_\w+)\(", re.MULTILINE)  # a call of the cell itself
RUN_ALL = "restart the kernel, run all cells, and save"


def misses(notebook, name, handed_out):
    """Lines about what the notebook lacks, each with its remedy; none if it can be handed in.

    Args:
        notebook: node, as `read_notebook` returns it.
        name: of its file.
        handed_out: node of the notebook that students were given.
    """
    cells = [
        (place, cell)
        for place, _, cell in sections(notebook)
        if cell.cell_type == "code" and cell.source.strip()
    ]
    return [
        *name_misses(name),
        *run_misses(cells),
        *result_misses(cells),
        *plot_misses(cells, handed_out),
        *answer_misses(notebook, provided_lines(handed_out)),
    ]


def name_misses(name):
    match = SUBMITTED_NAME.fullmatch(name)
    if match is None or not match["uni"].isalnum():
        yield f"the file is named {name}: rename it to hw1_code_<uni>.ipynb, with your own uni"
    elif match["uni"].lower() in PLACEHOLDER_UNIS:
        yield f"the file is named {name}: put your own uni in place of {match['uni']!r}"


def run_misses(cells):
    """Whether all cells are written and were run, from top to bottom, without an error."""
    counts = [cell.get("execution_count") for _, cell in cells]
    idle = [place for (place, _), count in zip(cells, counts) if count is None]
    if not cells:
        yield "the notebook has no code: is it the right file?"
    elif len(idle) == len(cells):
        yield f"no cell has been run: {RUN_ALL}"
    elif idle:
        others = f" and {len(idle) - 1} more" if len(idle) > 1 else ""
        yield f"{idle[0]}{others} not run: {RUN_ALL}"
    elif counts != list(range(1, len(cells) + 1)):
        yield f"the cells were not run from top to bottom in one go: {RUN_ALL}"
    for place, cell in cells:
        for output in cell.outputs:
            if output.get("output_type") == "error":
                name = output.get("ename", "an error")
                yield f"{place} stopped with {name}: repair it, then {RUN_ALL}"
        if STUB.search(cell.source):
            yield f"{place} still raises NotImplementedError: put your code there"


def result_misses(cells):
    """Whether the printed gradients and the final figures of the training are there, complete."""
    texts = [printed(cell) for _, cell in cells]
    entries = max(map(printed_gradients, texts), key=len, default={})
    absent = TENSORS - {entry.partition("[")[0] for entry in entries}
    if absent or len(entries) < FEWEST_GRADIENTS:
        what = (
            f"not complete ({', '.join(sorted(absent)) or 'some lines'})" if entries else "missing"
        )
        yield (
            f"the output of print_gradients (not check_gradients) is {what}: call "
            f"print_gradients() in the cell of 2.2.3, then {RUN_ALL}"
        )
    if not any({"training", "validation", "test"} <= set(final_figures(text)) for text in texts):
        yield f"the three final cross-entropies of 2.2.4 are missing: {RUN_ALL}"


def plot_misses(cells, handed_out):
    """Whether each call that drew a plot in the handed-out notebook is there, with its plot."""
    sources = [cell.source for cell in handed_out.cells if cell.cell_type == "code"]
    for call in dict.fromkeys(PLOT.findall("\n".join(sources))):
        drawing = [(place, cell) for place, cell in cells if call in PLOT.findall(cell.source)]
        if not drawing:
            yield f"no cell calls {call}(): put it back as it was in the notebook"
        for place, cell in drawing:
            kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
            if not any(kind.startswith("image/") for kind in kinds):
                yield f"{place} does not show its plot: {RUN_ALL}"


def answer_misses(notebook, provided):
    """Whether every written question has an answer."""
    found = answers(notebook, provided)
    for question in QUESTIONS:
        if question.is_written and not found[question.number]:
            yield (
                f"question {question.number} has no answer: write it in place of {PLACEHOLDER}, or "
                f'in a new text cell below the title "{question.number} {question.title}"'
            )
