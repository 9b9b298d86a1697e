"""The package is cut as ARCHITECTURE.md says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_circles_sizes_private_names_and_rules() -> None:
    pytest.importorskip("grimp")
    done = subprocess.run([sys.executable, ROOT / "scripts" / "structure.py"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
