"""A virtual environment per library, under .cache/bench. Made on first use; the load and the raw engine share one."""

from __future__ import annotations

import os
import shutil
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

PYTHON_WORK = """
import time

class Number:
    def __init__(self, value):
        self.value = value

    def plus(self, value):
        return Number(self.value + value & 1023)

def run():
    begun, number, seen = time.process_time(), Number(1), {}
    for value in range(100_000):
        number = number.plus(value)
        seen[number.value] = number
    return time.process_time() - begun

print(min(run() for _ in range(5)))
"""


def python_speed(interpreter: str) -> float:
    """Seconds that `interpreter` takes for work that is nothing but Python; infinite if it can make no environment."""
    command = [interpreter, "-c", f"import ensurepip\n{PYTHON_WORK}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else float("inf")


def fastest_python() -> str:
    """What the load's environment, and through it all others, are made with: `BENCH_PYTHON`, or of this interpreter
    and the system's of the same version the faster one.

    Without profile-guided optimisation an interpreter takes 1.6 times as long for Python code, and as long as ever for
    C. The raw engine is mostly C, so that ratios to it would also tell how the interpreter was built.
    """
    if chosen := os.environ.get("BENCH_PYTHON"):
        return chosen
    here = sys.executable
    system = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/bin") or here
    # 0.9: this one, unless the other is clearly faster.
    return system if system != here and python_speed(system) < 0.9 * python_speed(here) else here


def python(environment: str) -> Path:
    """The interpreter of `environment`, which is made if there is none."""
    directory = CACHE / environment
    interpreter, stamp = directory / "bin" / "python", directory / ".ready"
    wanted = " ".join(REQUIREMENTS[environment])
    if environment != "load":
        wanted += sys.base_prefix
    if str(ROOT) in REQUIREMENTS[environment]:
        wanted += (ROOT / "pyproject.toml").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        maker = fastest_python() if environment == "load" else sys.executable
        print(f"bench: making {directory.relative_to(ROOT)} with {maker}", file=sys.stderr)
        subprocess.run([maker, "-m", "venv", "--clear", directory], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *REQUIREMENTS[environment]], check=True)
        stamp.write_text(wanted)
    return interpreter


def javascript() -> None:
    """Our client, built, and npm's beside it; a word if there is no Chromium."""
    subprocess.run([ROOT / "scripts" / "setup"], check=True, stdout=sys.stderr)
    if not Path(os.environ.get("CHROMIUM", "/usr/bin/chromium")).exists():
        print("bench: no Chromium; scripts/test browser installs it, CHROMIUM=... names another", file=sys.stderr)
