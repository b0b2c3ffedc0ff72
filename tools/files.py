"""Where the files of the package are, and how they are written."""

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "raw_sentences.txt"
DATA = ROOT / "data.pk"
PARTIALLY_TRAINED = ROOT / "partially_trained.pk"
NOTEBOOK = ROOT / "hw1_code.ipynb"


def write_atomically(path, content):
    """Write bytes to `path` whole or not at all: a reader never sees half a file.

    The content goes to a temporary file in the same folder, which then takes the file's place.
    Raises OSError if the folder does not exist or cannot be written.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # mkstemp makes it readable for its owner only
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
