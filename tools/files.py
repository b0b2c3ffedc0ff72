"""Where the files of the package are, and how they are written."""

import contextlib
import errno
import glob
import os
import secrets
import stat
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
        with contextlib.suppress(OSError):  # somebody else removes it too, or owns it
            if time.time() - temporary.stat().st_mtime > LEFT_OVER:
                temporary.unlink()


def _cannot_write(path, error):
    """The OSError that says so in full."""
    return OSError(
        f"{path}: cannot be written ({error.strerror}); expected the name of a file in a "
        "folder that exists and that you may write to"
    )


def require_writable(path):
    """Raise OSError unless `write_atomically` can write a file there: for tools that take long.

    It would fail without a folder to write to, and would replace a pipe or a device by a file.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "it is a pipe or a device")
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder")
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_atomically(path, content):
    """Write bytes to `path` whole or not at all: a reader never sees half a file.

    The content goes to a hidden temporary file in the same folder, which then takes the file's
    place. If the process is killed in between, the temporary file stays until the next call.
    A file that is there keeps its permissions; a new one gets those that the umask leaves.
    Raises OSError as `require_writable` does, or if the disk is full.
    """
    path = Path(path)
    require_writable(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(temporary, "xb") as file:
            if path.exists():
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    _remove_left_over(path)
