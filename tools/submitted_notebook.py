"""Read a notebook that somebody hands in, whatever its state, and what it has printed."""

import json
import re
from pathlib import Path

import nbformat

LARGEST = 100 * 2**20  # bytes
MOST_CELLS = 1000  # the assignment has about 100
MOST_SOURCE = 2**20  # characters of all code; the assignment has about 40,000
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours of a terminal
GRADIENT = re.compile(r"\b(\w+)\[(\d+(?:, \d+)*)\] (-?\d\.\d+e[+-]\d+|-?inf|nan)")
FINAL = re.compile(r"final +(training|validation|test) +cross-entropy: +(\d+\.\d+|nan|inf)")


class NotebookError(ValueError):
    """A file is no notebook; the message says what was found, and what to do."""


def read_notebook(path):
    """The notebook node of a file, mended by `mend`.

    Raises NotebookError, or OSError if the file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        found = "found a folder" if path.is_dir() else "there is no such file"
        raise NotebookError(f"{path.name}: {found}; expected a notebook, hw1_code_<uni>.ipynb")
    if path.stat().st_size > LARGEST:
        raise NotebookError(
            f"{path.name}: larger than {LARGEST // 2**20} MB; clear its outputs, and run it anew"
        )
    content = path.read_bytes()
    if not content.strip():
        raise NotebookError(
            f"{path.name}: found no Jupyter notebook but an empty file; save the notebook anew"
        )
    try:
        text = content.decode("utf-8-sig")
        notebook = nbformat.from_dict(json.loads(text))
        if notebook.get("nbformat", 4) < 4:
            notebook = nbformat.convert(notebook, 4)
        notebook = mend(notebook)
    except Exception as error:  # a broken file can make the parsers raise anything
        raise NotebookError(
            f"{path.name}: found no Jupyter notebook ({_one_line(error)}); open the notebook in "
            "Jupyter, save it, and give the file that ends in .ipynb"
        ) from error
    n_characters = sum(len(cell.source) for cell in notebook.cells if cell.cell_type == "code")
    if len(notebook.cells) > MOST_CELLS or n_characters > MOST_SOURCE:
        raise NotebookError(
            f"{path.name}: found {len(notebook.cells)} cells, {n_characters} characters of code; "
            f"expected at most {MOST_CELLS} and {MOST_SOURCE}: remove what is not yours"
        )
    return notebook


def _one_line(error):
    return (str(error).strip() or type(error).__name__).split("\n")[0][:100]


def mend(notebook):
    """The notebook node, in place, with cells of the types that they should have.

    Sources are str, metadata and attachments dicts, outputs lists of dicts, whatever they were, as
    `nbformat.read` does not accept notebooks that break the format.
    """
    for cell in notebook.cells:
        _mend_cell(cell)
    return notebook


def _mend_cell(cell):
    cell.setdefault("cell_type", "raw")
    source = cell.get("source")
    cell.source = "".join(source) if isinstance(source, (str, list)) else ""
    for name in ("metadata", "attachments"):
        if not isinstance(cell.get(name), dict):
            cell[name] = nbformat.from_dict({})
    if not isinstance(cell.metadata.get("nbgrader"), dict):
        cell.metadata.pop("nbgrader", None)
    outputs = cell.get("outputs")
    outputs = outputs if isinstance(outputs, list) else []
    cell.outputs = [output for output in outputs if isinstance(output, dict)]
    for output in cell.outputs:
        if not isinstance(output.get("data"), dict):
            output.data = nbformat.from_dict({})


def grade_id(cell):
    """nbgrader's name of a cell; "" without one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def printed(cell):
    """Text that a code cell has printed."""
    texts = (output.get("text", "") for output in cell.outputs)
    joined = "".join("".join(map(str, text)) for text in texts if isinstance(text, (str, list)))
    return ANSI.sub("", joined)


def printed_gradients(text):
    """Values by `name[index]`, as `print_gradients` prints them, from any text."""
    return {f"{name}[{index}]": float(value) for name, index, value in GRADIENT.findall(text)}


def was_interrupted(text):
    """Whether `train` says that it was stopped before its end."""
    return "Interrupted after" in text


def final_figures(text):
    """The cross-entropies that `train` prints at its end, by the name of the split."""
    return {split: float(value) for split, value in FINAL.findall(text)}
