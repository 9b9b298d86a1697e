"""ASGI applications under uvicorn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.ports import free_port


@asynccontextmanager
async def under_uvicorn(application: Any, lifespan: str = "off", **options: Any) -> AsyncIterator[int]:
    """Serve `application` in this event loop, with these options of uvicorn's Config; the port."""
    import uvicorn  # not on every Python that the tests run on

    config = uvicorn.Config(application, port=free_port(), log_level="error", lifespan=lifespan, **options)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield config.port
    finally:
        server.should_exit = True
        await task
