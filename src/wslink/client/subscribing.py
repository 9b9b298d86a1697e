"""Notifying the server of a link's subscriptions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from numbers import Integral, Real
from typing import NamedTuple, Protocol

from wslink.client.calls import OutgoingCall
from wslink.client.session import ClientSession
from wslink.client.subscription import MAX_RATE, MAX_WINDOW, MIN_RATE, Inbox
from wslink.client.subscriptions import Subscriptions
from wslink.errors import (
    CLIENT_ERROR,
    CallError,
    ConnectionClosed,
    LinkError,
    NotSerializable,
    UsageError,
    WslinkError,
)
from wslink.session.entries import Entry
from wslink.session.features.flow import FLOW
from wslink.wire import messages as wire
from wslink.wire.value import Value


class Keeper(Protocol):
    """The link that runs them."""

    def refuse_if_ended(self) -> None:
        """Raise ConnectionClosed if no more calls can be made."""

    def keep(self, coroutine: Coroutine[Value, Value, None]) -> asyncio.Task[None]:
        """Run `coroutine` until it ends or the link does."""


class _Sent(NamedTuple):
    """A call that was sent at once: the user's next call comes after it. `entry` is for `Calls.over`."""

    call: OutgoingCall
    entry: Entry | None


class Subscribing:
    """Notifies the server of subscriptions that begin, change or end, or have to be renewed.

    Args:
        link: runs what waits for responses.
        session: makes the calls.
        subscriptions: the inboxes.
    """

    def __init__(self, link: Keeper, session: ClientSession, subscriptions: Subscriptions) -> None:
        self._link = link
        self._session = session
        self._subscriptions = subscriptions

    def begin(self, inbox: Inbox) -> None:
        """A subscription begins."""
        try:
            sent = self._announce(inbox, inbox.filter)
        except (LinkError, NotSerializable) as error:
            self._fail(inbox, error)
        else:
            self._link.keep(self._begin(inbox, sent))

    async def _begin(self, inbox: Inbox, sent: _Sent | None) -> None:
        try:
            await self._accepted(inbox, sent)
        except LinkError as error:
            self._fail(inbox, error)
        else:
            if not inbox.ready.done():
                inbox.ready.set_result(None)

    def _fail(self, inbox: Inbox, error: WslinkError) -> None:
        self._subscriptions.remove(inbox)
        inbox.end(error)

    async def update(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> None:
        """See ClientSubscription.update."""
        check_filter(filter)
        if inbox not in self._subscriptions:
            raise UsageError(f"the subscription to {inbox.topic} has ended")
        await self._accepted(inbox, self._announce(inbox, filter))
        inbox.filter = filter

    def _announce(self, inbox: Inbox, filter: Mapping[str, Value] | None) -> _Sent | None:
        """Notify the server of a subscription, unless it does not support them. Raises LinkError, NotSerializable."""
        self._link.refuse_if_ended()
        if wire.SUBSCRIPTIONS in self._session.welcome.features:
            call = self._session.system(wire.SUBSCRIBE, _request(inbox, filter))
            self._session.retry(call)
            return self._send(call)
        if filter:
            raise CallError(CLIENT_ERROR, "this server has no filters: it did not accept the feature 'subscribe'")
        return None

    def _send(self, call: OutgoingCall) -> _Sent:
        """Raises ConnectionClosed."""
        self._subscriptions.room.set()  # a response must be read past a full subscription
        try:
            return _Sent(call, self._session.post(call, None))
        except ConnectionClosed:
            self._session.over(call, None)
            raise

    async def _response(self, sent: _Sent) -> Value:
        """Raises CallError, ConnectionClosed."""
        try:
            return await sent.call.result
        finally:
            self._session.over(*sent)

    async def _accepted(self, inbox: Inbox, sent: _Sent | None) -> None:
        if sent is None:
            return
        answer = await self._response(sent)
        inbox.latest = isinstance(answer, dict) and answer.get("delivery") == "latest"
        inbox.windowed = inbox.latest and FLOW in self._session.welcome.features

    def renew(self) -> list[OutgoingCall]:
        """A session begins that knows nothing of the previous one. Returns the calls that renew its subscriptions, for
        the caller to send. Subscriptions that were not ready are still being made."""
        if wire.SUBSCRIPTIONS not in self._session.welcome.features:
            return []
        made = []
        for inbox in self._subscriptions.begin_again():
            call = self._session.system(wire.SUBSCRIBE, _request(inbox, inbox.filter))
            self._link.keep(self._again(inbox, _Sent(call, None)))
            made.append(call)
        return made

    async def _again(self, inbox: Inbox, sent: _Sent) -> None:
        try:
            await self._accepted(inbox, sent)
        except ConnectionClosed:
            pass  # it is renewed in the next session, if there is one
        except CallError as error:
            self._fail(inbox, error)

    def cancel(self, inbox: Inbox) -> asyncio.Task[None]:
        """See ClientSubscription.cancel."""
        inbox.end(None)
        sent = None
        if self._subscriptions.remove(inbox) and wire.SUBSCRIPTIONS in self._session.welcome.features:
            with contextlib.suppress(ConnectionClosed):
                self._link.refuse_if_ended()
                sent = self._send(self._session.system(wire.UNSUBSCRIBE, {"subscription": inbox.id}))
        return self._link.keep(self._cancel(inbox, sent))

    async def _cancel(self, inbox: Inbox, sent: _Sent | None) -> None:
        if sent is not None:
            with contextlib.suppress(CallError, ConnectionClosed):
                await self._response(sent)
                self._session.forget(inbox.id)


def _request(inbox: Inbox, filter: Mapping[str, Value] | None) -> dict[str, Value]:
    """The argument of `wslink.subscribe` (SUB-2, FLOW-6)."""
    return {"subscription": inbox.id, "topic": inbox.topic, "filter": dict(filter or {}), **inbox.pace}


def check_subscription(filter: Value, buffer: int, window: int | None, max_rate: float | None) -> None:
    """Raise UsageError for options that no server would accept (FLOW-6)."""
    check_filter(filter)
    if not _is_number(buffer) or not buffer >= 1:
        raise UsageError("buffer must be at least 1")
    if window is not None and not (isinstance(window, Integral) and _is_number(window) and 1 <= window <= MAX_WINDOW):
        raise UsageError(f"window must be an integer from 1 to {MAX_WINDOW}")
    if max_rate is not None and not (_is_number(max_rate) and MIN_RATE <= max_rate <= MAX_RATE):
        raise UsageError(f"max_rate must be from {MIN_RATE} to {MAX_RATE} publications per second")


def _is_number(value: Value) -> bool:
    """Whether it is a number, NumPy's included."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_filter(filter: Value) -> None:
    """Raise UsageError unless the filter is a mapping."""
    if filter is not None and not isinstance(filter, Mapping):
        raise UsageError(f"a filter must be a mapping from tag names to conditions, not {type(filter).__name__}")
