"""The benchmark: what it compares is the same work, and its tables say what was measured."""

from functools import partial
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools import benchmark
from tools.reference import gradient_of


def rows(text):
    """The rows of a table in Markdown, lists of str."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|")]
    return lines[2:]


def test_two_functions_are_timed_in_turn(monkeypatch):
    clock, calls = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock.now)

    def call(name, spent):
        calls.append(name)
        clock.now += spent

    first, second = partial(call, "a", 6.0), partial(call, "b", 2.0)
    figures = benchmark.compare(first, second, rounds=3, repeats=2)
    assert figures == (6.0, 2.0, 3.0) and "".join(calls) == "ab" + 3 * "aabb"
    assert benchmark.comparison("a", "b", figures) == ["a", "6 s", "b", "2 s", "3.00"]


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
    for in_torch, baselines in ((None, 1), (print, 2)):
        monkeypatch.setattr(benchmark, "torch_gradient", lambda *_, found=in_torch: found)
        found = rows(benchmark.gradient(vars(small)))
        assert found[0][1:] == ["2 ms", "its six matrix products", "1 ms", "2.00"]
        assert len(found) == baselines


def test_the_sweep_trains_both_models_and_cites_the_floor(small):
    fakes = {
        "GLOVE_EPOCHS": 5,
        "train_GLoVe": lambda *arguments: (*arguments[:4], 4.5, None),
        "optimal_losses_GLoVe": lambda *arguments: np.array([[9.0, 0], [4.0, 0], [3.0, 0]]),
    }
    text = benchmark.sweep(vars(small) | fakes, dimensions=[1, 2])
    assert "5 epochs for each d of 1, 2." in text and "at most 50.00% above their floor" in text
    assert [row[0] for row in rows(text)] == ["asymmetric model", "symmetric model"]
    assert len(rows(benchmark.sweep(vars(small) | {"GLOVE_EPOCHS": 1}, dimensions=[2]))) == 2


def test_training_says_what_was_reached_and_when(monkeypatch):
    monkeypatch.setattr(benchmark, "seconds", lambda function: function() or 700.0)
    model = SimpleNamespace(train_losses={100: 5.0, 200: 4.0, 300: 3.0, 400: 3.1})
    text = benchmark.training({"train": lambda *sizes: model}, cross_entropies=[5.0, 3.5, 1.0])
    assert rows(text) == [
        ["5.0", "100", "175 s"],
        ["3.5", "300", "525 s"],
        ["1.0", "not reached", ""],
        ["3.10, the end", "400", "700 s"],
    ]


def test_the_notebook_is_timed_by_section(tmp_path):
    titles = ["## 2.1 One", "### 2.1.1 Part", "## 2.2 Two"]
    cells = [part for title in titles for part in (new_code_cell("1"), new_markdown_cell(title))]
    notebook = nbformat.v4.new_notebook(cells=[*cells, new_code_cell("2")])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    times = benchmark.time_notebook(tmp_path / "a.ipynb")
    assert list(times) == ["set-up and data", "Section 2.1", "Section 2.2"]
    assert all(spent > 0 for spent in times.values())


def test_grading_is_timed_on_copies_of_the_reference(monkeypatch):
    graded = []

    def run(command, **options):
        graded.extend(path.read_bytes() for path in command[4].glob("hw1_code_*.ipynb"))

    monkeypatch.setattr(benchmark.subprocess, "run", run)
    monkeypatch.setattr(benchmark, "seconds", lambda function: function() or 4.0)
    assert rows(benchmark.grading({}, n_submissions=3)) == [["3", "4 s", "45"]]
    assert graded == [benchmark.NOTEBOOK.read_bytes()] * 3


def test_both_checks_are_timed(notebook):
    names = [row[0] for row in rows(benchmark.checks(vars(notebook), repeats=1))]
    assert names == ["`check_gradients`", "`check_GLoVe_gradients`"]


def test_all_sections_are_written_and_some_only_printed(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(benchmark, "OUTPUT", tmp_path / "all.md")
    monkeypatch.setattr(benchmark, "SECTIONS", {"one": lambda _: "some", "two": lambda _: "more"})
    for sections, printed in ((["two"], "more\n\n"), ([], "some\n\nmore\n\n")):
        assert not benchmark.OUTPUT.exists()
        monkeypatch.setattr("sys.argv", ["benchmark", *sections])
        benchmark.main()
        assert capsys.readouterr().out == printed
    text = benchmark.OUTPUT.read_text()
    assert text.endswith("\n\nsome\n\nmore\n") and f"NumPy {np.__version__}" in text
    monkeypatch.setattr("sys.argv", ["benchmark", "sleep"])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "no section sleep; there are one, two" in capsys.readouterr().err
