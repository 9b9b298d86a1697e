from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.launcher.support import LauncherProcess, processes


@pytest.fixture(autouse=True)
def _nothing_stays_behind() -> Iterator[None]:
    """A launcher that a failed test did not end would go on for ever, with its sessions."""
    yield
    left = [one.pid for one in LauncherProcess.started if one.returncode is None]
    LauncherProcess.started.clear()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    for pid in processes() if left else ():
        os.kill(pid, signal.SIGKILL)
