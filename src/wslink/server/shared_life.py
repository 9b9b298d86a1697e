"""The life of a worker that another server runs: under uvicorn, gunicorn and the like."""

from __future__ import annotations

from wslink.hub.hub import Hub


class SharedLife:
    """Connects a worker to the others, and gives its sessions away at its end (http.asgi.Lifespan).

    Args:
        hub: the worker's; nothing is done for one that is alone.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def begin(self) -> None:
        """Be known to the other workers. Raises BrokerError."""
        if self._hub.relay is not None:
            self._hub.start()
            await self._hub.relay.ready()

    async def end(self) -> None:
        """Give away what sessions there are, and go."""
        if self._hub.relay is not None:
            await self._hub.stop()
