"""What all tools share: where the files are, how they are written, how command lines end."""

import argparse
import io
import os
import re
import secrets
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "raw_sentences.txt"
DATA = ROOT / "data.pk"
PARTIALLY_TRAINED = ROOT / "partially_trained.pk"
NOTEBOOK = ROOT / "hw1_code.ipynb"
PICKLE_PROTOCOL = 4  # the highest that every Python 3 in use reads


# Files


def require_writable(path):
    """Raise OSError unless a file can be written there: for tools that take long to begin with."""
    path = Path(path)
    target = path if path.exists() else path.parent
    if path.is_dir() or not target.exists() or not os.access(target, os.W_OK):
        raise OSError(f"{path}: cannot be written; expected a file in a folder of yours")


def write_atomically(path, content):
    """Write bytes to `path` whole or not at all: a reader never sees half a file.

    Raises OSError as `require_writable` does, or if the disk is full.
    """
    path = Path(path)
    require_writable(path)
    if path.exists() and not path.is_file():  # a pipe or a device, such as /dev/stdout
        path.write_bytes(content)
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content)
        if path.exists():
            temporary.chmod(path.stat().st_mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def zip_bytes(files, programs=()):
    """Bytes of a zip file, dated today.

    Args:
        files: dict from a name in the zip to bytes.
        programs: names of the files that can be executed.
    """
    stream = io.BytesIO()
    today = (*time.localtime()[:3], 0, 0, 0)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, today)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, on every machine, so that permissions are kept
            info.external_attr = (0o100755 if name in programs else 0o100644) << 16
            archive.writestr(info, files[name])
    return stream.getvalue()


def room_files(*rooms):
    """Paths, relative to the package, of all files in some folders or files of it.

    Raises FileNotFoundError if one of them has no files.
    """
    found = set()
    for room in rooms:
        paths = [path for path in (ROOT / room, *(ROOT / room).rglob("*")) if path.is_file()]
        if not paths:
            raise FileNotFoundError(f"{ROOT / room}: found no file; expected a part of the package")
        found.update(path for path in paths if "__pycache__" not in path.parts)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


# Command lines


def whole_number(low, high=10**9):
    """A type for argparse: whole numbers from `low` to `high`."""

    def convert(text):
        if not re.fullmatch("[0-9]{1,10}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(
                f"found {text[:30]!r}, expected a whole number, from {low} to {high}"
            )
        return int(text)

    return convert


random_seed = whole_number(0, 2**32 - 1)  # what numpy.random.RandomState takes


def command_parser(description):
    """An ArgumentParser that shows the docstring of a tool as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


@contextmanager
def clear_exit(*errors):
    """Decorator of a tool's `main`: the given errors end it with one line, and status 1.

    So does OSError. Their messages have to say what was found, what was expected and what to do.
    Ctrl-C ends it with one line too, and the status 130 that shells expect.
    """
    try:
        yield
    except (OSError, *errors) as error:
        is_named = isinstance(error, OSError) and error.filename and error.strerror
        text = f"{error.filename}: {error.strerror}" if is_named else error
        print(f"error: {text}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
