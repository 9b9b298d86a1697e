"""The blocks of docs/contract.md."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy
import pytest

import wslink
from tests.conftest import Serve
from tests.docs.blocks import block


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that the page begins with."""
    module = types.ModuleType("contract_page")
    monkeypatch.setitem(sys.modules, "contract_page", module)
    exec(block("docs/contract.md", "python"), module.__dict__)
    return module


async def test_the_example_is_described(page: Any, serve: Serve) -> None:
    async with wslink.connect(await serve(page.app, debug=True), secret="s3cret") as link:
        described = await link.call("wslink.describe")
        assert described["methods"]["terrain.light"]["errors"][0]["code"] == 7
        tiles = link.subscribe("terrain.tile", filter={"kind": "rock"})
        await tiles.ready
        assert await link.call("terrain.light", 315) == {"azimuth": 315, "altitude": 30}
        assert (await anext(tiles))["heights"].dtype == numpy.float32
        with pytest.raises(wslink.CallError) as error:
            await link.call("terrain.light", 315, altitude=-1)
        assert (error.value.code, error.value.data) == (7, -1)
