"""Clients as an application sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from functools import partial
from typing import Any

from wslink.session.identity import Identity
from wslink.session.view import SessionView


class Client:
    """A client that is connected and has authenticated.

    Attributes:
        id: its id, as `link.clientId` shows it in JavaScript and `publish(to=...)` takes it.
        user: what the application's authentication named it; "" unless it did.
        attributes: what the application's authentication said of it.
        address: the peer's IP address; "" where it is not known.
        connected_at: when it authenticated, in seconds since the epoch.
    """

    __slots__ = ("_identity", "_on_loop", "_session", "address", "connected_at", "id")

    def __init__(
        self, session: SessionView, identity: Identity, address: str, on_loop: Callable[[Callable[[], None]], None]
    ) -> None:
        self.id: str = session.client_id
        self.address: str = address
        self.connected_at: float = time.time()
        self._identity = identity
        self._session = session
        self._on_loop = on_loop

    @property
    def user(self) -> str:
        return self._identity.user

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self._identity.attributes

    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent to it."""
        return self._session.queue.waiting

    @property
    def log(self) -> dict[str, str]:
        """What a log record of this client carries (`extra`)."""
        known = {"client": self.id, "user": self.user, "address": self.address}
        return {name: value for name, value in known.items() if value}

    def disconnect(self, reason: str = "") -> None:
        """End its connection with code 1000, after what waits for it. From the event loop's thread or the
        application's; safe to call more than once."""
        self._on_loop(partial(self._session.close, 1000, reason))

    def __repr__(self) -> str:
        return f"<Client {self.id}{f' of {self.user}' if self.user else ''}>"


class Clients(Mapping[str, Client]):
    """The clients of a server, by id, the oldest first. A view: it changes as they come and go, and its `values()` and
    `items()` are those of one moment. Safe to read from any thread."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._clients = clients

    def __getitem__(self, id_: str) -> Client:
        return self._clients[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._clients))

    def __len__(self) -> int:
        return len(self._clients)

    def values(self) -> ValuesView[Client]:
        return ValuesView(dict(self._clients))

    def items(self) -> ItemsView[str, Client]:
        return ItemsView(dict(self._clients))

    def __repr__(self) -> str:
        return f"<Clients {list(self._clients)}>"
