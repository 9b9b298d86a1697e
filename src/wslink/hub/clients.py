"""Clients, as applications see them."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence, ValuesView
from functools import partial
from typing import Any, Protocol

from wslink.errors import CLIENT_ERROR, CallError, ClientGone, UsageError
from wslink.rpc.pending import check_timeout
from wslink.session.client_calls import OnProgress
from wslink.session.identity import Identity
from wslink.session.state import CLOSED
from wslink.session.view import SessionView
from wslink.wire.messages import DISCONNECTED


class Membership(Protocol):
    """The groups of clients."""

    def join(self, client: Client, name: str) -> bool: ...

    def leave(self, client: Client, name: str) -> bool: ...

    def groups_of(self, client: Client) -> tuple[str, ...]: ...


class Client:
    """An authenticated client.

    Attributes:
        id: its id, the same as `link.clientId` in JavaScript; `publish(to=...)` accepts it.
        user: the user name that the application's authentication returned, or "".
        attributes: the attributes that the application's authentication returned.
        address: the peer's IP address, or "" if unknown.
        connected_at: when it authenticated, in seconds since the epoch.
    """

    __slots__ = ("_identity", "_membership", "_on_loop", "_session", "address", "connected_at", "id")

    def __init__(
        self,
        session: SessionView,
        identity: Identity,
        address: str,
        on_loop: Callable[[Callable[[], None]], None],
        membership: Membership,
    ) -> None:
        self.id: str = session.client_id
        self.address: str = address
        self.connected_at: float = time.time()
        self._identity = identity
        self._membership = membership
        self._session = session
        self._on_loop = on_loop

    @property
    def client_ids(self) -> tuple[str, ...]:
        """Its id, as a recipient of publications."""
        return (self.id,)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups."""
        return self._membership.groups_of(self)

    def join(self, group: str) -> bool:
        """Add it to a group, until it leaves the group or has gone for good: a client that may return stays a member.
        May be called from any thread.

        Returns:
            False if it is in the group already, or has gone.
        """
        return self._membership.join(self, group)

    def leave(self, group: str) -> bool:
        """Remove it from a group. May be called from any thread. Returns False if it is not in the group."""
        return self._membership.leave(self, group)

    @property
    def user(self) -> str:
        return self._identity.user

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self._identity.attributes

    @property
    def waiting(self) -> int:
        """Bytes that are waiting to be sent to it."""
        return self._session.queue.waiting

    @property
    def log(self) -> dict[str, str]:
        """The fields of log records about this client (`extra`)."""
        known = {"client": self.id, "user": self.user, "address": self.address}
        return {name: value for name, value in known.items() if value}

    async def call(
        self,
        method: str,
        /,
        *args: Any,
        timeout: float | None = None,
        on_progress: OnProgress | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call a function that the client's page offers with `link.handle`, and return its result.

        On timeout, or when the calling task is cancelled, the call is cancelled in the page, too. It survives a lost
        connection: a client that reconnects receives it once. It may be awaited on any event loop of any thread, for
        example with `asyncio.run`; the call itself is made on the server's event loop.

        Args:
            args, kwargs: may contain bytes and NumPy arrays at any depth. `timeout` and `on_progress` cannot be names
                of the page's arguments.
            timeout: seconds for the whole call. By default it waits until the client has gone.
            on_progress: called with the handler's progress, on the thread that serves clients: it must not block.

        Raises:
            CallError: the page responded with an error, or the client cannot be called.
            ClientGone: the client left for good before it responded.
            TimeoutError: there was no response in time.
            NotSerializable: an argument cannot be encoded.
            UsageError: the timeout is not a number of seconds, or the callback cannot be called.
        """
        _refuse(method, timeout, on_progress)
        calls = self._session.calls
        if calls is None and self._session.state is CLOSED:
            raise ClientGone(self.id)
        if calls is None:
            raise CallError(
                CLIENT_ERROR, f"client {self.id} cannot be called: it did not announce the feature 'handle'"
            )
        call = calls.call(method, args, kwargs, timeout, on_progress)
        if asyncio.get_running_loop() is calls.loop:
            return await call
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, calls.loop))

    def disconnect(self, reason: str = "") -> None:
        """Disconnect the client for good, after its waiting messages have been sent.

        The close code is 4002: the client does not reconnect, and reports `reason`. If the client has lost its
        connection, its session ends, and it returns as a new client. Call it on the event loop's thread or the
        application's; safe to call more than once.

        Args:
            reason: text, of which up to 123 bytes are sent.

        Raises:
            UsageError: the reason is not text.
        """
        if not isinstance(reason, str):
            raise UsageError(f"a reason is text, not {reason!r:.100}")
        self._on_loop(partial(self._session.close, DISCONNECTED, reason))

    def __repr__(self) -> str:
        return f"<Client {self.id}{f' of {self.user}' if self.user else ''}>"


def _refuse(method: object, timeout: object, on_progress: object) -> None:
    """Raise UsageError for invalid arguments of a call."""
    if not isinstance(method, str):
        raise UsageError(f"the name of a method is text, not {method!r:.100}")
    check_timeout(timeout)
    if inspect.iscoroutinefunction(on_progress):
        raise UsageError("on_progress must be a function, not an async one, which nobody would await")
    if on_progress is not None and not callable(on_progress):
        raise UsageError(f"on_progress must be a function, not {on_progress!r:.100}")


class Clients(Mapping[str, Client]):
    """The clients of a server, by id, the oldest first. This is a live view; its `values()` and `items()` are
    snapshots. Safe to read from any thread."""

    def __init__(self, clients: dict[str, Client], remote: dict[str, Client]) -> None:
        self._clients = clients
        self._remote = remote

    def _all(self) -> dict[str, Client]:
        """A snapshot. Copying a dictionary is atomic with respect to other threads."""
        return {**self._clients, **self._remote}

    def __getitem__(self, id_: str) -> Client:
        found = self._clients.get(id_)
        return found if found is not None else self._remote[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._clients) + len(self._remote)

    def values(self) -> ValuesView[Client]:
        return ValuesView(self._all())

    def items(self) -> ItemsView[str, Client]:
        return ItemsView(self._all())

    async def call_all(
        self, method: str, args: Sequence[Any], kwargs: dict[str, Any], timeout: float | None
    ) -> dict[str, Any]:
        """See App.call_all."""
        clients = list(self._all().values())
        calls = (client.call(method, *args, timeout=timeout, **kwargs) for client in clients)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        return {client.id: outcome for client, outcome in zip(clients, outcomes, strict=True)}
