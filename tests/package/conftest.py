from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(kind: str, source: Path, target: Path) -> Path:
    """Build a source directory's sdist or wheel, with no Node in reach."""
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    assert shutil.which("npm", path=environment["PATH"]) is None
    command = [sys.executable, "-m", "build", f"--{kind}", "--outdir", str(target), str(source)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = target.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[kind])
    return made


def unpacked(sdist: Path, target: Path) -> Path:
    """The directory that an sdist unpacks to."""
    with tarfile.open(sdist) as archive:
        archive.extractall(target)
    [directory] = target.iterdir()
    return directory


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist alone."""
    source = unpacked(sdist, tmp_path_factory.mktemp("unpacked"))
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))
