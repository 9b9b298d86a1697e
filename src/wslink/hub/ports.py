"""Interfaces of the hub to its parts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from wslink.hub.audience import Registry
from wslink.hub.backlog import Backlog
from wslink.hub.relay import Relay
from wslink.session.observers import Observers
from wslink.session.view import SessionView

T = TypeVar("T")


class Publisher(Registry, Protocol):
    """A topic's interface to its server."""

    @property
    def observers(self) -> Observers: ...

    @property
    def sessions(self) -> Mapping[str, SessionView]:
        """Those of clients that have authenticated, by the client's id."""

    @property
    def backlog(self) -> Backlog: ...

    def announce(self, handler: Callable[[Any], Any], subscription: Any, /) -> None:
        """Run an application's handler, sync or async, with a subscription."""

    def unannounced(self, session: SessionView) -> int:
        """What of a client's subscriptions waits for the application: the handlers that have not run, and one more for
        each KiB of their filters."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> object:
        """Run a coroutine as a task that ends with the server at the latest."""

    def perform(self, function: Callable[[], Any]) -> Any:
        """What a function of the application returns, or what gives that once it is awaited."""

    async def on_loop_await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await `coroutine` on the event loop."""

    def submit(self, deliver: Callable[[], None]) -> None:
        """Run `deliver` in the order of publishing, on the event loop's thread."""

    @property
    def relay(self) -> Relay | None:
        """What carries publications to other workers; None where there are none."""

    @property
    def max_frame(self) -> int: ...

    @property
    def max_retained(self) -> int: ...
