"""Read and run notebooks, the reference and submitted ones; find their cells, answers and outputs.

    python -m tools.notebook

runs the reference notebook from top to bottom in a new kernel, saves it with its outputs, and
prints how long it took.
"""

import ast
import json
import re
import subprocess
import time
from pathlib import Path

from tools.common import NOTEBOOK, ROOT, clear_exit, command_parser, write_atomically
from tools.questions import QUESTIONS

EXPERIMENT = "experiment"  # tag of the cells that take long or only draw
CELL_TIMEOUT = 3 * 3600  # seconds; with 4,000 words the GLoVe sweep takes an hour or more
LARGEST = 100 * 2**20  # bytes of a notebook that is read
PLACEHOLDER = "YOUR ANSWER HERE"
HANDED_OUT = ROOT / "tools" / "handed_out.ipynb"  # in the students' zip
NUMBERS = {n for q in QUESTIONS for n in (q.number, q.number.rpartition(".")[0])}  # of sections
TITLE = re.compile(r"^(?= {0,3}#{1,6} *(\d+\.\d+(?:\.\d+)?)(?![.\d]))", re.MULTILINE)
# The name of a submitted notebook. A browser may add " (1)" to it, a course system more.
SUBMITTED_NAME = re.compile(r"hw1_code_(?P<uni>.+)\.ipynb")
PLACEHOLDER_UNIS = {"uni", "youruni", "<uni>", "<your_uni>"}
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours of a terminal
GRADIENT = re.compile(r"\b(\w{1,40})\[(\d{1,9}(?:, \d{1,9})?)\] (-?\d\.\d+e[+-]\d+|-?inf|nan)")
FINAL = re.compile(r"final +(training|validation|test) +cross-entropy: +(\d+\.\d+|nan|inf)")


class NotebookError(ValueError):
    """A notebook cannot be read or run to its end; the message says why, and what to do."""


# Reading


class Node(dict):
    """A dict of a notebook, whose keys are attributes as well.

    `nbformat` has such a class, but takes a second to load, which reading can do without.
    """

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    __setattr__, __delattr__ = dict.__setitem__, dict.__delitem__


def first_line(error):
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def read_notebook(path):
    """The notebook node in a file. Raises NotebookError if it holds none, OSError."""
    return parse_notebook(Path(path).read_bytes(), path)


def parse_notebook(content, name):
    """The notebook node in the bytes of a file, whatever its state.

    Its cells have parts of the types that they should have. name: of the file, for the message of
    the NotebookError that is raised if it holds no notebook, or one that is too large.
    """
    if len(content) > LARGEST:
        size = f"{name}: larger than {LARGEST // 2**20} MB"
        raise NotebookError(f"{size}; clear its outputs and run it again")
    try:
        if not content.strip():
            raise ValueError("the file is empty")
        notebook = json.loads(content, object_hook=Node)
        if notebook.get("nbformat", 4) < 4:
            import nbformat

            notebook = nbformat.convert(nbformat.from_dict(notebook), 4)
        for cell in notebook.cells:
            complete_cell(cell)
    except Exception as error:  # a broken file can make the parsers raise anything
        raise NotebookError(
            f"{name}: found no Jupyter notebook ({first_line(error)}); open the notebook in "
            "Jupyter, save it, and give the file that ends in .ipynb"
        ) from error
    return notebook


def complete_cell(cell):
    """Give a cell, in place, parts of the types that they should have, whatever they were.

    Its source and all text in its outputs are str, its metadata and attachments dicts, its outputs
    a list of dicts. A cell without attachments has none.
    """
    cell.setdefault("cell_type", "raw")
    cell.source = joined(cell.get("source"))
    if not isinstance(cell.get("metadata"), dict):
        cell.metadata = Node()
    if not isinstance(cell.metadata.get("nbgrader"), dict):
        cell.metadata.pop("nbgrader", None)
    attachments = cell.pop("attachments", None)
    if cell.cell_type == "markdown" and attachments and isinstance(attachments, dict):
        cell.attachments = {name: bundle(kinds) for name, kinds in attachments.items()}
    outputs = cell.pop("outputs", None)
    if cell.cell_type != "code":
        return
    if type(cell.get("execution_count")) is not int:
        cell.execution_count = None
    outputs = outputs if isinstance(outputs, list) else []
    cell.outputs = [output for output in outputs if isinstance(output, dict)]
    for output in cell.outputs:
        if output.get("output_type") == "stream":
            output.text = joined(output.get("text"))
        elif output.get("output_type") != "error":
            output.data = bundle(output.get("data"))


def joined(text):
    """The str that a notebook holds, whole or as a list of lines; "" if it holds none."""
    lines = text if isinstance(text, list) else [text]
    return "".join(line for line in lines if isinstance(line, str))


def bundle(kinds):
    """A dict from MIME types to contents, str but for JSON, whatever else it was."""
    kinds = kinds if isinstance(kinds, dict) else {}
    return Node({k: v if k.endswith("json") else joined(v) for k, v in kinds.items()})


# Cells


def code_cells(notebook):
    """Code cells of a notebook node that are not empty, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def grade_id(cell):
    """nbgrader's name of a cell; "" without one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def cell_of(notebook, name):
    """The cell with nbgrader's name `name`, None if there is none."""
    return next((cell for cell in notebook.cells if grade_id(cell) == name), None)


def place_of(number, cell):
    """How messages name a cell: its execution count, which Jupyter shows, and its first line.

    number: what to say for a cell that has not been run.
    """
    count = cell.get("execution_count")
    line = cell.source.strip().split("\n")[0]
    shown = line if len(line) <= 40 else line[:37] + "..."
    return f"cell {number if count is None else [count]} ({shown})"


def handed_out():
    """Node of the notebook that students were given; of the reference, where there is no other."""
    return read_notebook(HANDED_OUT if HANDED_OUT.is_file() else NOTEBOOK)


def provided_lines(notebook):
    """Set of the lines of text and code, without outer spaces, that students were handed out.

    notebook: node of the reference notebook or of the students'.
    """
    given = [c for c in notebook.cells if not c.metadata.get("nbgrader", {}).get("solution")]
    return {PLACEHOLDER, *(line.strip() for c in given for line in c.source.splitlines())}


def sections(notebook):
    """All cells with their places and sections: triples (place, number, cell).

    A section begins with a title that has the number of a question or of a group of questions; a
    text cell in which one begins comes in parts. A cell with the nbgrader name of a question
    belongs to it wherever it stands, and begins it where its title is gone.

    place: how messages name the cell. number: that of the section, "" before the first.
    """
    named = {question.grade_id: question.number for question in QUESTIONS}
    section, begun = "", {""}
    for index, cell in enumerate(notebook.cells, start=1):
        numbers = {0: named.get(grade_id(cell), section)}  # by where the part begins
        if cell.cell_type == "markdown":
            titles = TITLE.finditer(cell.source)
            numbers |= {title.start(): title[1] for title in titles if title[1] in NUMBERS}
        for (start, number), end in zip(numbers.items(), [*numbers, None][1:]):
            if start or number not in begun:
                section = number
            begun.add(number)
            part = Node({**cell, "source": cell.source[start:end]})
            yield place_of(index, part), number, part


def answers(notebook, provided):
    """The written answers: a dict from the number of each written question to a list of cells.

    An answer is all text in the section of its question, or in the cell with its nbgrader name,
    that was not handed out: it may stand in the question's own cell, under the plots, or below a
    heading of its own. The cells are copies without the lines that were handed out.

    provided: as `provided_lines` returns it.
    """
    found = {question.number: [] for question in QUESTIONS if question.is_written}
    for _, number, cell in sections(notebook):
        if cell.cell_type == "code" or number not in found:
            continue
        lines = cell.source.splitlines()
        # Signs without words, "$$" above all, stand in everybody's text.
        if any(line.strip() in provided and re.search(r"\w{3}", line) for line in lines):
            lines = [line for line in lines if not line.strip() or line.strip() not in provided]
        text = "\n".join(lines).strip()
        if text:
            found[number].append(Node({**cell, "source": text}))
    return found


# Outputs


def pictures(notebook):
    """Data URLs of the plots in the sections of the written questions, by question's number."""
    found = {question.number: [] for question in QUESTIONS if question.is_written}
    for _, number, cell in sections(notebook):
        for output in cell.get("outputs", []) if number in found else []:
            for kind in ("image/png", "image/jpeg"):
                if encoded := output.get("data", {}).get(kind):
                    found[number].append(f"data:{kind};base64,{''.join(encoded.split())}")
    return found


def printed(cell):
    """Text that a code cell has printed."""
    texts = [output.text for output in cell.outputs if output.get("output_type") == "stream"]
    return ANSI.sub("", "".join(texts))


def printed_gradients(text):
    """Values by `name[index]`, as `print_gradients` prints them, from any text."""
    return {f"{name}[{index}]": float(value) for name, index, value in GRADIENT.findall(text)}


def final_figures(text):
    """The cross-entropies that `train` prints at its end, by the name of the split."""
    return {split: float(value) for split, value in FINAL.findall(text)}


# Running


def is_definition(statement):
    """Whether an `ast` statement defines something without running an experiment.

    Definitions are imports, functions, classes, constants (names in capitals) and methods that
    are added to a class.
    """
    if not isinstance(statement, ast.Assign):
        return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))
    targets = list(statement.targets)
    for target in targets:  # grows by the elements of tuples
        targets += target.elts if isinstance(target, ast.Tuple) else []
    return all(
        target.id.isupper()
        if isinstance(target, ast.Name)
        else not isinstance(target, ast.Subscript)
        for target in targets
    )


def load_definitions(data, path=NOTEBOOK):
    """Execute the definitions of the reference notebook on given data, and nothing else.

    No file is read but the notebook, so this also serves to make the files that it needs.

    Args:
        data: dict as `checking.load_data` returns it.
        path: the notebook.

    Returns:
        dict, the namespace in which the definitions were executed.

    Raises NotebookError if they fail, or define no Params or no Model.
    """
    namespace = {"__name__": "hw1_code", "data": data, "vocab": data["vocab"]}
    for number, cell in enumerate(code_cells(read_notebook(path)), start=1):
        if EXPERIMENT in cell.metadata.get("tags", []):
            continue
        try:
            tree = ast.parse(cell.source)
            tree.body = [statement for statement in tree.body if is_definition(statement)]
            exec(compile(tree, f"<{Path(path).name}, code cell {number}>", "exec"), namespace)
        except Exception as error:  # what it executes can raise anything
            raise NotebookError(
                f"{path}: code cell {number} stops with {type(error).__name__}: "
                f"{first_line(error)}; expected the reference notebook"
            ) from error
    if not {"Params", "Model"} <= set(namespace):
        raise NotebookError(f"{path}: has no Params or no Model; expected the reference notebook")
    return namespace


def run(notebook, folder=ROOT, timeout=CELL_TIMEOUT, **options):
    """Execute a notebook node in place, in a new kernel with a folder as its working directory.

    Args:
        timeout: of a cell, in seconds.
        options: more of what `nbclient.NotebookClient` can be told.

    Raises NotebookError, which names the cell, at the first one that fails or takes too long.
    """
    # Imported here: they take a second, and whoever only reads notebooks needs none of them.
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from tqdm import tqdm

    cells = code_cells(notebook)
    for cell in cells:
        cell.outputs, cell.execution_count = [], None
    started = []
    client = NotebookClient(
        notebook,
        timeout=timeout,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        on_cell_execute=lambda cell, cell_index: started.append(cell) or bar.update(),
        **options,
    )
    with tqdm(total=len(cells), desc="running", unit="cell", leave=False) as bar:
        try:
            client.execute(stderr=subprocess.DEVNULL)  # the kernel's own; cells print another way
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            is_own = isinstance(error, CellExecutionError)
            reason = f"{error.ename}: {error.evalue}" if is_own else first_line(error)
            raise NotebookError(
                f"code {place_of(len(started), started[-1])} stops with {reason}; expected all to "
                f"run. The notebook was not saved: run it in Jupyter, in {folder}, to see the place"
            ) from error


def clean(notebook):
    """Remove from a notebook node, in place, what differs from run to run.

    These are progress bars, time stamps and the state of widgets.
    """
    notebook.metadata.pop("widgets", None)
    for cell in code_cells(notebook):
        cell.metadata.pop("execution", None)
        cell.outputs = [
            output
            for output in cell.outputs
            if "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
        ]


def notebook_bytes(notebook):
    import nbformat

    return (nbformat.writes(notebook) + "\n").encode()


@clear_exit(NotebookError)
def main():
    parser = command_parser(__doc__)
    parser.add_argument("notebook", nargs="?", default=NOTEBOOK, help="default: %(default)s")
    arguments = parser.parse_args()
    notebook = read_notebook(arguments.notebook)
    start = time.perf_counter()
    run(notebook)
    elapsed = time.perf_counter() - start
    clean(notebook)
    write_atomically(arguments.notebook, notebook_bytes(notebook))
    print(f"{arguments.notebook}: {elapsed:.0f} s")


if __name__ == "__main__":
    main()
