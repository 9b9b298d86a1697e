"""A virtual environment per library, under .cache/bench. Made on first use; the load and the raw engine share one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"

REQUIREMENTS = {
    "load": ["picows==2.3.1", "msgspec==0.22.0"],
    "ours": ["-e", str(ROOT), "numpy", "pillow"],
    "demo": ["-e", str(ROOT), "numpy>=1.26", "matplotlib>=3.8"],
    "uvloop": ["-e", str(ROOT), "numpy", "uvloop"],
    "wslink-1.12.4": ["wslink==1.12.4", "aiohttp"],
    "wslink-2.6.0": ["wslink==2.6.0", "aiohttp", "numpy"],
    "socketio": ["python-socketio==5.18.0", "aiohttp"],
    "aiohttp": ["aiohttp"],
    "websockets": ["websockets"],
    "plot": ["matplotlib"],
    "profile": ["py-spy==0.4.1"],
}


def python(environment: str) -> Path:
    """The interpreter of `environment`, which is made if there is none."""
    directory = CACHE / environment
    interpreter, stamp = directory / "bin" / "python", directory / ".ready"
    wanted = " ".join(REQUIREMENTS[environment])
    if str(ROOT) in REQUIREMENTS[environment]:
        wanted += (ROOT / "pyproject.toml").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"bench: making {directory.relative_to(ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *REQUIREMENTS[environment]], check=True)
        stamp.write_text(wanted)
    return interpreter


def javascript() -> None:
    """Our client, built, and npm's beside it; a word if there is no Chromium."""
    subprocess.run([ROOT / "scripts" / "setup"], check=True, stdout=sys.stderr)
    if not Path(os.environ.get("CHROMIUM", "/usr/bin/chromium")).exists():
        print("bench: no Chromium; scripts/test browser installs it, CHROMIUM=... names another", file=sys.stderr)
