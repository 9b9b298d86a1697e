"""scripts/test: what it says of parts that pass, fail or are not there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.package.conftest import ROOT

PARTS = {
    "good": "echo '======== 12 passed, 1 skipped in 3.21s ========'",
    "web": "printf '\\033[2m      Tests \\033[22m 7 passed (7)\\nTest Files  2 passed (2)\\n'",
    "node": "printf '# pass 5\\n# fail 0\\n'",
    "bad": "echo '==== 1 failed, 4 passed in 1.00s ===='; false",
    "broken": "echo there is no such program; false; echo not reached",
}


def run(directory: Path, *parts: str) -> tuple[int, str]:
    """The script with parts that print what runners print, in a directory of its own."""
    text = (ROOT / "scripts" / "test").read_text()
    own = "".join(f"part_{name}() {{ {commands}; }}\n" for name, commands in PARTS.items())
    (directory / "scripts").mkdir()
    path = directory / "scripts" / "test"
    path.write_text(text.replace("# Running them\n", own))
    path.chmod(0o755)
    (directory / "scripts" / "setup").write_text("#!/bin/sh\n")
    (directory / "scripts" / "setup").chmod(0o755)
    done = subprocess.run([path, *parts], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def test_the_last_line_counts_the_tests_of_all_runners(tmp_path: Path) -> None:
    code, output = run(tmp_path, "good", "web", "node")
    assert code == 0
    assert re.fullmatch(r"=+ 24 passed, 1 skipped in [\d.]+s =+", output.splitlines()[-1])


def test_the_log_of_what_failed_comes_last(tmp_path: Path) -> None:
    code, output = run(tmp_path, "bad", "good", "node")
    assert code == 1
    assert output.index("1 failed, 4 passed in 1.00s") > output.index("12 passed") > output.index("== good: passed")
    assert re.fullmatch(r"=+ 1 failed, 21 passed, 1 skipped in [\d.]+s =+", output.splitlines()[-1])


def test_a_part_that_ends_before_its_tests_is_an_error(tmp_path: Path) -> None:
    code, output = run(tmp_path, "broken", "good")
    assert code == 1
    assert "not reached" not in output
    assert re.fullmatch(r"=+ 1 error, 12 passed, 1 skipped in [\d.]+s =+", output.splitlines()[-1])


@pytest.mark.parametrize("parts", [["nonsense"], ["good", "nonsense"]])
def test_an_unknown_part_is_refused(tmp_path: Path, parts: list[str]) -> None:
    code, output = run(tmp_path, *parts)
    assert code == 2
    assert "nonsense" in output


def test_everything_runs_every_part() -> None:
    text = (ROOT / "scripts" / "test").read_text()
    [listed] = re.findall(r"^all=\((.*)\)$", text, re.MULTILINE)
    assert set(re.findall(r"^part_(\w+)\(\)", text, re.MULTILINE)) == {*listed.split(), "quick"}
