"""What a network monitor is told of another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from wslink.compat.monitor import NetworkMonitor, Tally


def test_however_much_is_counted_one_function_waits_for_the_monitors_thread() -> None:
    monitor, heard = NetworkMonitor(), list[str]()
    monitor.add_listener(lambda: heard.append("enter"), lambda: heard.append("exit"))
    tally, waiting = Tally(monitor), list[Callable[[], None]]()

    def count() -> None:
        for _ in range(5_000):
            tally.count(waiting.append, entered=1)
            tally.count(waiting.append, left=1)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.count(waiting.append, entered=1)
    assert (len(waiting), heard, monitor.pending) == (1, [], 0)
    waiting.pop()()
    assert (heard, monitor.pending) == (["enter"], 1)
    tally.count(waiting.append, left=1)
    assert len(waiting) == 1
    waiting.pop()()
    assert (heard, monitor.pending) == (["enter", "exit"], 0)
