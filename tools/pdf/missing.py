"""What a notebook still lacks before it is handed in, each miss with its remedy."""

import itertools
import re
from pathlib import Path

from tools.notebook import (
    final_figures,
    grade_id,
    printed,
    printed_gradients,
)
from tools.questions import QUESTIONS

NAME = re.compile(r"hw1_code_([A-Za-z0-9]+)\.ipynb")
PLACEHOLDER_UNIS = {"uni", "youruni"}
PLACEHOLDER = "YOUR ANSWER HERE"
HANDED_OUT = re.compile(r"cell-\d+")  # names of the cells in which nobody writes
NOT_IMPLEMENTED = re.compile(r"^\s*raise NotImplementedError", re.MULTILINE)
TENSORS = {
    "loss_derivative",
    "word_embedding_weights",
    "embed_to_hid_weights",
    "hid_bias",
    "hid_to_output_weights",
    "output_bias",
}
FEWEST_GRADIENTS = 20  # lines of `print_gradients`
CHECKED = re.compile(r"^ +hid_bias +\(\d+,\) ", re.MULTILINE)  # printed by `check_gradients`
PLOTS = {  # what a line that draws begins with, and what it draws
    r"plt\.show\(": "the losses (2.1.4, 2.2.4)",
    r"\w+\.tsne_plot_representation\(": "the map of the masked language model (2.3)",
    r"tsne_plot_GLoVe_representation\(": "the map of the GLoVe vectors (2.3)",
    r"plot_2d_GLoVe_representation\(": "the plot of the two-dimensional GLoVe vectors (2.3)",
}
RUN_ALL = "restart the kernel, run all cells, and save"


def misses(notebook, path):
    """Lines about what the notebook lacks, each with its remedy; none if it can be handed in."""
    return [
        *name_misses(Path(path).name),
        *run_misses(notebook),
        *code_misses(notebook),
        *gradient_misses(notebook),
        *training_misses(notebook),
        *plot_misses(notebook),
        *answer_misses(notebook),
    ]


def name_misses(name):
    match = NAME.fullmatch(name)
    if match is None:
        return [f"the file is named {name}: rename it to hw1_code_<uni>.ipynb, with your own uni"]
    if match[1].lower() in PLACEHOLDER_UNIS:
        return [f"the file is named {name}: put your own uni in place of {match[1]!r}"]
    return []


def code_cells(notebook):
    """Pairs (number of the cell, cell) of the code cells that are not empty."""
    return [
        (number, cell)
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and cell.source.strip()
    ]


def place_of(number, cell):
    """How messages tell a cell: its execution count or its number, and its first line's beginning.

    Jupyter shows the count in brackets beside the cell.
    """
    count = cell.get("execution_count")
    line = cell.source.strip().split("\n")[0]
    shown = line if len(line) <= 40 else line[:37] + "..."
    return f"cell {number if count is None else [count]} ({shown})"


def run_misses(notebook):
    """Whether all cells were run, from top to bottom in one go, and without an error."""
    cells = code_cells(notebook)
    counts = [cell.get("execution_count") for _, cell in cells]
    idle = [place_of(number, cell) for number, cell in cells if cell.get("execution_count") is None]
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
    for number, cell in cells:
        for output in cell.outputs:
            if output.get("output_type") == "error":
                name = output.get("ename", "an error")
                found.append(
                    f"{place_of(number, cell)} stopped with {name}: mend it, then {RUN_ALL}"
                )
    return found


def code_misses(notebook):
    """Whether any function is left as it was handed out."""
    return [
        f"{place_of(number, cell)} still raises NotImplementedError: put your code there"
        for number, cell in code_cells(notebook)
        if NOT_IMPLEMENTED.search(cell.source)
    ]


def gradient_misses(notebook):
    """Whether the output of `print_gradients` is there."""
    texts = [printed(cell) for _, cell in code_cells(notebook)]
    entries = max((printed_gradients(text) for text in texts), key=len, default={})
    names = [entry.partition("[")[0] for entry in entries]
    if len(names) >= FEWEST_GRADIENTS and set(names) >= TENSORS:
        return []
    call = f"call print_gradients() in the cell of 2.2.3, then {RUN_ALL}"
    if names:
        absent = ", ".join(sorted(TENSORS - set(names))) or "some lines"
        return [f"the output of print_gradients is not complete ({absent}): {call}"]
    if any(CHECKED.search(text) for text in texts):
        return [f"only check_gradients has printed something, not print_gradients: {call}"]
    return [f"the output of print_gradients is missing: {call}"]


def training_misses(notebook):
    """Whether the run of 2.2.4 has come to its end."""
    for _, cell in code_cells(notebook):
        text = printed(cell)
        if set(final_figures(text)) == {"training", "validation", "test"}:
            if "Interrupted after" in text:
                return [f"the training of 2.2.4 was interrupted: {RUN_ALL}"]
            return []
    return [f"the three final cross-entropies of 2.2.4 are missing: {RUN_ALL}"]


def plot_misses(notebook):
    """Whether each cell that draws shows its plot."""
    found = []
    for call, drawing in PLOTS.items():
        starts_a_line = re.compile(rf"^{call}", re.MULTILINE)
        cells = [(n, cell) for n, cell in code_cells(notebook) if starts_a_line.search(cell.source)]
        if not cells:
            found.append(f"no cell draws {drawing}: put the call back that was in the notebook")
        for number, cell in cells:
            kinds = {kind for output in cell.outputs for kind in output.data}
            if not any(kind.startswith("image/") for kind in kinds):
                found.append(f"{place_of(number, cell)} does not show {drawing}: {RUN_ALL}")
    return found


def answer_misses(notebook):
    """Whether every written question has an answer."""
    found = []
    for question in QUESTIONS:
        if not question.is_written:
            continue
        text = answer(notebook, question)
        if text is None:
            found.append(
                f"the section of question {question.number} is missing: put its title, "
                f'"{question.heading} {question.title}", and your answer back'
            )
        elif not text.replace(PLACEHOLDER, "").strip():
            found.append(
                f"question {question.number} has no answer: write it in place of {PLACEHOLDER}, or "
                "in a new text cell below the question"
            )
    return found


def answer(notebook, question):
    """Text of the answer to a written question; None if neither its cell nor its title is there.

    It stands in the cell with nbgrader's name, and may go on in text cells below. Where an editor
    has lost that name, a placeholder tells the cell; where there is none, the answer is all that
    was not handed out in the section.
    """
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    section = after(texts, lambda cell: cell.source.startswith(question.heading + " "))
    section = section and before_heading(r"#+ *\d+\.\d", section[1:])
    own = after(texts, lambda cell: grade_id(cell) == question.grade_id)
    own = own or after(section or [], lambda cell: cell.source.strip() == PLACEHOLDER)
    if own:
        own[1:] = before_heading("#+ ", own[1:])
    elif section is None:
        return None
    else:
        own = [cell for cell in section if not HANDED_OUT.fullmatch(cell.get("id", ""))]
    return "\n\n".join(cell.source for cell in own)


def after(cells, is_wanted):
    """The first cell that is wanted, and all after it; None if none is."""
    return next((cells[i:] for i, cell in enumerate(cells) if is_wanted(cell)), None)


def before_heading(heading, cells):
    """The cells before the first one that begins with a heading, a regular expression."""
    return list(itertools.takewhile(lambda cell: not re.match(heading, cell.source), cells))
