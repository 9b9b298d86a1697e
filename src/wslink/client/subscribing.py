"""The subscriptions of a link, as the server is told of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from typing import Protocol

from wslink.client.calls import OutgoingCall
from wslink.client.session import ClientSession
from wslink.client.subscription import MAX_RATE, MAX_WINDOW, MIN_RATE, Inbox
from wslink.client.subscriptions import Subscriptions
from wslink.errors import CLIENT_ERROR, CallError, ConnectionClosed, LinkError, NotSerializable, UsageError
from wslink.session.features.flow import FLOW
from wslink.wire import messages as wire
from wslink.wire.value import Value


class Caller(Protocol):
    """What makes calls: a link."""

    async def result(self, call: OutgoingCall) -> Value:
        """Send a call and wait for its result. Raises CallError, ConnectionClosed."""

    def refuse_if_ended(self) -> None:
        """Raise ConnectionClosed once no more can be called."""

    def keep(self, coroutine: Coroutine[Value, Value, None]) -> asyncio.Task[None]:
        """Run `coroutine` until it ends or the link does."""


class Subscribing:
    """Tells the server of subscriptions that begin, change, end, or have to be made again.

    Args:
        link: makes the calls.
        session: encodes them.
        subscriptions: the inboxes.
    """

    def __init__(self, link: Caller, session: ClientSession, subscriptions: Subscriptions) -> None:
        self._link = link
        self._session = session
        self._subscriptions = subscriptions

    def begin(self, inbox: Inbox) -> None:
        """A subscription begins."""
        self._link.keep(self._begin(inbox))

    async def _begin(self, inbox: Inbox) -> None:
        try:
            await self._announce(inbox, inbox.filter)
        except (LinkError, NotSerializable) as error:
            self._subscriptions.remove(inbox)
            inbox.end(error)
        else:
            if not inbox.ready.done():
                inbox.ready.set_result(None)

    async def update(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None:
        """See ClientSubscription.update."""
        check_filter(filter)
        if inbox not in self._subscriptions:
            raise UsageError(f"the subscription to {inbox.topic} has ended")
        await self._announce(inbox, filter)
        inbox.filter = filter

    async def _announce(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None:
        self._link.refuse_if_ended()
        if wire.SUBSCRIPTIONS in self._session.welcome.features:
            call = self._session.system(wire.SUBSCRIBE, _request(inbox, filter))
            self._session.retry(call)
            await self._accepted(inbox, call)
        elif filter:
            raise CallError(CLIENT_ERROR, "this server has no filters: it did not accept the feature 'subscribe'")

    async def _accepted(self, inbox: Inbox, call: OutgoingCall) -> None:
        answer = await self._link.result(call)
        inbox.latest = isinstance(answer, dict) and answer.get("delivery") == "latest"
        inbox.windowed = inbox.latest and FLOW in self._session.welcome.features

    def renew(self) -> list[OutgoingCall]:
        """A session begins that knows nothing of the one before: the calls that make its subscriptions again, which are
        sent by who asks. Those that were not ready are being made still."""
        if wire.SUBSCRIPTIONS not in self._session.welcome.features:
            return []
        made = []
        for inbox in self._subscriptions.begin_again():
            call = self._session.system(wire.SUBSCRIBE, _request(inbox, inbox.filter))
            self._link.keep(self._again(inbox, call))
            made.append(call)
        return made

    async def _again(self, inbox: Inbox, call: OutgoingCall) -> None:
        try:
            await self._accepted(inbox, call)
        except ConnectionClosed:
            pass  # the next session is asked again, if there is one
        except CallError as error:
            self._subscriptions.remove(inbox)
            inbox.end(error)

    def cancel(self, inbox: Inbox) -> asyncio.Task[None]:
        """See ClientSubscription.cancel."""
        inbox.end(None)
        return self._link.keep(self._cancel(inbox))

    async def _cancel(self, inbox: Inbox) -> None:
        known = self._subscriptions.remove(inbox)
        if known and wire.SUBSCRIPTIONS in self._session.welcome.features:
            with contextlib.suppress(CallError, ConnectionClosed):
                self._link.refuse_if_ended()
                await self._link.result(self._session.system(wire.UNSUBSCRIBE, {"subscription": inbox.id}))
                self._session.forget(inbox.id)


def _request(inbox: Inbox, filter: Mapping[str, Value] | None) -> dict[str, Value]:
    """The argument of `wslink.subscribe` (SUB-2, FLOW-6)."""
    return {"subscription": inbox.id, "topic": inbox.topic, "filter": dict(filter or {}), **inbox.pace}


def check_subscription(filter: Value, buffer: int, window: int | None, max_rate: float | None) -> None:
    """Raise UsageError for what no server would take (FLOW-6)."""
    check_filter(filter)
    if buffer < 1:
        raise UsageError("buffer must be at least 1")
    if window is not None and not 1 <= window <= MAX_WINDOW:
        raise UsageError(f"window must be from 1 to {MAX_WINDOW}")
    if max_rate is not None and not MIN_RATE <= max_rate <= MAX_RATE:
        raise UsageError(f"max_rate must be from {MIN_RATE} to {MAX_RATE} publications per second")


def check_filter(filter: Value) -> None:
    """Raise UsageError for what is not a mapping."""
    if filter is not None and not isinstance(filter, Mapping):
        raise UsageError(f"a filter must be a mapping from tag names to conditions, not {type(filter).__name__}")
