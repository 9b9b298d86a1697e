"""Signals that another event loop hears while the main thread is busy."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from wslink.hub.early_signals import EarlySignals

if sys.platform == "win32":  # whose event loops cannot read a pipe
    pytest.skip("POSIX only", allow_module_level=True)

HEARD, OTHER = signal.SIGUSR1, signal.SIGUSR2


class Other:
    """An event loop in another thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def turn(self) -> None:
        """Return once the loop has read what has come."""
        for _ in range(2):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.loop).result(5)

    def end(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(5)
            self.loop.close()


@pytest.fixture
def other() -> Iterator[Other]:
    other = Other()
    yield other
    other.end()


@pytest.fixture
def earlier() -> Iterator[int]:
    """Who reads signals already: the end of a pipe that they are read from."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    handlers = [(one, signal.signal(one, lambda *_: None)) for one in (HEARD, OTHER)]
    before = signal.set_wakeup_fd(writer)
    yield reader
    assert signal.set_wakeup_fd(before) == writer, "it was not given back"
    for one, handler in handlers:
        signal.signal(one, handler)
    os.close(reader)
    os.close(writer)


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def test_its_signals_are_heard_and_all_are_handed_on(other: Other, earlier: int) -> None:
    heard: list[threading.Thread] = []
    came = threading.Event()
    before = descriptors()

    def hear() -> None:
        heard.append(threading.current_thread())
        came.set()

    early = EarlySignals(other.loop, hear, [HEARD])
    early.start()
    signal.raise_signal(OTHER)
    other.turn()
    assert os.read(earlier, 10) == bytes([OTHER])
    assert not heard
    signal.raise_signal(HEARD)
    assert came.wait(5)
    other.turn()
    assert heard == [other.thread]
    assert os.read(earlier, 10) == bytes([HEARD])
    early.stop()
    other.turn()
    assert descriptors() == before


def test_one_that_stops_leaves_the_others_in_their_order(other: Other, earlier: int) -> None:
    first, second = (EarlySignals(other.loop, lambda: None, [HEARD]) for _ in range(2))
    first.start()
    second.start()
    first.stop()
    other.turn()
    signal.raise_signal(HEARD)
    other.turn()
    assert os.read(earlier, 10) == bytes([HEARD])
    second.stop()


def test_nobody_reads_them_where_nobody_did(other: Other) -> None:
    handler = signal.signal(HEARD, lambda *_: None)
    before = signal.set_wakeup_fd(-1)
    came = threading.Event()
    early = EarlySignals(other.loop, came.set, [HEARD])
    early.start()
    signal.raise_signal(HEARD)
    assert came.wait(5)
    early.stop()
    assert signal.set_wakeup_fd(before) == -1
    signal.signal(HEARD, handler)


def test_what_others_have_put_in_its_place_stays(other: Other) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(-1)
    early = EarlySignals(other.loop, lambda: None, [HEARD])
    early.start()
    signal.set_wakeup_fd(writer)
    early.stop()
    assert signal.set_wakeup_fd(before) == writer
    os.close(reader)
    os.close(writer)


def test_it_ends_on_another_thread_too(other: Other) -> None:
    before, wakeup = descriptors(), signal.set_wakeup_fd(-1)
    early = EarlySignals(other.loop, lambda: None, [HEARD])
    early.start()
    raised: list[BaseException] = []

    def stop() -> None:
        try:
            early.stop()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=stop)
    thread.start()
    thread.join()
    other.turn()
    assert (raised, descriptors()) == ([], before)
    signal.set_wakeup_fd(wakeup)


def test_it_closes_its_pipe_where_the_loop_has_ended(other: Other) -> None:
    before = descriptors()
    wakeup = signal.set_wakeup_fd(-1)
    early = EarlySignals(other.loop, lambda: None, [HEARD])
    early.start()
    assert descriptors() == before + 2
    other.end()
    closed = descriptors()
    early.stop()
    assert descriptors() == closed - 2
    signal.set_wakeup_fd(wakeup)
