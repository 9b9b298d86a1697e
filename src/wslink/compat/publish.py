"""PublishManager of the released API."""

from __future__ import annotations

from typing import Any

from wslink.compat.core import schedule_coroutine
from wslink.wire.arrays import is_array

__all__ = ["PublishManager", "publishManager", "schedule_coroutine"]


class PublishManager:
    """Publishes to several endpoints.

    Attributes:
        protocols: the endpoints (WslinkHandler).
        publishCount: how often `publish` was called.
    """

    def __init__(self) -> None:
        self.protocols: list[Any] = []
        self.publishCount: int = 0

    def registerProtocol(self, protocol: Any) -> None:
        self.protocols.append(protocol)

    def unregisterProtocol(self, protocol: Any) -> None:
        """Forget an endpoint, if it is known."""
        if protocol in self.protocols:
            self.protocols.remove(protocol)

    def addAttachment(self, payload: Any) -> Any:
        """`payload` as it may stand in what is sent: binary data needs no key."""
        return as_attachment(payload)

    def publish(
        self, topic: str, data: Any, client_id: str | None = None, skip_last_active_client: bool = False
    ) -> None:
        """Send `data` to the clients of every endpoint; see WslinkHandler.publish."""
        self.publishCount += 1
        for protocol in self.protocols:
            protocol.publish(topic, data, client_id=client_id, skip_last_active_client=skip_last_active_client)


def as_attachment(payload: Any) -> Any:
    """`payload`; a view of it if it is some other object with a buffer, such as a VTK array."""
    if isinstance(payload, (bytes, bytearray, memoryview, str)):
        return payload
    if is_array(payload) and payload.dtype.kind in "mMO":
        # Dates have no buffer: their 64-bit counts have. One of objects would hold addresses, and is refused by name.
        return payload if payload.dtype.kind == "O" else memoryview(payload.astype("<i8"))
    try:
        return memoryview(payload)
    except (TypeError, ValueError):
        return payload


publishManager: PublishManager = PublishManager()
