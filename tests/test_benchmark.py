"""The benchmark: what it compares is the same work, and its tables say what was measured."""

from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from tools import benchmark
from tools.reference import gradient_of


def rows(text):
    """The rows of a table in Markdown, lists of str."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|")]
    return lines[2:]


def test_durations_have_a_unit():
    assert benchmark.duration(12.345) == "12.3 s"
    assert benchmark.duration(0.0123) == "12.3 ms"
    assert benchmark.duration(4.56e-7) == "0.456 µs"


def test_a_table_is_markdown():
    text = benchmark.table("Title", ["a", "b"], [["1", "2"]])
    assert text == "## Title\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_two_functions_are_timed_in_turn(monkeypatch):
    clock, calls = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock.now)

    def working(name, spent):
        def function():
            calls.append(name)
            clock.now += spent

        return function

    figures = benchmark.compare(working("a", 6.0), working("b", 2.0), rounds=3, repeats=2)
    assert figures == (6.0, 2.0, 3.0)
    assert "".join(calls) == "ab" + 3 * "aabb"


class Recorder(np.ndarray):
    """An array that notes the shapes of its products."""

    shapes = []

    def __matmul__(self, other):
        self.shapes.append(frozenset([self.shape, other.shape]))
        return np.asarray(self) @ np.asarray(other)


def test_the_products_are_those_of_the_gradient(small, monkeypatch):
    for name, value in vars(small.model.params).items():
        setattr(small.model.params, name, value.view(Recorder))
    monkeypatch.setattr(Recorder, "shapes", [])
    gradient_of(small.model, small.inputs, small.mask)
    of_the_gradient = {pair for pair in Recorder.shapes if not any(1 in shape for shape in pair)}
    monkeypatch.setattr(Recorder, "shapes", [])
    monkeypatch.setattr(
        benchmark.np.random,
        "RandomState",
        lambda seed: SimpleNamespace(normal=lambda size: np.ones(size).view(Recorder)),
    )
    benchmark.matrix_products(small.model, len(small.inputs))()
    assert len(Recorder.shapes) == 6
    assert len(of_the_gradient) >= 4 and of_the_gradient <= set(Recorder.shapes)


@pytest.mark.slow
def test_the_gradient_in_pytorch_is_the_same(small):
    pytest.importorskip("torch", reason="PyTorch is optional")
    theirs = benchmark.torch_gradient(small.model, small.inputs, small.mask)()
    ours = vars(gradient_of(small.model, small.inputs, small.mask))
    for name, value in ours.items():
        assert np.allclose(value, theirs[name], rtol=1e-9, atol=1e-12), name


def test_the_gradient_is_compared_with_its_products_and_with_pytorch_if_there_is_one(
    small, monkeypatch
):
    monkeypatch.setattr(benchmark, "compare", lambda *functions: (0.002, 0.001, 2.0))
    monkeypatch.setattr(benchmark, "torch_gradient", lambda *arguments: None)
    (row,) = rows(benchmark.gradient(vars(small), None))
    assert row[1:] == ["2 ms", "its six matrix products", "1 ms", "2.00"]
    monkeypatch.setattr(benchmark, "torch_gradient", lambda *arguments: print)
    assert len(rows(benchmark.gradient(vars(small), None))) == 2


def test_the_sweep_is_both_models_and_cites_the_floor(small, monkeypatch):
    names = vars(small) | {
        "GLOVE_EPOCHS": 5,
        "train_GLoVe": lambda *arguments: (*arguments[:4], 4.5, None),
        "optimal_losses_GLoVe": lambda *arguments: np.array([[9.0, 0], [4.0, 0], [3.0, 0]]),
    }
    text = benchmark.sweep(names, None, dimensions=[1, 2])
    assert "5 epochs for each d of 1, 2." in text and "at most 50.00% above their floor" in text
    assert [row[0] for row in rows(text)] == ["asymmetric model", "symmetric model"]


def test_the_sweep_trains_the_notebooks_models(small):
    names = vars(small) | {"GLOVE_EPOCHS": 1}
    assert len(rows(benchmark.sweep(names, None, dimensions=[2]))) == 2


def test_training_says_what_was_reached_and_when(small, monkeypatch):
    """Losses fall by 1 every 100 mini-batches, of which each takes 2 s; evaluation takes 1000 s."""
    clock = SimpleNamespace(now=0.0)

    class Model:
        params = small.model.params

        def compute_loss(self, output_activations, expanded_target_batch):
            clock.now += 2
            return len(output_activations) * expanded_target_batch

        def evaluate(self, inputs):
            clock.now += 1000
            return self.compute_loss(inputs, 99.0)

    def train(embedding_dim, num_hid):
        model = Model()
        for number in range(350):
            model.compute_loss(np.zeros((7, 5)), 5.0 - number // 100)
            if number % 100 == 50:
                model.evaluate(np.zeros((20, 5)))

    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(benchmark, "seconds", lambda *arguments, **options: 0.5)
    names = {"Model": Model, "train": train}
    text = benchmark.training(names, None, cross_entropies=[5.0, 3.5, 1.0])
    assert rows(text) == [
        ["5.0", "100", "200 s"],
        ["3.5", "300", "600 s"],
        ["1.0", "not reached", ""],
        ["3.00, the end", "350", "700 s"],
    ]
    assert "A step takes 2 s, 4.00 times" in text


def test_the_notebook_is_timed_by_section(tmp_path):
    cell, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [cell("1 + 1"), text("## 2.1 One"), cell("1 + 1"), text("### 2.1.1 Part"), cell("2")]
    cells += [text("## 2.2 Two"), cell("array = bytearray(100_000_000)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    inherited = bytearray(600_000_000)  # memory of the process that starts the notebook
    times, peak = benchmark.time_notebook(tmp_path / "a.ipynb")
    assert len(inherited) == 600_000_000
    assert list(times) == ["set-up and data", "Section 2.1", "Section 2.2"]
    assert all(spent > 0 for spent in times.values())
    assert peak is None or 0.09 < peak < 0.5


def test_grading_is_timed_on_copies_of_the_reference(tmp_path, monkeypatch):
    (tmp_path / "reference.ipynb").write_text("{}")
    graded = []

    def run(command, **options):
        graded.extend(path.read_text() for path in command[4].glob("hw1_code_*.ipynb"))

    monkeypatch.setattr(benchmark.subprocess, "run", run)
    monkeypatch.setattr(benchmark, "seconds", lambda function: function() or 4.0)
    text = benchmark.grading(None, tmp_path / "reference.ipynb", n_submissions=3)
    assert graded == ["{}"] * 3
    assert rows(text) == [["3", "4 s", "45"]]


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmark", *map(str, arguments)])
    benchmark.main()


def test_both_checks_are_timed(notebook, monkeypatch):
    timed = {}
    monkeypatch.setattr(
        benchmark, "seconds", lambda check: timed.setdefault(check, check() or len(timed) + 1.0)
    )
    text = benchmark.checks(vars(notebook), benchmark.NOTEBOOK)
    assert rows(text) == [["`check_gradients`", "1 s"], ["`check_GLoVe_gradients`", "2 s"]]


def test_the_command_writes_what_it_prints(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(benchmark, "OUTPUT", tmp_path / "all.md")
    monkeypatch.setattr(benchmark, "SECTIONS", {"one": lambda *_: "some", "two": lambda *_: "more"})
    run_main(monkeypatch)
    assert capsys.readouterr().out == "some\n\nmore\n\n"
    text = (tmp_path / "all.md").read_text()
    assert text.endswith("\n\nsome\n\nmore\n") and f"NumPy {np.__version__}" in text


def test_some_sections_are_written_only_where_a_file_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(benchmark, "OUTPUT", tmp_path / "all.md")
    for name in benchmark.SECTIONS:
        monkeypatch.setitem(benchmark.SECTIONS, name, lambda *_: f"measured {len(_)}")
    run_main(monkeypatch, "sweep")
    assert list(tmp_path.iterdir()) == []
    run_main(monkeypatch, "sweep", "checks", "-o", tmp_path / "some.md")
    assert (tmp_path / "some.md").read_text().count("measured 2") == 2
    for arguments, message in (
        (["sleep"], "no section sleep; there are gradient, sweep"),
        (["sweep", "-o", tmp_path / "none" / "x"], "cannot be written"),
    ):
        with pytest.raises(SystemExit):
            run_main(monkeypatch, *arguments)
        assert message in capsys.readouterr().err
