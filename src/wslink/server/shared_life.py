"""The life cycle of a worker that is run by another server, such as uvicorn or gunicorn."""

from __future__ import annotations

from wslink.hub.hub import Hub


class SharedLife:
    """Connects a worker to the others, and moves its sessions to them at its end (http.asgi.Lifespan).

    Args:
        hub: the worker's. Nothing is done if the worker is alone.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def begin(self) -> None:
        """Join the other workers. Raises BrokerError."""
        if self._hub.cluster is not None:
            self._hub.start()
            await self._hub.cluster.ready()

    async def end(self) -> None:
        """Move the sessions to other workers, and leave."""
        if self._hub.cluster is not None:
            await self._hub.stop()
