"""The hub's interfaces to its parts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from wslink.hub.audience import Registry
from wslink.hub.cluster import ClusterLink
from wslink.session.observers import Observers
from wslink.session.view import SessionView

T = TypeVar("T")


class Publisher(Registry, Protocol):
    """A topic's interface to its server."""

    @property
    def observers(self) -> Observers: ...

    def announce(self, handler: Callable[[Any], Any], subscription: Any, /) -> None:
        """Run a handler of the application, sync or async, with a subscription."""

    def unannounced(self, session: SessionView) -> int:
        """How much of a client's subscriptions the application has still to handle: the number of handlers, plus one
        for each KiB of their filters."""

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> object:
        """Run a coroutine as a task that ends with the server at the latest."""

    def perform(self, function: Callable[[], Any]) -> Any:
        """Call a function of the application, and return its result, or an awaitable of it."""

    async def on_loop_await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await `coroutine` on the event loop."""

    def submit(self, deliver: Callable[[], None]) -> None:
        """Run `deliver` on the event loop's thread, in the order of publishing."""

    @property
    def cluster(self) -> ClusterLink | None:
        """The connection to other workers; None if this worker is alone."""

    @property
    def max_frame(self) -> int: ...

    @property
    def max_retained(self) -> int: ...
