"""What several tests use: the data, the notebook's definitions, and both on a small problem."""

import copy
import json
import shutil
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from filelock import FileLock
from threadpoolctl import threadpool_limits

import checking
from tools.common import DATA, NOTEBOOK, PARTIALLY_TRAINED, ROOT
from tools.notebook import clean, load_definitions, printed, run

threadpool_limits(limits=1, user_api="blas")

# No two sizes are equal, so that no wrong shape fits by accident.
SMALL_V, SMALL_N, SMALL_D, SMALL_H, SMALL_B = 11, 3, 5, 7, 13
STUDENT_FILES = [*ROOT.glob("*.py"), DATA, PARTIALLY_TRAINED]


@pytest.fixture(scope="session")
def data():
    return checking.load_data(DATA)


@pytest.fixture(scope="session")
def notebook(data):
    """Definitions of the notebook, on the data of the package."""
    return SimpleNamespace(**load_definitions(data))


@pytest.fixture(scope="session")
def saved_notebook():
    """The notebook as it is saved, with its outputs."""
    return nbformat.read(NOTEBOOK, as_version=4)


PROBE = """
import json
print(json.dumps({
    "masked model": trained_model.params.word_embedding_weights.tolist(),
    "GLoVe": trained["asymmetric", 16][0].tolist(),
}))
"""  # run at the end, in the notebook's own kernel


@pytest.fixture(scope="session")
def fresh_run(saved_notebook, tmp_path_factory, worker_id):
    """The notebook after a run in a student's folder, and the two embeddings that it trained.

    It is run once, by the first process that needs it.
    """
    parent = tmp_path_factory.getbasetemp()
    folder = (parent if worker_id == "master" else parent.parent) / "student"
    path = folder / NOTEBOOK.name
    with FileLock(f"{folder}.lock"):
        if not path.exists():
            folder.mkdir()
            for file in STUDENT_FILES:
                shutil.copy(file, folder)
            fresh = copy.deepcopy(saved_notebook)
            fresh.cells.append(nbformat.v4.new_code_cell(PROBE))
            run(fresh, folder)
            nbformat.write(fresh, path)
    fresh = nbformat.read(path, as_version=4)
    embeddings = json.loads(printed(fresh.cells.pop()))
    clean(fresh)
    return fresh, {name: np.array(rows) for name, rows in embeddings.items()}


@pytest.fixture
def small():
    """Definitions of the notebook on small random data, and a model in float64 for them."""
    rng = np.random.RandomState(0)
    data = {"vocab": ["[MASK]", *"abcdefghij"]}
    for split, n_windows in [("train", 400), ("valid", 50), ("test", 50)]:
        windows = rng.randint(1, SMALL_V, size=(n_windows, SMALL_N)).astype(np.int32)
        data[f"{split}_inputs"] = data[f"{split}_targets"] = windows
    names = SimpleNamespace(**load_definitions(data))
    names.rng = rng
    names.model = names.Model.random_init(
        names.vocab, SMALL_N, SMALL_D, SMALL_H, rng, dtype=np.float64
    )
    names.model.params.hid_bias += rng.normal(size=SMALL_H)
    names.model.params.output_bias += rng.normal(size=SMALL_N * SMALL_V)
    names.inputs = data["train_inputs"][:SMALL_B]
    names.mask = names.model.sample_input_mask(SMALL_B, rng)
    return names
