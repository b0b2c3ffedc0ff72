"""Time what the assignment does, each thing against what it cannot do without.

    python -m tools.benchmark                 # all sections, into tools/benchmark.md
    python -m tools.benchmark gradient sweep  # some sections, which are only printed

gradient   the gradient of a mini-batch against its matrix products, and against PyTorch
sweep      the GLoVe sweep against its matrix products, and its losses against their floor
checks     the gradient checks
training   how long `train` takes to reach given cross-entropies
notebook   the whole notebook by section
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
    write_atomically,
)
from tools.notebook import NotebookError, load_definitions, read_notebook, run
from tools.reference import EMBEDDING_DIM, NUM_HID, gradient_of, reference_problem

OUTPUT = ROOT / "tools" / "benchmark.md"
# Of the notebook it uses what the handout names, and `BATCH_SIZE`, `GLOVE_EPOCHS`, `init_GLoVe` and
# `optimal_losses_GLoVe`. These are the dimensions of its sweep.
DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 96, 128)
CROSS_ENTROPIES = (3.0, 2.5, 2.2, 2.0)
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
    in_turn = tqdm(range(rounds), desc="timing", leave=False)
    pairs = np.array([[seconds(first, repeats), seconds(second, repeats)] for _ in in_turn])
    return *np.median(pairs, axis=0), np.median(pairs[:, 0] / pairs[:, 1])


def duration(value):
    """Text for a number of seconds, with three digits and a unit."""
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def table(title, head, rows):
    """A table in Markdown; head and rows are lists of str."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"## {title}", "", *(f"| {' | '.join(line)} |" for line in lines)])


COMPARISON = ["", "time", "compared with", "time", "ratio"]


def comparison(name, baseline, figures):
    """A row of a table of `COMPARISON` for what `compare` returned."""
    first, second, ratio = figures
    return [name, duration(first), baseline, duration(second), f"{ratio:.2f}"]


# The sections: functions of the notebook's definitions, which return a table


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


def gradient(notebook):
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


def sweep(notebook, dimensions=DIMENSIONS):
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


def checks(notebook, repeats=10):
    """The gradient checks of the notebook."""
    model_data = checking.load_partially_trained(PARTIALLY_TRAINED, notebook["vocab"])
    notebook, model, inputs, mask = reference_problem(notebook["data"], model_data)
    glove = notebook["loss_GLoVe"], notebook["grad_GLoVe"]
    checks = {
        "check_gradients": lambda: checking.check_gradients(model, inputs, mask),
        "check_GLoVe_gradients": lambda: checking.check_GLoVe_gradients(*glove),
    }
    rows = []
    for name, check in checks.items():
        with contextlib.redirect_stdout(io.StringIO()):
            rows.append(
                [f"`{name}`", duration(np.median([seconds(check) for _ in range(repeats)]))]
            )
    return table("Gradient checks", ["", "time"], rows)


def training(notebook, cross_entropies=CROSS_ENTROPIES):
    """How long `train` takes to reach given means of 100 mini-batches."""
    models = []
    with contextlib.redirect_stdout(io.StringIO()):
        spent = seconds(lambda: models.append(notebook["train"](EMBEDDING_DIM, NUM_HID)))
    losses = np.array(list(models[0].train_losses.values()))
    rows = []
    for target in cross_entropies:
        row = ["not reached", ""]
        if losses.min() <= target:
            n = np.argmax(losses <= target) + 1
            row = [f"{100 * n:,}", duration(spent * n / len(losses))]
        rows.append([f"{target:.1f}", *row])
    rows.append([f"{losses[-1]:.2f}, the end", f"{100 * len(losses):,}", duration(spent)])
    title = f"Training, d = {EMBEDDING_DIM}, H = {NUM_HID}, with its validation"
    return table(title, ["mean of 100 mini-batches, nats", "mini-batches", "time"], rows)


def time_notebook(path=NOTEBOOK):
    """Seconds by section of the notebook, run in a new kernel."""
    notebook = read_notebook(path)
    run(notebook)
    section, times = "set-up and data", {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := re.match(r"## (\d\.\d)", cell.source)):
            section = f"Section {heading[1]}"
        if stamps := cell.metadata.get("execution"):
            start, end = (
                datetime.datetime.fromisoformat(stamps[event])
                for event in ("iopub.status.busy", "shell.execute_reply")
            )
            times[section] = times.get(section, 0) + (end - start).total_seconds()
    return times


def whole_notebook(notebook):
    """The notebook by section."""
    times = time_notebook()
    total = sum(times.values())
    rows = [[name, duration(spent), f"{spent / total:.0%}"] for name, spent in times.items()]
    rows.append(["**all**", duration(total), ""])
    return table("The whole notebook", ["section", "time", "share"], rows)


def grading(notebook, n_submissions=SUBMISSIONS):
    """The command that grades, on copies of the reference notebook."""
    with tempfile.TemporaryDirectory() as folder:
        submissions, results = Path(folder, "submissions"), Path(folder, "results")
        submissions.mkdir()
        for number in range(n_submissions):
            name = f"hw1_code_abc{number:04}.ipynb"
            (submissions / name).write_bytes(NOTEBOOK.read_bytes())
        command = [sys.executable, "-m", "tools.grade", "all", submissions, "-o", results]
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
        cpu = re.search(r"model name\s*: (.*)|$", Path("/proc/cpuinfo").read_text())[1] or cpu
    blas = [f"{i['internal_api']} {i['version']}" for i in threadpool_info()]
    return (
        f"Measured on {os.cpu_count()} cores of {cpu}, {platform.system()}, with Python "
        f"{platform.python_version()}, NumPy {np.__version__} and {blas[0]}; NumPy has one thread."
    )


@clear_exit(NotebookError, checking.DataFileError, subprocess.CalledProcessError)
def main():
    parser = command_parser(__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="default: all")
    sections = parser.parse_args().sections
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    parts = [f"# How fast it is\n\n`python -m tools.benchmark` wrote this. {machine()}"]
    with threadpool_limits(limits=1, user_api="blas"):
        for name in sections or SECTIONS:
            notebook = load_definitions(checking.load_data(DATA))
            parts.append(SECTIONS[name](notebook))
            print(parts[-1], end="\n\n", flush=True)
    if not sections:
        write_atomically(OUTPUT, ("\n\n".join(parts) + "\n").encode())


if __name__ == "__main__":
    main()
