"""Use the notebook from Python: load its definitions, and run all its cells cleanly."""

import ast
import asyncio
import atexit
import contextlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

from tools.command_line import signals_to
from tools.files import NOTEBOOK, ROOT

EXPERIMENT = "experiment"  # tag of the cells that take long or only draw
CELL_TIMEOUT = 600  # seconds


def code_cells(notebook):
    """Code cells of a notebook node that are not empty, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def is_constant(target):
    """Whether what an `ast` assignment assigns to is a NAME, a method of a class, or several."""
    if isinstance(target, ast.Tuple):
        return all(is_constant(element) for element in target.elts)
    return isinstance(target, ast.Attribute) or (
        isinstance(target, ast.Name) and target.id.isupper()
    )


def is_definition(statement):
    """Whether an `ast` statement defines something without running an experiment.

    Definitions are imports, functions, classes, constants (names in capitals) and methods that
    are added to a class.
    """
    if isinstance(statement, ast.Assign):
        return all(is_constant(target) for target in statement.targets)
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))


def load_definitions(data, path=NOTEBOOK):
    """Execute the definitions of the notebook on given data, and nothing else.

    No file is read but the notebook, so this also serves to make the files that it needs.

    Args:
        data: dict as `checking.load_data` returns it.
        path: the notebook.

    Returns:
        dict, the namespace in which the definitions were executed.
    """
    namespace = {"__name__": "hw1_code", "data": data, "vocab": data["vocab"]}
    for number, cell in enumerate(code_cells(nbformat.read(path, as_version=4)), start=1):
        if EXPERIMENT in cell.metadata.get("tags", []):
            continue
        tree = ast.parse(cell.source)
        tree.body = [statement for statement in tree.body if is_definition(statement)]
        exec(compile(tree, f"<{Path(path).name}, code cell {number}>", "exec"), namespace)
    return namespace


class _Client(NotebookClient):
    """A `NotebookClient` that can be interrupted at any moment and then ends its kernel."""

    interrupted_by = None  # number of the signal
    _task = None

    def interrupt(self, number, frame):
        """Handler of a signal."""
        self.interrupted_by = number
        if self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def run(self):
        self._task = asyncio.current_task()
        try:
            if self.interrupted_by is None:  # it may be, before there was a task to cancel
                await self.async_execute(stderr=subprocess.DEVNULL)  # cells print another way
        finally:
            atexit.unregister(self._cleanup_kernel)  # a safety net of the original
            if self.km is not None and self.km.has_kernel:  # interrupted while it started
                await self._async_cleanup_kernel()


def execute(notebook, folder=ROOT):
    """Run all cells of a notebook node in a new kernel, in place; call it in the main thread.

    Raises nbclient.exceptions.CellExecutionError at the first cell that fails, KeyboardInterrupt at
    Ctrl-C and SIGTERM.
    """
    client = _Client(
        notebook,
        timeout=CELL_TIMEOUT,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    n_cells = len(code_cells(notebook))
    with (
        signals_to(client.interrupt),
        tqdm(total=n_cells, desc="running the notebook", unit="cell", leave=False) as bar,
        ThreadPoolExecutor(1) as thread,
    ):
        client.on_cell_complete = lambda cell, cell_index: bar.update()
        # In the main thread the client would handle signals itself, and fail in the middle of it.
        error = thread.submit(asyncio.run, client.run()).exception()
    if client.interrupted_by is not None:
        raise KeyboardInterrupt(client.interrupted_by)
    if error is not None:
        raise error


def clean(notebook):
    """Remove from a notebook node, in place, what differs from run to run.

    These are progress bars, time stamps and the state of widgets.
    """
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in code_cells(notebook):
        cell.metadata.pop("execution", None)
        cell.outputs = [
            output
            for output in cell.outputs
            if "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
        ]
