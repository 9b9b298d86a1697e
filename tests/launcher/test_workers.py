"""A session whose application has workers of its own, made by fork: they end alone, and with it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil

from tests.launcher.support import launching, processes
from tests.waiting import until

APPLICATION = """
import multiprocessing, time
from wslink import App

app = App()
workers = []


def work():
    time.sleep(600)


@app.method("test.spawn")
def spawn() -> int:
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    workers.append(worker)
    return worker.pid


@app.method("test.terminate")
def terminate() -> int:
    workers[-1].terminate()
    workers[-1].join(3)
    return workers[-1].exitcode
"""
SERVE = [sys.executable, "-m", "wslink", "serve", "forking:app", "--port", "${port}", "--authKey", "${secret}"]


def has_ended(pid: int) -> bool:
    """Whether a worker has ended. Its server reaps those that have where it begins another one."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def test_a_forked_worker_is_ended_alone_and_with_its_session(tmp_path: Path) -> None:
    from wslink import connect

    (tmp_path / "forking.py").write_text(APPLICATION)
    apps = {"forking": {"cmd": SERVE, "ready_line": "Starting factory", "cwd": str(tmp_path)}}
    async with launching(tmp_path, apps=apps, timeout=20, stop_grace=3) as running:
        session = await running.start("forking")
        url = session["sessionURL"].replace("ws://USE_HOST", running.url.replace("http", "ws"))
        async with connect(url, secret=session["secret"]) as link:
            first = await link.call("test.spawn")
            assert await link.call("test.terminate") == -signal.SIGTERM
            second = await link.call("test.spawn")
            os.kill(second, signal.SIGTERM)
            third = await link.call("test.spawn")
            await until(lambda: has_ended(second))
            assert await link.call("test.spawn") > 0  # the server goes on
        assert not psutil.pid_exists(first)
        assert psutil.pid_exists(third)
        await running.ask("DELETE", session["id"])
        assert processes() == []
