"""Time what the assignment does, each thing against what it cannot do without.

    python -m tools.benchmark                 # all sections, into tools/benchmark.md
    python -m tools.benchmark gradient sweep  # some sections, which are only printed

gradient   the gradient of a mini-batch against its matrix products, and against PyTorch
sweep      the GLoVe sweep against its matrix products, and its losses against their floor
checks     the gradient checks
training   how long `train` takes to reach given cross-entropies, and its matrix products
notebook   the whole notebook by section, and its peak memory
grading    submissions that are graded in a minute

PyTorch is compared where it is installed. Other processes disturb every timing. What is compared is
therefore timed in turn, many times over, and the tables show medians: trust the ratios more than
the seconds.
"""

import contextlib
import datetime
import io
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    command_parser,
    require_writable,
    write_atomically,
)
from tools.notebook import NotebookError, code_cells, load_definitions, read_notebook, run
from tools.reference import gradient_of, reference_problem

OUTPUT = ROOT / "tools" / "benchmark.md"
# Of the notebook it uses what the handout names, and `BATCH_SIZE`, `GLOVE_EPOCHS`, `init_GLoVe` and
# `optimal_losses_GLoVe`. These are the arguments of `train` there, and the dimensions of its sweep.
EMBEDDING_DIM, NUM_HID = 16, 128
DIMENSIONS = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128)
CROSS_ENTROPIES = [3.0, 2.5, 2.2, 2.0]
REPORT = 100  # mini-batches whose mean cross-entropy counts
SUBMISSIONS = 8
SEED = 0


# Timing and tables


def seconds(function, repeats=1):
    """Seconds that one call of `function` takes, the mean of `repeats` calls."""
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def compare(first, second, rounds=40, repeats=25):
    """Time two functions in turn.

    Returns:
        Medians over the rounds: seconds of the first, seconds of the second, and their ratio.
    """
    first(), second()
    pairs = np.array(
        [
            [seconds(first, repeats), seconds(second, repeats)]
            for _ in tqdm(range(rounds), desc="timing", leave=False)
        ]
    )
    return *np.median(pairs, axis=0), np.median(pairs[:, 0] / pairs[:, 1])


def duration(value):
    """Text for a number of seconds, with three digits and a unit."""
    size, unit = (1, "s") if value >= 1 else (1e-3, "ms") if value >= 1e-3 else (1e-6, "µs")
    return f"{value / size:.3g} {unit}"


def table(title, head, rows):
    """A table in Markdown; head and rows are lists of str."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


def comparison(name, baseline, figures):
    """A row of a table of `COMPARISON` for what `compare` returned."""
    first, second, ratio = figures
    return [
        name,
        duration(first),
        baseline,
        duration(second),
        f"{ratio:.{2 if ratio < 10 else 0}f}",
    ]


COMPARISON = ["", "time", "compared with", "time", "ratio"]


# The sections: functions of the notebook's definitions and its path, which return a table


def matrix_products(model, batch_size):
    """A function that does the six products of a forward and a backward pass, on random arrays."""
    rng = np.random.RandomState(SEED)
    W1, W2 = model.params.embed_to_hid_weights, model.params.hid_to_output_weights
    E, S, Z = (
        rng.normal(size=(batch_size, n)).astype(W1.dtype) for n in (W1.shape[1], len(W1), len(W2))
    )

    def multiply():
        E @ W1.T  # (B, N D) (N D, H)
        S @ W2.T  # (B, H) (H, N V)
        Z.T @ S  # (N V, B) (B, H)
        Z @ W2  # (B, N V) (N V, H)
        S.T @ E  # (H, B) (B, N D)
        S @ W1  # (B, H) (H, N D)

    return multiply


def torch_gradient(model, inputs, mask):
    """A function that computes the same gradient in PyTorch; None if that is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    functional = torch.nn.functional
    inputs, mask = torch.tensor(inputs, dtype=torch.long), torch.tensor(mask, dtype=torch.long)
    params = {k: torch.tensor(v, requires_grad=True) for k, v in vars(model.params).items()}
    examples, positions = torch.arange(len(inputs)), mask.argmax(dim=1)

    def gradient():
        E = functional.embedding(inputs * (1 - mask), params["word_embedding_weights"]).flatten(1)
        S = torch.sigmoid(functional.linear(E, params["embed_to_hid_weights"], params["hid_bias"]))
        Z = functional.linear(S, params["hid_to_output_weights"], params["output_bias"])
        masked_chunk = Z.reshape(*inputs.shape, -1)[examples, positions]
        targets = inputs[examples, positions]
        loss = functional.cross_entropy(masked_chunk, targets, reduction="sum")
        values = torch.autograd.grad(loss, list(params.values()))
        return {name: value.numpy() for name, value in zip(params, values, strict=True)}

    return gradient


def gradient(notebook, path):
    """The gradient of one mini-batch, float32."""
    rng = np.random.RandomState(SEED)
    inputs = notebook["data"]["train_inputs"][: notebook["BATCH_SIZE"]]
    sizes = inputs.shape[1], EMBEDDING_DIM, NUM_HID
    model = notebook["Model"].random_init(notebook["vocab"], *sizes, rng)
    mask = model.sample_input_mask(len(inputs), rng)
    name = "forward and backward pass"
    baselines = {"its six matrix products": matrix_products(model, len(inputs))}
    if in_torch := torch_gradient(model, inputs, mask):
        baselines["PyTorch, 1 thread"] = in_torch
    rows = [
        comparison(name, baseline, compare(lambda: gradient_of(model, inputs, mask), function))
        for baseline, function in baselines.items()
    ]
    title = f"The gradient of a mini-batch, B = {len(inputs)}, d = {EMBEDDING_DIM}, H = {NUM_HID}"
    return table(title, COMPARISON, rows)


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


def sweep(notebook, path, dimensions=DIMENSIONS):
    """The sweep over d for both models."""
    V, n_epochs = len(notebook["vocab"]), notebook["GLOVE_EPOCHS"]
    log_X = notebook["calculate_log_co_occurrence"](notebook["data"]["train_inputs"])
    rows, excesses = [], []
    for name, symmetric in [("asymmetric model", False), ("symmetric model", True)]:
        floors = notebook["optimal_losses_GLoVe"](log_X, log_X, symmetric)[:, 0]  # by d
        total = np.zeros(2)
        for d in tqdm(dimensions, desc=name, leave=False):
            start = notebook["init_GLoVe"](d, symmetric, np.random.RandomState(SEED))
            losses = []

            def train(start=start, losses=losses):
                losses.append(notebook["train_GLoVe"](*start, log_X, log_X)[4])

            total += compare(train, glove_products(V, d, n_epochs), rounds=3, repeats=1)[:2]
            excesses.append(losses[0] / floors[d] - 1)
        baseline = "three matrix products an epoch"
        rows.append(comparison(name, baseline, (*total, total[0] / total[1])))
    title = (
        f"GLoVe, {n_epochs} epochs for each d of {', '.join(map(str, dimensions))}. The losses end "
        f"at most {max(excesses):.2%} above their floor"
    )
    return table(title, COMPARISON, rows)


def checks(notebook, path):
    """The gradient checks of the notebook."""
    model_data = checking.load_partially_trained(PARTIALLY_TRAINED, notebook["vocab"])
    notebook, model, inputs, mask = reference_problem(notebook["data"], model_data, path)
    checks = {
        "check_gradients": lambda: checking.check_gradients(model, inputs, mask),
        "check_GLoVe_gradients": lambda: checking.check_GLoVe_gradients(
            notebook["loss_GLoVe"], notebook["grad_GLoVe"]
        ),
    }
    rows = []
    for name, check in checks.items():
        with contextlib.redirect_stdout(io.StringIO()):
            rows.append([f"`{name}`", duration(np.median([seconds(check) for _ in range(10)]))])
    return table("Gradient checks", ["", "time"], rows)


class TrainingLog:
    """Records the mini-batches of `train` from inside, by two methods of the notebook's Model.

    losses: their mean cross-entropies; times: seconds since the start at each of them, without the
    time for evaluation and for this log; products: seconds of the matrix products of a step.
    """

    def __init__(self, Model):
        self.losses, self.times, self.products = [], [], []
        self.start, self.is_evaluating = time.perf_counter(), False
        self.compute_loss, self.evaluate = Model.compute_loss, Model.evaluate
        Model.compute_loss = lambda model, *args: self.record(model, *args)
        Model.evaluate = lambda model, *args: self.pause(lambda: self.evaluate(model, *args))

    def pause(self, function):
        """What `function` returns; the time that it takes does not count."""
        begun, self.is_evaluating = time.perf_counter(), True
        result = function()
        self.start, self.is_evaluating = self.start + time.perf_counter() - begun, False
        return result

    def record(self, model, output_activations, expanded_target_batch):
        loss = self.compute_loss(model, output_activations, expanded_target_batch)
        if not self.is_evaluating:
            batch_size = len(output_activations)
            self.losses.append(loss / batch_size)
            self.times.append(time.perf_counter() - self.start)
            if len(self.losses) % REPORT == 0:
                products = matrix_products(model, batch_size)
                self.products.append(self.pause(lambda: seconds(products, repeats=5)))
        return loss


def training(notebook, path, cross_entropies=CROSS_ENTROPIES):
    """How long `train` takes to reach given means of 100 mini-batches."""
    log = TrainingLog(notebook["Model"])
    with contextlib.redirect_stdout(io.StringIO()):
        notebook["train"](EMBEDDING_DIM, NUM_HID)
    n_reports = len(log.losses) // REPORT
    means = np.reshape(log.losses[: n_reports * REPORT], (n_reports, REPORT)).mean(axis=1)
    rows = []
    for target in cross_entropies:
        reached = np.flatnonzero(means <= target)[:1]
        last = [(number + 1) * REPORT for number in reached]
        figures = [text for n in last for text in (f"{n:,}", duration(log.times[n - 1]))]
        rows.append([f"{target:.1f}", *(figures or ["not reached", ""])])
    rows.append([f"{means[-1]:.2f}, the end", f"{len(log.losses):,}", duration(log.times[-1])])
    step, product = log.times[-1] / len(log.losses), np.median(log.products)
    title = (
        f"Training, d = {EMBEDDING_DIM}, H = {NUM_HID}. A step takes {duration(step)}, "
        f"{step / product:.2f} times its six matrix products"
    )
    return table(title, ["mean of 100 mini-batches, nats", "mini-batches", "time"], rows)


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


def whole_notebook(notebook, path):
    """The notebook by section."""
    times, peak = time_notebook(path)
    total = sum(times.values())
    rows = [[name, duration(spent), f"{spent / total:.0%}"] for name, spent in times.items()]
    rows.append(["**all**", duration(total), ""])
    memory = f"; its peak memory is {peak:.2f} GB" if peak else ""
    return table(f"The whole notebook{memory}", ["section", "time", "share"], rows)


def grading(notebook, path, n_submissions=SUBMISSIONS):
    """The command that grades, on copies of the reference notebook."""
    with tempfile.TemporaryDirectory() as folder:
        submissions = Path(folder) / "submissions"
        submissions.mkdir()
        for number in range(n_submissions):
            name = f"hw1_code_abc{number:04}.ipynb"
            (submissions / name).write_bytes(Path(path).read_bytes())
        command = [
            sys.executable,
            "-m",
            "tools.grade",
            "all",
            submissions,
            "-o",
            Path(folder) / "results",
        ]
        spent = seconds(lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True))
    row = [f"{n_submissions}", duration(spent), f"{60 * n_submissions / spent:.0f}"]
    return table("Grading", ["submissions", "time", "submissions a minute"], [row])


SECTIONS = {
    "gradient": gradient,
    "sweep": sweep,
    "checks": checks,
    "training": training,
    "notebook": whole_notebook,
    "grading": grading,
}


def machine():
    """A sentence about what the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):  # Linux says more
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        cpu = names[0] if names else cpu
    blas = {
        f"{i['internal_api']} {i['version']}" for i in threadpool_info() if "blas" in i["filepath"]
    }
    return (
        f"Measured on {os.cpu_count()} cores of {cpu}, {platform.system()}, with Python "
        f"{platform.python_version()}, NumPy {np.__version__} and {', '.join(sorted(blas))}; NumPy "
        "has one thread."
    )


@clear_exit(NotebookError, checking.DataFileError, subprocess.CalledProcessError)
def main():
    parser = command_parser(__doc__)
    add = parser.add_argument
    add("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; default: all")
    add("-o", "--output", help=f"a Markdown file; for all sections the default is {OUTPUT.name}")
    arguments = parser.parse_args()
    sections = arguments.sections or list(SECTIONS)
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    output = arguments.output or (None if arguments.sections else OUTPUT)
    if output:
        require_writable(output)
    parts = [f"# How fast it is\n\n`python -m tools.benchmark` wrote this. {machine()}"]
    with threadpool_limits(limits=1, user_api="blas"):
        for name in sections:
            notebook = load_definitions(checking.load_data(DATA), NOTEBOOK)
            parts.append(SECTIONS[name](notebook, NOTEBOOK))
            print(parts[-1], end="\n\n", flush=True)
    if output:
        write_atomically(output, ("\n\n".join(parts) + "\n").encode())


if __name__ == "__main__":
    main()
