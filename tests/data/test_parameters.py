"""partially_trained.pk: its contract, and that no gradient is degenerate there."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import checking
from tools.common import PARTIALLY_TRAINED, ROOT

SHAPES = {
    "word_embedding_weights": (251, 16),
    "embed_to_hid_weights": (128, 64),
    "hid_bias": (128,),
    "hid_to_output_weights": (1004, 128),
    "output_bias": (1004,),
}


def test_shapes_and_types(data):
    arrays = pickle.loads(PARTIALLY_TRAINED.read_bytes())
    assert arrays.pop("vocab") == data["vocab"]
    assert {name: array.shape for name, array in arrays.items()} == SHAPES
    assert {array.dtype.name for array in arrays.values()} == {"float64"}


def test_no_gradient_is_degenerate(notebook):
    model = notebook.partially_trained_model()
    inputs, mask = notebook.example_batch()
    masked_inputs = inputs * (1 - mask)
    activations = model.compute_activations(masked_inputs)
    hidden = activations.hidden_layer
    assert np.mean((hidden > 0.02) & (hidden < 0.98)) > 0.9  # hidden units are not saturated
    assert np.linalg.matrix_rank(hidden) == 100  # nor all alike
    targets = model.indicator_matrix(inputs * mask)
    derivative = model.compute_loss_derivative(
        activations.output_layer, targets, mask[:, :, np.newaxis]
    )
    gradient = model.back_propagate(masked_inputs, activations, derivative)
    for name, value in vars(gradient).items():
        rows = value[np.unique(masked_inputs)] if name == "word_embedding_weights" else value
        assert np.mean(rows != 0) == 1, name
        assert np.median(np.abs(rows)) > 1e-4 * np.max(np.abs(rows)), name


@pytest.mark.slow
def test_the_command_gives_the_same_bytes(tmp_path):
    output = tmp_path / "partially_trained.pk"
    command = [sys.executable, "-m", "tools.data.parameters", "-o", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert output.read_bytes() == PARTIALLY_TRAINED.read_bytes()


def test_a_missing_data_file_is_one_clear_line(tmp_path):
    command = [sys.executable, "-m", "tools.data.parameters", "--data", "no/such.pk"]
    run = subprocess.run(
        [*command, "-o", str(tmp_path / "p.pk")], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "no/such.pk" in run.stderr
    assert "Traceback" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_another_vocabulary_is_refused(data, tmp_path):
    arrays = pickle.loads(PARTIALLY_TRAINED.read_bytes())
    arrays["vocab"] = arrays["vocab"][:-1] + ["unheard-of"]
    path = tmp_path / "partially_trained.pk"
    path.write_bytes(pickle.dumps(arrays))
    with pytest.raises(checking.DataFileError, match="partially_trained.pk"):
        checking.load_partially_trained(path, data["vocab"])
