"""The base of the clients that `wslink typegen --python` generates (docs/contract.md)."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, TypedDict, TypeVar

import msgspec

from wslink.client.link import Link
from wslink.client.subscription import ClientSubscription
from wslink.errors import CallError, LinkError, UsageError
from wslink.rpc.arrays import NO_LENGTHS, dims
from wslink.rpc.converters import Hint, convert
from wslink.rpc.hints import checkable
from wslink.wire.show import explained
from wslink.wire.value import Value

PayloadT = TypeVar("PayloadT")
FilterT = TypeVar("FilterT", bound=Mapping[str, object])
TagT = TypeVar("TagT")

UNSET: Any = object()
"""Stands for an argument that is not given: the server has its own default."""


class NumberBounds(TypedDict, total=False):
    """Bounds of a tag that is a number, all of which must hold."""

    gte: float
    gt: float
    lte: float
    lt: float
    ne: float
    exists: bool


class TextBounds(TypedDict, total=False):
    """Bounds of a tag that is text, all of which must hold."""

    gte: str
    gt: str
    lte: str
    lt: str
    ne: str
    exists: bool
    prefix: str


class BooleanBounds(TypedDict, total=False):
    """Bounds of a tag that is a boolean, all of which must hold."""

    ne: bool
    exists: bool


class UnexpectedResult(LinkError):
    """The server sent a result that does not match the contract that the client was generated from. Generate it
    again."""


class Namespace:
    """Methods and topics whose names have the same prefix."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def _call(
        self,
        method: str,
        hint: Hint,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        errors: Sequence[type[CallError]] = (),
    ) -> Value:
        """Call a method, and convert its result to `hint`, or its error to one of `errors` by its code."""
        places, named = _given(method, args, kwargs)
        try:
            return _converted(method, hint, await self._link.call(method, *places, **named))
        except CallError as error:
            raise _known(error, errors) from None

    async def _stream(
        self,
        method: str,
        hint: Hint,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        errors: Sequence[type[CallError]] = (),
    ) -> AsyncIterator[Value]:
        """Call a method that streams, and convert its items to `hint`."""
        places, named = _given(method, args, kwargs)
        try:
            async for item in self._link.stream(method, *places, **named):
                yield _converted(method, hint, item)
        except CallError as error:
            raise _known(error, errors) from None


class TypedTopic(Generic[PayloadT, FilterT]):
    """A topic with the type of its payloads, and that of its filters.

    Args:
        name: the topic's name.
        hint: the type of its payloads.
    """

    def __init__(self, link: Link, name: str, hint: Hint) -> None:
        self._link = link
        self._name = name
        self._hint = hint

    def subscribe(
        self,
        *,
        filter: FilterT | None = None,
        buffer: int = 32,
        window: int | None = None,
        max_rate: float | None = None,
    ) -> TypedSubscription[PayloadT, FilterT]:
        """See Link.subscribe."""
        found = self._link.subscribe(self._name, filter=filter, buffer=buffer, window=window, max_rate=max_rate)
        return TypedSubscription(found, self._name, self._hint)


class TypedSubscription(Generic[PayloadT, FilterT]):
    """See ClientSubscription."""

    def __init__(self, subscription: ClientSubscription, topic: str, hint: Hint) -> None:
        self.untyped: ClientSubscription = subscription
        """The subscription itself."""
        self._topic = topic
        self._hint = hint

    def __aiter__(self) -> TypedSubscription[PayloadT, FilterT]:
        return self

    async def __anext__(self) -> PayloadT:
        payload: PayloadT = _converted(self._topic, self._hint, await self.untyped.__anext__())
        return payload

    async def ready(self) -> None:
        """Wait until the subscription is in effect."""
        await self.untyped.ready

    async def update(self, filter: FilterT | None) -> None:
        """See ClientSubscription.update."""
        await self.untyped.update(filter)

    async def cancel(self) -> None:
        """End the subscription."""
        await self.untyped.cancel()

    async def __aenter__(self) -> TypedSubscription[PayloadT, FilterT]:
        await self.untyped.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.untyped.__aexit__(kind, error, trace)


def _given(method: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> tuple[list[Value], dict[str, Value]]:
    """Remove arguments that were not passed."""
    places = list(args)
    while places and places[-1] is UNSET:
        places.pop()
    if any(value is UNSET for value in places):
        raise UsageError(f"{method}: an argument is left out that stands before one which is given")
    return places, {name: value for name, value in kwargs.items() if value is not UNSET}


def _converted(what: str, hint: Hint, value: Value) -> Value:
    if hint is None or hint is Any:
        return value
    dims.known = NO_LENGTHS
    try:
        return convert(value, _checkable(_Hint(hint)))
    except msgspec.ValidationError as error:
        raise UnexpectedResult(f"{what}: {explained(error)}") from None


class _Hint:
    """A hashable type hint: tuple and union types are created anew each time."""

    def __init__(self, hint: Hint) -> None:
        self.hint: Hint = hint
        self._text = repr(hint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hint) and (self.hint is other.hint or bool(self.hint == other.hint))

    def __hash__(self) -> int:
        return hash(self._text)


@functools.lru_cache(1024)
def _checkable(hint: _Hint) -> Hint:
    return checkable(hint.hint)


def _known(error: CallError, errors: Sequence[type[CallError]]) -> CallError:
    """Convert `error` to the class that is declared for its code."""
    for kind in errors:
        if getattr(kind, "CODE", None) == error.code:
            return kind(error.code, error.message, error.data)
    return error
