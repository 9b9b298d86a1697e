"""An App in several worker processes: the cure is named when it starts."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ports import free_port
from wslink.server.workers import is_one_of_several

MAIN = """
from starlette.applications import Starlette
from starlette.routing import Mount
from wslink import App
live = App(SECRET)
app = Starlette(routes=[Mount("/live", live.asgi())])
"""
RUN = "if __name__ == '__main__':\n    import uvicorn\n    uvicorn.run('main:app', port={port}, workers=2)\n"


def output_of(command: list[str], directory: Path, wanted: str) -> str:
    process = subprocess.Popen(command, cwd=directory, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines = []
    end = time.monotonic() + 20
    while time.monotonic() < end and (line := process.stderr.readline()):
        lines.append(line)
        if sum(wanted in one for one in lines) == 2 or sum("startup complete" in one for one in lines) == 2:
            break
    process.terminate()
    process.communicate()
    return "".join(lines)


@pytest.mark.parametrize("by", ["command line", "program"])
@pytest.mark.parametrize("secret", ["", "secret='x'"])
def test_uvicorn_with_workers(tmp_path: Path, by: str, secret: str) -> None:
    (tmp_path / "main.py").write_text(MAIN.replace("SECRET", secret))
    (tmp_path / "run.py").write_text(RUN.format(port=free_port()))
    flags = ["-m", "uvicorn", "main:app", "--port", str(free_port()), "--workers", "2"]
    output = output_of([sys.executable, *(flags if by == "command line" else ["run.py"])], tmp_path, "--workers 1")
    assert output.count("Serve it with one worker (--workers 1)") == 2
    assert ("App(secret=...) sets one" in output) == (not secret)


def test_one_process_is_no_reason_to_warn() -> None:
    for arguments in (["uvicorn", "main:app"], ["uvicorn", "--workers", "1"], ["x", "-w"], ["x", "--workers=1"]):
        assert not is_one_of_several(arguments, {})
    for arguments in (
        ["uvicorn", "--workers", "2"],
        ["gunicorn", "-w", "4"],
        ["gunicorn", "-w4"],
        ["x", "--workers=3"],
    ):
        assert is_one_of_several(arguments, {})
    assert is_one_of_several(["gunicorn", "main:app"], {"GUNICORN_CMD_ARGS": "--bind=:80 --workers=3"})
    assert not is_one_of_several(["gunicorn", "-w", "1"], {"GUNICORN_CMD_ARGS": "--workers=3"})
    assert is_one_of_several([], {"WEB_CONCURRENCY": "2"})
    assert not is_one_of_several(["uvicorn", "--workers", "1"], {"WEB_CONCURRENCY": "2"})


@pytest.mark.parametrize(("failures", "delay"), [(0, 0), (1, 0.5), (3, 2), (9, 30), (5000, 30)])
def test_a_worker_that_always_fails_is_started_again_and_again(failures: int, delay: float) -> None:
    from wslink.server.supervisor import _delay

    assert _delay(failures) == delay
