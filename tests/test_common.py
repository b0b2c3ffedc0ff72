"""What all tools share: files written whole or not at all, zips, command lines."""

import argparse
import io
import os
import runpy
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tools import common
from tools.common import (
    clear_exit,
    random_seed,
    require_writable,
    room_files,
    whole_number,
    write_atomically,
    zip_bytes,
)

# Files


def test_a_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "key.txt"
    write_atomically(path, b"old")
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_file_is_the_old_one_if_its_writer_is_stopped(tmp_path, monkeypatch, step):
    path = tmp_path / "some.pk"
    path.write_bytes(b"old")
    original = Path.write_bytes

    def stop(self, argument):
        if step == "write_bytes":
            original(self, argument[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, step, stop)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_or_a_device_is_written_to_and_stays_one(tmp_path):
    reading, writing = os.pipe()
    write_atomically(f"/dev/fd/{writing}", b"text")
    assert os.read(reading, 10) == b"text"
    for end in (reading, writing):
        os.close(end)


def test_what_cannot_be_written_is_named_beforehand(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "some.pk"):
        for function in (require_writable, lambda path: write_atomically(path, b"new")):
            with pytest.raises(OSError, match=f"{path}: cannot be written; expected a file"):
                function(path)
    assert list(tmp_path.iterdir()) == []


def test_a_zip_is_sorted_dated_today_and_keeps_programs(monkeypatch):
    today = time.struct_time((2026, 9, 8, 13, 30, 5, 1, 251, 0))
    monkeypatch.setattr(common.time, "localtime", lambda: today)
    content = zip_bytes({"b/run": b"#!/bin/sh", "a.txt": b"text"}, programs=["b/run"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        assert archive.read("a.txt") == b"text"
    assert [info.filename for info in infos] == ["a.txt", "b/run"]
    assert {info.date_time for info in infos} == {(2026, 9, 8, 0, 0, 0)}
    assert [oct(info.external_attr >> 16) for info in infos] == ["0o100644", "0o100755"]
    assert content == zip_bytes({"a.txt": b"text", "b/run": b"#!/bin/sh"}, programs=["b/run"])


def test_the_files_of_a_room_are_all_but_compiled_ones():
    found = room_files("tools/release", "checking.py")
    assert {"checking.py", "tools/release/student_readme.md"} <= set(found)
    assert found == sorted(found)
    assert not [name for name in found if "__pycache__" in name]
    with pytest.raises(FileNotFoundError, match="tools/none: found no file"):
        room_files("checking.py", "tools/none")


# Command lines


def test_numbers_are_read_and_refused_out_of_their_range():
    assert [whole_number(1, 10)(text) for text in ("1", "10")] == [1, 10]
    assert random_seed(str(2**32 - 1)) == 2**32 - 1
    for text in ("0", "11", "1.5", "", "many", "9" * 5000):
        with pytest.raises(argparse.ArgumentTypeError) as caught:
            whole_number(1, 10)(text)
        assert f"found {text[:30]!r}, expected a whole number, from 1 to 10" in str(caught.value)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (LookupError("found a; expected b"), 1, "error: found a; expected b\n"),
        (FileNotFoundError(2, "No such file", "x"), 1, "error: x: No such file\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_what_users_do_wrong_ends_a_tool_with_one_line(error, status, line, capsys):
    @clear_exit(LookupError)
    def main(error):
        raise error

    with pytest.raises(SystemExit) as stopped:
        main(error)
    assert stopped.value.code == status
    assert capsys.readouterr() == ("", line)
    with pytest.raises(ZeroDivisionError):  # a mistake of ours keeps its traceback
        main(ZeroDivisionError())


ROOMS = ["data", "release", "pdf", "grade", "notebook", "reference", "drawing", "benchmark"]


@pytest.mark.filterwarnings("ignore:.* found in sys.modules")
@pytest.mark.parametrize("room", [*(f"tools.{room}" for room in ROOMS), "written"])
def test_every_tool_explains_itself_and_refuses_what_it_does_not_know(room, monkeypatch, capsys):
    for option, status in {"--help": 0, "--nonsense": 2}.items():
        monkeypatch.setattr(sys, "argv", [room, option])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_module(room, run_name="__main__", alter_sys=True)
        assert stopped.value.code == status
        explained, refused = capsys.readouterr()
        assert (f"python -m {room}" in explained) == (status == 0)
        assert ("error: " in refused.splitlines()[-1]) if status else refused == ""
