"""The benchmark: its timings, its tables, its sections on a small problem, its command line."""

import time
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from tools import benchmark
from tools.benchmark import Table
from tools.notebook import NotebookError


def test_durations_have_a_unit():
    assert benchmark.duration(12.345) == "12.3 s"
    assert benchmark.duration(0.0123) == "12.3 ms"
    assert benchmark.duration(4.56e-7) == "0.456 µs"


def test_a_table_is_markdown():
    text = Table("Title", ["a", "b"], [["1", "2"]]).markdown()
    assert text == "**Title**\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_the_slower_of_two_functions_has_the_larger_time():
    slow, fast, ratio = benchmark.compare(
        lambda: time.sleep(0.01), lambda: time.sleep(0.002), blocks=3, repeats=2
    )
    assert slow >= 0.01 and fast >= 0.002
    assert 2 < ratio <= 5.5


def test_the_products_are_those_of_a_step(small, monkeypatch):
    # Every array remembers the shapes of its products.
    shapes = []

    class Recorder(np.ndarray):
        def __matmul__(self, other):
            shapes.append((self.shape, other.shape))
            return np.asarray(self) @ np.asarray(other)

    params = small.model.params
    for name, value in vars(params).items():
        setattr(params, name, value.view(Recorder))
    batch = len(small.inputs)
    small.training_step(small.model, params.zeros_like(), small.inputs, small.mask, 0.1, 0.9)
    of_the_step = {frozenset(pair) for pair in shapes if 1 not in pair[0] + pair[1]}
    shapes.clear()
    rng = np.random.RandomState
    monkeypatch.setattr(
        benchmark.np.random,
        "RandomState",
        lambda seed: SimpleNamespace(normal=lambda size: rng(0).normal(size=size).view(Recorder)),
    )
    benchmark.matrix_products(params, batch)()
    assert len(shapes) == 6
    assert of_the_step <= {frozenset(pair) for pair in shapes}


def cells(table, column):
    return [row[column] for row in table.rows]


def test_counting(small):
    table = benchmark.counting(vars(small))
    assert cells(table, 0) == ["`calculate_log_co_occurrence`, 400 windows"]
    assert table.rows[0][-1].startswith("1/")


def test_glove_sums_up_both_models_and_cites_the_floor(small, monkeypatch):
    monkeypatch.setitem(vars(small), "GLOVE_EPOCHS", 5)
    table = benchmark.glove(vars(small), blocks=1, dimensions=[1, 2])
    assert cells(table, 0)[-1] == "the whole sweep"
    assert "5 epochs for each d of 1, 2." in table.title

    def no_training(*arguments, n_epochs):
        return *arguments[:4], 4.5, None

    monkeypatch.setitem(vars(small), "train_GLoVe", no_training)
    monkeypatch.setitem(vars(small), "smallest_loss_GLoVe", lambda *arguments: 3.0)
    table = benchmark.glove(vars(small), blocks=1, dimensions=[1])
    assert "at most 50.00% above their floor" in table.title


def test_training_says_what_was_reached_and_when(small):
    config = small.TrainingConfig(batch_size=20, epochs=10)
    names = vars(small) | {"TrainingConfig": lambda: config}
    table = benchmark.training(names, cross_entropies=[99.0, 98.0, 0.0])
    assert cells(table, 0) == ["99.0", "98.0", "0.0"]
    assert cells(table, 1) == ["100", "100", "not reached"]
    assert all(float(ratio) > 1 for ratio in cells(table, 3)[:2])


@pytest.mark.slow
def test_the_step_in_pytorch_is_the_same(notebook):
    pytest.importorskip("torch", reason="PyTorch is optional")
    in_torch = benchmark.torch_step(vars(notebook), threads=1)
    step, params = benchmark.training_step(vars(notebook))
    for _ in range(3):
        step()
        expected = in_torch()
    for (name, value), other in zip(vars(params).items(), expected, strict=True):
        assert np.allclose(value, other, atol=1e-6), name


def test_without_pytorch_the_table_says_so(notebook, monkeypatch):
    monkeypatch.setattr(benchmark, "torch_step", lambda *arguments: None)
    monkeypatch.setattr(benchmark, "compare", lambda *functions: (0.002, 0.001, 2.0))
    table = benchmark.step(vars(notebook))
    assert table.rows[0] == [
        "training step",
        "2 ms",
        "its six matrix products",
        "1 ms",
        "2.00",
    ]
    assert cells(table, 3)[1:] == ["not installed", "not installed"]


def test_growth_times_every_size_and_draws_a_png(tmp_path):
    figure = tmp_path / "growth.png"
    sizes = {"V": [60, 120, 240], "windows": [100, 200, 400]}
    table = benchmark.growth(sizes=sizes, figure=figure, blocks=1)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert {(row[1], row[2]) for row in table.rows} == {
        ("V", "60 to 240"),
        ("windows", "100 to 400"),
    }
    assert cells(table, 0).count("training step") == 1


def test_the_power_is_that_of_the_growth(monkeypatch, tmp_path):
    sizes = {"V": [100, 200, 400]}
    times = {("V", "training step"): [value**2 * 1e-6 for value in sizes["V"]]}
    monkeypatch.setattr(benchmark, "measure_growth", lambda *arguments: times)
    table = benchmark.growth(sizes=sizes, figure=tmp_path / "growth.png")
    assert table.rows == [["training step", "V", "100 to 400", "10 ms to 160 ms", "2.0"]]


def test_the_notebook_is_timed_by_section(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("import time"),
        nbformat.v4.new_markdown_cell("## 2.1 One"),
        nbformat.v4.new_code_cell("time.sleep(0.3)"),
        nbformat.v4.new_code_cell("time.sleep(0.3)"),
        nbformat.v4.new_markdown_cell("## 2.2 Two"),
        nbformat.v4.new_code_cell("array = bytearray(100_000_000)"),
    ]
    path = tmp_path / "notebook.ipynb"
    nbformat.write(notebook, path)
    inherited = bytearray(600_000_000)  # memory of the process that starts the notebook
    times, peak = benchmark.time_notebook(path)
    assert len(inherited) == 600_000_000
    assert list(times) == ["set-up and data", "Section 2.1", "Section 2.2"]
    assert 0.6 <= times["Section 2.1"] < 5
    assert peak is None or 0.09 < peak < 0.5


def test_the_busy_process_works_while_it_should_and_ends():
    with benchmark.all_cores_busy() as process:
        time.sleep(0.2)
        assert process.poll() is None
    assert process.poll() is not None


README = f"before\n{benchmark.BEGIN}\nold\n{benchmark.END}\nafter\n"


def test_the_readme_keeps_all_but_the_block(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(README)
    new = benchmark.readme_with(path, "new")
    assert new == README.replace("old", "new")
    path.write_text(new)
    assert benchmark.readme_with(path, "new") == new
    begin, end = benchmark.BEGIN, benchmark.END
    for text in ("no markers", begin, end, f"{end}{begin}", README + begin, README + end):
        path.write_text(text)
        with pytest.raises(benchmark.BenchmarkError, match="README.md: .*expected a line"):
            benchmark.readme_with(path, "new")
    path.write_bytes(b"\xff")
    with pytest.raises(benchmark.BenchmarkError, match="README.md: .*expected UTF-8 text"):
        benchmark.readme_with(path, "new")


def run_main(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["benchmark", *map(str, arguments)])
    benchmark.main()


def test_the_command_line_writes_what_it_prints(monkeypatch, capsys, tmp_path):
    readme, output = tmp_path / "README.md", tmp_path / "tables.md"
    readme.write_text(README)
    run_main(monkeypatch, "checks", "--readme", readme, "--output", output)
    printed = capsys.readouterr().out
    assert "`check_gradients`" in printed
    for line in output.read_text().splitlines():
        assert line in printed and line in readme.read_text()
    assert "NumPy " + np.__version__ in printed


def test_mistakes_are_named_before_anything_is_measured(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(benchmark.SECTIONS, "checks", lambda *_: pytest.fail("too late"))
    readme = tmp_path / "README.md"
    readme.write_text("no markers")
    for arguments, message in (
        (["--readme", readme], "README.md: found no place for the tables; expected a line"),
        (["--readme", tmp_path / "none.md"], "none.md"),
        (["--output", tmp_path / "none" / "x"], "cannot be written"),
        (["--output", readme, "--readme", readme], "also the file of --output"),
        (["--output", readme, "--data", readme], "it is the data"),
    ):
        with pytest.raises(SystemExit) as stopped:
            run_main(monkeypatch, "checks", *arguments)
        assert stopped.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert readme.read_text() == "no markers"


def test_a_notebook_that_stops_is_one_clear_error(tmp_path):
    path = tmp_path / "failing.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(NotebookError, match="a cell stops with ZeroDivisionError"):
        benchmark.time_notebook(path)
