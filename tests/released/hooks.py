"""Pytest hooks that tests/released and tests/defects share: coroutine tests, and a header that names the package."""

import asyncio
import gc
import inspect
import os

import pytest

import wslink
from wslink.backends import aiohttp as backend

from .package import GENERATIONS, VERSION

#: No single test takes longer than this; what hangs fails.
TEST_TIMEOUT = 20


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a coroutine test in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), TEST_TIMEOUT))
    return True


def pytest_configure(config):
    config.addinivalue_line("markers", "defect(number): shows a defect of the released packages")


def pytest_itemcollected(item):
    """Peers that a test leaves open are its own business; what is left of them goes with the module (`swept`)."""
    for ignored in ("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"):
        item.add_marker(pytest.mark.filterwarnings(ignored))


@pytest.fixture(autouse=True, scope="module")
def swept():
    yield
    gc.collect()


def pytest_report_header():
    where = os.path.dirname(os.path.dirname(wslink.__file__))
    return f"wslink {VERSION} in {where}, speaking: {', '.join(GENERATIONS)}"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No server of this process prints its ready message, and none finds settings that others left behind."""
    for name in [name for name in os.environ if name.startswith("WSLINK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WSLINK_READY_MSG", "")
    for name in ("MAX_MSG_SIZE", "MSG_OVERHEAD", "HEART_BEAT", "WS_COMPRESS", "HTTP_HEADERS"):
        monkeypatch.setattr(backend, name, getattr(backend, name, None), raising=False)


@pytest.fixture(params=GENERATIONS)
def generation(request):
    """Each wire generation that the package speaks."""
    return request.param
