import asyncio

import pytest

from .hooks import *
from .starting import Recorder


@pytest.fixture
def recorder():
    """A class to hand to start_webserver, and the instance that it makes."""
    made = []

    class Made(Recorder):
        def __init__(self):
            self.ready = asyncio.Event()
            made.append(self)
            super().__init__()

    return Made, made


@pytest.fixture
def thread_loop():
    """An event loop for this thread, as a fresh process has one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()
