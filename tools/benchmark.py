"""Time what the assignment does, each thing against what it cannot do without.

    python -m tools.benchmark                     # all sections, a quarter of an hour
    python -m tools.benchmark step glove          # some sections
    python -m tools.benchmark --readme README.md  # and put the tables into the README

counting   co-occurrence against a loop over the windows
glove      the GLoVe sweep against its matrix products, and its losses against their floor
step       a training step against its matrix products, and against PyTorch where it is installed
checks     the gradient checks against one evaluation of the loss
training   how long it takes to reach given cross-entropies
notebook   the whole notebook by section, and its peak memory
growth     how all this grows with V, d, B and the number of windows; also draws a plot
busy       the whole notebook quietly, and beside a process that keeps all cores busy

Other processes disturb every timing. What is compared is therefore timed in turn, many times over,
and the tables show medians: trust the ratios more than the seconds.
"""

import argparse
import contextlib
import datetime
import io
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import nbformat
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits
from tqdm import tqdm

import checking
from tools.common import (
    DATA,
    NOTEBOOK,
    PARTIALLY_TRAINED,
    ROOT,
    clear_exit,
    require_different_files,
    require_writable,
    write_atomically,
)
from tools.notebook import NotebookError, code_cells, load_definitions, read_notebook, run

BATCH_SIZE = 100
EMBEDDING_DIM = 16
NUM_HID = 128
GLOVE_DIMENSIONS = [1, 2, 4, 8, 16, 32, 64, 128]
CROSS_ENTROPIES = [3.0, 2.5, 2.2, 2.0]
BLOCKS = 40  # rounds of timings; those of a round follow each other, so that noise hits them all
REPEATS = 25  # calls in one timing
SEED = 0
FIGURE = ROOT / "tools" / "figures" / "growth.png"
BEGIN, END = "<!-- benchmark -->", "<!-- end of benchmark -->"  # in the README


class BenchmarkError(ValueError):
    """Nothing can be measured or written; the message says why, and what to do."""


class Table(NamedTuple):
    """What a section found: a title, the heads of the columns, and rows of text."""

    title: str
    head: list
    rows: list

    def markdown(self):
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(row)} |" for row in lines)])


# Timing


def seconds(function, repeats=REPEATS):
    """Seconds that one call of `function` takes, the mean of `repeats` calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def interleaved(*functions, blocks=BLOCKS, repeats=REPEATS):
    """Seconds of functions that are timed in turn, (blocks, number of functions).

    Each block has an order of its own, so that no function always follows the same other one.
    """
    rng = np.random.RandomState(SEED)
    times = np.zeros((blocks, len(functions)))
    with threadpool_limits(limits=1, user_api="blas"):
        for function in functions:
            function()
        for block in tqdm(range(blocks), desc="timing", leave=False):
            for number in rng.permutation(len(functions)):
                times[block, number] = seconds(functions[number], repeats)
    return times


def compare(first, second, blocks=BLOCKS, repeats=REPEATS):
    """Time two functions in turn.

    Returns:
        Medians over the blocks: seconds of the first, seconds of the second, and their ratio.
    """
    pairs = interleaved(first, second, blocks=blocks, repeats=repeats)
    return *np.median(pairs, axis=0), np.median(pairs[:, 0] / pairs[:, 1])


def duration(value):
    """Text for a number of seconds, with three digits and a unit."""
    size, unit = (1, "s") if value >= 1 else (1e-3, "ms") if value >= 1e-3 else (1e-6, "µs")
    return f"{value / size:.3g} {unit}"


def comparison_row(name, yardstick, figures):
    """A row of a table for what `compare` returned."""
    first, second, ratio = figures
    digits = 2 if ratio < 10 else 0
    return [name, duration(first), yardstick, duration(second), f"{ratio:.{digits}f}"]


COMPARISON = ["", "time", "compared with", "time", "ratio"]  # the head of such a table


# What is timed


def random_data(V, n_windows, n_words=4):
    """Windows of words drawn at random, as a dict like that of `checking.load_data`."""
    inputs = np.random.RandomState(SEED).randint(1, V, size=(n_windows, n_words)).astype(np.int32)
    return {"vocab": ["[MASK]", *map(str, range(1, V))], "train_inputs": inputs}


def matrix_products(params, batch_size):
    """A function that does the six products of one forward and backward pass, on random arrays."""
    rng = np.random.RandomState(SEED)
    hid_weights, output_weights = params.embed_to_hid_weights, params.hid_to_output_weights
    num_hid, n_in = hid_weights.shape
    dtype = hid_weights.dtype
    embedding = rng.normal(size=(batch_size, n_in)).astype(dtype)
    hidden = rng.normal(size=(batch_size, num_hid)).astype(dtype)
    output = rng.normal(size=(batch_size, len(output_weights))).astype(dtype)

    def multiply():
        embedding @ hid_weights.T  # (B, N D) (N D, H)
        hidden @ output_weights.T  # (B, H) (H, N V)
        output.T @ hidden  # (N V, B) (B, H)
        output @ output_weights  # (B, N V) (N V, H)
        hidden.T @ embedding  # (H, B) (B, N D)
        hidden @ hid_weights  # (B, H) (H, N D)

    return multiply


def new_model(notebook, embedding_dim=EMBEDDING_DIM, batch_size=BATCH_SIZE, dtype=np.float32):
    """A model of the notebook with random weights, a batch (B, N) and a mask (B, N) for it."""
    rng = np.random.RandomState(SEED)
    inputs = notebook["data"]["train_inputs"]
    model = notebook["Model"].random_init(
        notebook["vocab"], inputs.shape[1], embedding_dim, NUM_HID, rng, dtype
    )
    return model, inputs[:batch_size], model.sample_input_mask(batch_size, rng)


def training_step(notebook, **sizes):
    """A function that does one training step of the notebook, and the Params that it trains.

    sizes: as for `new_model`.
    """
    model, batch, mask = new_model(notebook, **sizes)
    velocity = model.params.zeros_like()

    def step():
        notebook["training_step"](model, velocity, batch, mask, learning_rate=0.01, momentum=0.9)

    return step, model.params


def torch_step(notebook, threads):
    """The same step in PyTorch, on a copy of the same parameters; None if it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    functional = torch.nn.functional
    model, batch, mask = new_model(notebook)
    batch, mask = torch.tensor(batch, dtype=torch.long), torch.tensor(mask, dtype=torch.long)
    parameters = [torch.tensor(value, requires_grad=True) for value in vars(model.params).values()]
    embedding, hid_weights, hid_bias, output_weights, output_bias = parameters
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    examples = torch.arange(len(batch))

    def step():
        torch.set_num_threads(threads)
        embedded = functional.embedding(batch * (1 - mask), embedding).flatten(start_dim=1)
        hidden = torch.sigmoid(functional.linear(embedded, hid_weights, hid_bias))
        z = functional.linear(hidden, output_weights, output_bias)
        positions = mask.argmax(dim=1)
        masked_chunk = z.reshape(*batch.shape, -1)[examples, positions]
        loss = functional.cross_entropy(masked_chunk, batch[examples, positions])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return [parameter.detach().numpy() for parameter in parameters]

    return step


def glove_products(V, d, n_epochs):
    """A function that does the three products of n_epochs of GLoVe, for either model."""
    rng = np.random.RandomState(SEED)
    R, W, W_tilde = rng.normal(size=(V, V)), rng.normal(size=(V, d)), rng.normal(size=(V, d))

    def multiply():
        for _ in range(n_epochs):
            W @ W_tilde.T  # (V, d) (d, V)
            R @ W_tilde  # (V, V) (V, d)
            R.T @ W  # (V, V) (V, d)

    return multiply


def glove_training(notebook, log_X, d, symmetric, n_epochs):
    """A function that trains GLoVe and returns the loss at the end."""
    start = notebook["init_GLoVe"](d, symmetric, np.random.RandomState(SEED))

    def train():
        *_, loss, _ = notebook["train_GLoVe"](*start, log_X, log_X, n_epochs=n_epochs)
        return loss

    return train


# The sections: each returns a Table


def counting(notebook):
    """Table on counting pairs."""
    inputs = notebook["data"]["train_inputs"]
    figures = compare(
        lambda: notebook["calculate_log_co_occurrence"](inputs),
        lambda: notebook["calculate_with_a_loop"](inputs),
        blocks=5,
        repeats=1,
    )
    row = comparison_row(f"`calculate_log_co_occurrence`, {len(inputs):,} windows", "loop", figures)
    row[-1] = f"1/{1 / figures[-1]:.0f}"
    return Table("Counting pairs", COMPARISON, [row])


def glove(notebook, blocks=3, dimensions=GLOVE_DIMENSIONS):
    """Table on the GLoVe sweep: an epoch is one of `GLOVE_EPOCHS` steps."""
    V, n_epochs = len(notebook["vocab"]), notebook["GLOVE_EPOCHS"]
    log_X = notebook["calculate_log_co_occurrence"](notebook["data"]["train_inputs"])
    totals, rows, excesses = np.zeros((2, 2)), [], []  # totals: seconds by model
    for symmetric in (False, True):
        for d in dimensions:
            train = glove_training(notebook, log_X, d, symmetric, n_epochs)
            products = glove_products(V, d, n_epochs)
            totals[int(symmetric)] += np.median(
                interleaved(train, products, blocks=blocks, repeats=1), axis=0
            )
            floor = notebook["smallest_loss_GLoVe"](log_X, d, symmetric)
            excesses.append(train() / floor - 1)
    for name, (first, second) in [
        ("asymmetric model, all d", totals[0]),
        ("symmetric model, all d", totals[1]),
        ("the whole sweep", totals.sum(axis=0)),
    ]:
        rows.append(
            comparison_row(name, "three matrix products an epoch", (first, second, first / second))
        )
    title = (
        f"GLoVe, {n_epochs} epochs for each d of {', '.join(map(str, dimensions))}. The losses end "
        f"at most {max(excesses):.2%} above their floor"
    )
    return Table(title, COMPARISON, rows)


def step(notebook):
    """Table on one training step."""
    train, params = training_step(notebook)
    figures = compare(train, matrix_products(params, BATCH_SIZE))
    rows = [comparison_row("training step", "its six matrix products", figures)]
    for threads in (1, 2):
        name = f"PyTorch, {threads} thread{'s' * (threads > 1)}"
        in_torch = torch_step(notebook, threads)
        if in_torch is None:
            rows.append(["training step", duration(figures[0]), name, "not installed", ""])
        else:
            rows.append(comparison_row("training step", name, compare(train, in_torch)))
    title = f"One training step, float32, B = {BATCH_SIZE}, d = {EMBEDDING_DIM}, H = {NUM_HID}"
    return Table(title, COMPARISON, rows)


def checks(notebook):
    """Table on the gradient checks."""
    arrays = checking.load_partially_trained(PARTIALLY_TRAINED, notebook["vocab"])
    names = notebook["Params"].__dataclass_fields__
    params = notebook["Params"](**{name: arrays[name] for name in names})
    model = notebook["Model"](params, notebook["vocab"])
    inputs = notebook["data"]["train_inputs"][:BATCH_SIZE]
    mask = model.sample_input_mask(BATCH_SIZE, np.random.RandomState(SEED))
    masked = inputs * (1 - mask)

    def silently(check, *arguments):
        with contextlib.redirect_stdout(io.StringIO()):
            check(*arguments)

    loss_GLoVe, grad_GLoVe = notebook["loss_GLoVe"], notebook["grad_GLoVe"]
    log_X = notebook["calculate_log_co_occurrence"](notebook["data"]["train_inputs"])
    parameters = notebook["init_GLoVe"](EMBEDDING_DIM, False, np.random.RandomState(SEED))
    rows = [
        comparison_row(
            "`check_gradients`",
            "one forward pass, float64",
            compare(
                lambda: silently(checking.check_gradients, model, inputs, mask),
                lambda: model.compute_activations(masked),
                blocks=10,
                repeats=1,
            ),
        ),
        comparison_row(
            "`check_GLoVe_gradients`",
            f"`loss_GLoVe`, d = {EMBEDDING_DIM}",
            compare(
                lambda: silently(checking.check_GLoVe_gradients, loss_GLoVe, grad_GLoVe),
                lambda: loss_GLoVe(*parameters, log_X),
                blocks=10,
                repeats=1,
            ),
        ),
    ]
    return Table("Gradient checks", COMPARISON, rows)


def training(notebook, cross_entropies=CROSS_ENTROPIES):
    """Table on how long training takes to reach given means of 100 mini-batches."""
    config = notebook["TrainingConfig"]()
    inputs, report = notebook["data"]["train_inputs"], notebook["TRAIN_REPORT"]
    rng = np.random.RandomState(config.seed)
    model = notebook["Model"].random_init(
        notebook["vocab"], inputs.shape[1], EMBEDDING_DIM, NUM_HID, rng
    )
    velocity = model.params.zeros_like()
    n_steps = len(inputs) // config.batch_size * config.epochs
    batches = notebook["shuffled_batches"](model, inputs, config, rng)
    products = matrix_products(model.params, config.batch_size)
    losses, rows, remaining = [], [], sorted(cross_entropies)
    spent, in_products = 0.0, []
    with threadpool_limits(limits=1, user_api="blas"):
        for number, (batch, mask) in enumerate(tqdm(batches, "training", n_steps, leave=False), 1):
            start = time.perf_counter()
            rate = config.learning_rate * (1 - number / n_steps)
            losses.append(
                notebook["training_step"](model, velocity, batch, mask, rate, config.momentum)
            )
            spent += time.perf_counter() - start
            if number % report == 0:
                in_products.append(seconds(products, repeats=5))
                while remaining and np.mean(losses[-report:]) <= remaining[-1]:
                    ratio = spent / (number * np.median(in_products))
                    rows.append(
                        [f"{remaining.pop():.1f}", f"{number:,}", duration(spent), f"{ratio:.2f}"]
                    )
    rows += [[f"{target:.1f}", "not reached", "", ""] for target in reversed(remaining)]
    title = "Training, until the mean of 100 mini-batches is at most a cross-entropy"
    head = ["cross-entropy, nats", "mini-batches", "time", "ratio to the matrix products"]
    return Table(title, head, rows)


# Linux keeps the largest resident memory of a process, in kB. (That of `resource.getrusage` will
# not do: a process inherits it from the one that starts it.)
PEAK_MEMORY = """
import re
from pathlib import Path
status = Path("/proc/self/status")
print(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1] if status.exists() else 0)
"""


def time_notebook(path=NOTEBOOK):
    """Seconds by section of the notebook, run in a new kernel, and the kernel's peak in GB or None.

    The peak is that of the resident memory, None where the system is not Linux.
    """
    notebook = read_notebook(path)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK_MEMORY))
    run(notebook)
    peak = int(code_cells(notebook)[-1].outputs[0].text) / 2**20 or None
    section, times = "set-up and data", {}
    for cell in notebook.cells[:-1]:
        heading = re.match(r"## (\d\.\d)", cell.source)
        if cell.cell_type == "markdown" and heading:
            section = f"Section {heading[1]}"
        if "execution" in cell.metadata:
            stamps = [
                datetime.datetime.fromisoformat(cell.metadata.execution[event])
                for event in ("iopub.status.busy", "shell.execute_reply")
            ]
            spent = (stamps[1] - stamps[0]).total_seconds()
            times[section] = times.get(section, 0) + spent
    return times, peak


def whole_notebook(path=NOTEBOOK):
    """Table on the whole notebook."""
    times, peak = time_notebook(path)
    total = sum(times.values())
    rows = [[name, duration(spent), f"{spent / total:.0%}"] for name, spent in times.items()]
    rows.append(["**all**", duration(total), ""])
    memory = f"; its peak memory is {peak:.2f} GB" if peak else ""
    return Table(f"The whole notebook{memory}", ["section", "time", "share"], rows)


@contextlib.contextmanager
def all_cores_busy():
    """Inside of `with`, a second process multiplies matrices on all cores."""
    environment = os.environ | dict.fromkeys(
        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], str(os.cpu_count())
    )
    work = "import numpy as np\na = np.ones((1500, 1500))\nwhile True:\n    a @ a"
    process = subprocess.Popen([sys.executable, "-c", work], env=environment)
    try:
        yield process
        if process.poll() is not None:
            raise BenchmarkError(
                "found the process that keeps the cores busy at its end, expected it to outlast "
                "the notebook: run the section again"
            )
    finally:
        process.kill()
        process.wait()


def busy(path=NOTEBOOK):
    """Table on the notebook beside a busy process."""
    quiet = sum(time_notebook(path)[0].values())
    with all_cores_busy():
        loud = sum(time_notebook(path)[0].values())
    name = f"the whole notebook, all {os.cpu_count()} cores busy"
    row = comparison_row(name, "quiet", (loud, quiet, loud / quiet))
    return Table("Beside a second process that keeps all cores busy", COMPARISON, [row])


# Growth


def growing_tasks(path, V=251, d=EMBEDDING_DIM, B=BATCH_SIZE, windows=50_000):
    """What is done at given sizes, by name: (function to time, letters on which it depends)."""
    notebook = load_definitions(random_data(V, max(windows, B)), path)
    inputs = notebook["data"]["train_inputs"][:windows]
    log_X = notebook["calculate_log_co_occurrence"](inputs)
    train, params = training_step(notebook, embedding_dim=d, batch_size=B)
    model, *_ = new_model(notebook, embedding_dim=d)
    return {
        "counting pairs": (
            lambda: notebook["calculate_log_co_occurrence"](inputs),
            ["V", "windows"],
        ),
        "GLoVe, 10 epochs": (glove_training(notebook, log_X, d, False, 10), ["V", "d"]),
        "matrix products of GLoVe": (glove_products(V, d, 10), ["V", "d"]),
        "training step": (train, ["V", "d", "B"]),
        "matrix products of the step": (matrix_products(params, B), ["V", "d", "B"]),
        "evaluation": (lambda: model.evaluate(inputs), ["windows"]),
    }


GROWTH = {  # sizes by letter
    "V": [63, 126, 251, 502, 1004],
    "d": [4, 8, 16, 32, 64, 128],
    "B": [25, 50, 100, 200, 400],
    "windows": [6_250, 12_500, 25_000, 50_000, 100_000],
}


def measure_growth(path, sizes, blocks):
    """Seconds {(letter, name of the task): list in the order of the sizes}.

    All sizes of a letter are timed in turn, so that noise does not bend the curves.
    """
    times = {}
    for letter, values in sizes.items():
        tasks = {
            (name, value): task
            for value in values
            for name, (task, letters) in growing_tasks(path, **{letter: value}).items()
            if letter in letters
        }
        medians = np.median(interleaved(*tasks.values(), blocks=blocks, repeats=1), axis=0)
        for (name, _), median in zip(tasks, medians):
            times.setdefault((letter, name), []).append(median)
    return times


def growth(path=NOTEBOOK, sizes=GROWTH, figure=FIGURE, blocks=15):
    """Table on how the times grow; also draws them into `figure`."""
    times = measure_growth(path, sizes, blocks)
    rows = []
    for (letter, name), spent in times.items():
        exponent = np.polyfit(np.log(sizes[letter][-3:]), np.log(spent[-3:]), 1)[0]
        ends = f"{sizes[letter][0]:,} to {sizes[letter][-1]:,}"
        rows.append([name, letter, ends, f"{duration(spent[0])} to {duration(spent[-1])}"])
        rows[-1].append(f"{exponent:.1f}")
    write_atomically(figure, draw_growth(times, sizes))
    title = (
        "[Growth](tools/figures/growth.png): the time is about proportional to a power of the "
        "size, at the three largest sizes"
    )
    return Table(title, ["", "size", "from, to", "time", "power"], rows)


COLOURS = {
    "counting pairs": "#009E73",
    "GLoVe, 10 epochs": "#0072B2",
    "matrix products of GLoVe": "#0072B2",
    "training step": "#D55E00",
    "matrix products of the step": "#D55E00",
    "evaluation": "#CC79A7",
}
NAMES_OF_LETTERS = {
    "V": "words in the vocabulary, $V$",
    "d": "dimensions of a vector, $d$",
    "B": "windows in a batch, $B$",
    "windows": "windows",
}


def draw_growth(times, sizes):
    """The figure of `measure_growth` as the bytes of a PNG."""
    size = (3 * len(sizes), 3.8)
    figure, [axes] = plt.subplots(1, len(sizes), figsize=size, sharey=True, squeeze=False)
    for axis, letter in zip(axes, sizes):
        for name in [name for size, name in times if size == letter]:
            style = "o--" if "products" in name else "o-"
            milliseconds = 1000 * np.array(times[letter, name])
            axis.plot(sizes[letter], milliseconds, style, color=COLOURS[name], ms=4, label=name)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(sizes[letter], [f"{size:,}" for size in sizes[letter]], fontsize="small")
        axis.set_xlabel(NAMES_OF_LETTERS[letter])
        axis.minorticks_off()
        axis.grid(color="0.9")
    axes[0].set_ylabel("time [ms]")
    handles = {h.get_label(): h for axis in axes for h in axis.get_lines()}
    figure.legend(handles=handles.values(), loc="outside upper center", ncols=len(handles))
    figure.set_layout_engine("constrained")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    return content.getvalue()


# The command line


SECTIONS = {  # by name: a function of the notebook's definitions and of its path
    "counting": lambda definitions, path: counting(definitions),
    "glove": lambda definitions, path: glove(definitions),
    "step": lambda definitions, path: step(definitions),
    "checks": lambda definitions, path: checks(definitions),
    "training": lambda definitions, path: training(definitions),
    "notebook": lambda definitions, path: whole_notebook(path),
    "growth": lambda definitions, path: growth(path),
    "busy": lambda definitions, path: busy(path),
}


def machine():
    """A sentence about what the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):  # Linux says more
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        cpu = names[0] if names else cpu
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    of_numpy = [library for library in libraries if "numpy" in library["filepath"]] or libraries
    blas = " and ".join(f"{library['internal_api']} {library['version']}" for library in of_numpy)
    return (
        f"Measured on {os.cpu_count()} cores of {cpu}, {platform.system()}, with Python "
        f"{platform.python_version()}, NumPy {np.__version__} and {blas}; NumPy has one thread."
    )


def readme_with(path, block):
    """The text of a README with another block between the two markers.

    Raises BenchmarkError if it is no text or has not got each marker once, OSError.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error}), expected UTF-8 text") from error
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if [text.count(BEGIN), text.count(END), rest.count(END)] != [1, 1, 1]:
        raise BenchmarkError(
            f"{path}: found no place for the tables; expected a line {BEGIN} and, below it, a line "
            f"{END}, each once"
        )
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def require_outputs(arguments):
    """Raise an error if the files that are asked for cannot be written in the end."""
    require_different_files(
        [("--output", arguments.output), ("--readme", arguments.readme)],
        [("the notebook", arguments.notebook), ("the data", arguments.data)],
    )
    for path in filter(None, (arguments.output, arguments.readme)):
        require_writable(path)
    if arguments.readme:
        readme_with(arguments.readme, "")


@clear_exit(BenchmarkError, NotebookError, checking.DataFileError)
def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--data", default=DATA, help="default: %(default)s")
    parser.add_argument("--notebook", default=NOTEBOOK, help="default: %(default)s")
    parser.add_argument("--output", help="a Markdown file to write")
    parser.add_argument("--readme", help=f"a file to change between {BEGIN} and {END}")
    arguments = parser.parse_args()
    sections = arguments.sections or list(SECTIONS)
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    require_outputs(arguments)
    definitions = load_definitions(checking.load_data(arguments.data), arguments.notebook)
    parts = [machine()]
    for name in sections:
        parts.append(SECTIONS[name](definitions, arguments.notebook).markdown())
        print(parts[-1], end="\n\n", flush=True)
    print(parts[0])
    text = "\n\n".join(parts)
    if arguments.output:
        write_atomically(arguments.output, (text + "\n").encode())
    if arguments.readme:
        write_atomically(arguments.readme, readme_with(arguments.readme, text).encode())


if __name__ == "__main__":
    main()
