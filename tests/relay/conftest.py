from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.relay.place import OTHER, TOKEN, Place


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    one = Place()
    yield one
    await one.close()


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "client").write_text(TOKEN)
    (tmp_path / "process").write_text(OTHER)
    return {"client_token_file": str(tmp_path / "client"), "process_token_file": str(tmp_path / "process")}
