"""Where the files of the package are, and how they are written."""

import glob
import os
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "raw_sentences.txt"
DATA = ROOT / "data.pk"
PARTIALLY_TRAINED = ROOT / "partially_trained.pk"
NOTEBOOK = ROOT / "hw1_code.ipynb"
LEFT_OVER = 60  # seconds after which a temporary file is that of a process that was killed


def _remove_left_over(path):
    """Remove what earlier writers of `path` could not remove themselves, since they were killed."""
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        if time.time() - temporary.stat().st_mtime > LEFT_OVER:
            temporary.unlink(missing_ok=True)


def write_atomically(path, content):
    """Write bytes to `path` whole or not at all: a reader never sees half a file.

    The content goes to a hidden temporary file in the same folder, which then takes the file's
    place. If the process is killed in between, the temporary file stays until the next call.
    Raises OSError if the folder does not exist or cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(".tmp", f".{path.name}.", path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # mkstemp makes it readable for its owner only
        os.replace(temporary, path)
        _remove_left_over(path)
    except OSError as error:
        raise OSError(
            f"{path}: cannot be written ({error.strerror}); expected the name of a file in a "
            "folder that exists and that you may write to"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
