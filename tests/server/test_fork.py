"""A process that an application forks while a thread of this package imports something."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
import gc, os, signal, threading, time
from wslink.lazy import load_in_thread

thread = threading.Thread(target=load_in_thread, args=("slow",))
thread.start()
time.sleep(0.1)  # it is being imported
child = os.fork()
if not child:
    signal.alarm(5)
    import slow
    os._exit(0 if slow.done and gc.isenabled() else 1)
assert os.waitpid(child, 0)[1] == 0
thread.join()
if not os.fork():  # nothing is held any more, in the second generation either
    load_in_thread("json")
    os._exit(0)
assert os.wait()[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_it_can_import_the_same(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.4)\ndone = True\n")
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True, timeout=20)
