from __future__ import annotations

import sys

import pytest

from wslink.errors import UsageError
from wslink.transport import aiohttp as connection
from wslink.transport.base import ENGINES, close_reason, find_engine


@pytest.mark.parametrize("name", list(ENGINES))
def test_each_engine_is_found(name: str) -> None:
    assert callable(find_engine(name).serve_request)


def test_the_fastest_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_engine("auto") is find_engine("picows")
    monkeypatch.setitem(sys.modules, "wslink.transport.picows.engine", None)
    assert find_engine("auto") is connection.ENGINE
    with pytest.raises(UsageError, match="'picows' is not installed"):
        find_engine("picows")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="one of auto, picows, aiohttp"):
        find_engine("tornado")


def test_a_reason_is_cut_to_what_a_close_frame_holds() -> None:
    assert close_reason("short") == b"short"
    assert close_reason("é" * 100) == ("é" * 61).encode()
