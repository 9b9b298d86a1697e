"""Logs that are cut while they are written."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launcher.support import PYTHON
from wslink.launcher import cutting

LIMIT, LINES, WRITERS = 2**16, 8_000, 3
WRITER = f"""
import os, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
for number in range({LINES}):
    os.write(log, b"%s %d %s\\n" % (sys.argv[2].encode(), number, b"x" * (number % 100)))
"""


def written_while_cut(path: Path, part: Path | None = None) -> Iterator[None]:
    """Let several processes write a log at once; one step per cut."""
    path.touch(0o600)
    writers = [subprocess.Popen([*PYTHON, WRITER, str(path), str(number)]) for number in range(WRITERS)]
    while any(writer.poll() is None for writer in writers):
        if path.stat().st_size > LIMIT:
            cutting.cut_log(path, LIMIT // 2, part, 2**30)
            yield
    assert [writer.wait() for writer in writers] == [0] * WRITERS


def collapses(directory: Path) -> bool:
    """Whether the file system can take blocks out of a file."""
    path = directory / "probe"
    path.write_bytes(b"line\n" * 10_000)
    before = path.stat().st_ino
    cutting.cut_log(path, 4096)
    return path.stat().st_ino == before and path.stat().st_size % 4096 == 50_000 % 4096


def test_no_line_is_lost_where_a_log_is_cut(tmp_path: Path) -> None:
    if not collapses(tmp_path):
        pytest.skip("only ext4 and XFS can take blocks out of a file that is written")
    path, part = tmp_path / "log.txt", tmp_path / "part.txt"
    found: list[str] = []
    for _ in written_while_cut(path, part):
        found += part.read_text().splitlines()
    found += path.read_text().splitlines()
    lines = [line for line in found if not line.startswith("[the launcher has left out ")]
    assert len(found) > len(lines)
    for writer in range(WRITERS):
        numbers = [int(line.split()[1]) for line in lines if line.startswith(f"{writer} ")]
        assert numbers == list(range(LINES))


@pytest.mark.parametrize("able", [True, False])
def test_the_end_of_a_log_is_kept_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, able: bool) -> None:
    if not able:
        monkeypatch.setattr(cutting, "_fallocate", lambda: None)
    path = tmp_path / "log.txt"
    for _ in written_while_cut(path):
        time.sleep(0.005)
    with path.open("ab") as file:
        file.write(b"the end\n")
    cutting.cut_log(path, 8192)
    text = path.read_bytes()
    assert 8192 - 120 <= len(text) <= 8192 + 4096 + 60
    mark, *lines = text.decode().splitlines()
    assert mark.rstrip().startswith("[the launcher has left out ")
    assert lines[-1] == "the end"
    assert all(
        line.split()[0].isdigit() and int(line.split()[1]) % 100 == len(line.split(" ")[2]) for line in lines[:-1]
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["log.txt"]


@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("size", [10, 900, 5000, 30_000])
def test_one_line_without_an_end_is_cut_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, able: bool, size: int
) -> None:
    if not able:
        monkeypatch.setattr(cutting, "_fallocate", lambda: None)
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * size * 2)
    cutting.rotate(path, size, 1)
    mark, _, rest = path.read_bytes().partition(b"]\n")
    assert mark.startswith(b"[the launcher has left out ")
    assert set(rest) == set(b"x")
    assert size // 2 - 60 <= len(rest) <= size // 2 + 4096
    assert cutting.part_of(path, 1).stat().st_size <= size
