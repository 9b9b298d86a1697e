"""Authorization: the application decides what each client may call and subscribe to."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Literal

from wslink.errors import RAISED, InvalidParams, NotAuthorized, PeerError, UsageError
from wslink.hub.filters import Definition, Predicate, Tags, compile_filter, define, everything
from wslink.rpc.call import Caller
from wslink.wire.limits import Limits
from wslink.wire.show import shown
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")

Action = Literal["call", "subscribe"]
Authorizer = Callable[["Caller", Action, str], "bool | Mapping[str, Value] | None"]
"""Decides on each call and each subscription: True or False, or a filter for what a subscription may receive."""


class Narrowed:
    """A client's filter, restricted by the one that the application returned (AUTH-3).

    Attributes:
        definition: the combined filter.
        matches: evaluates it.
    """

    __slots__ = ("definition", "matches")

    def __init__(self, definition: Definition, matches: Predicate) -> None:
        self.definition: Definition = definition
        self.matches: Predicate = matches

    def within(self, given: Mapping[str, Value] | None, allowed: Predicate) -> Narrowed:
        """Return the combination of this filter and `given`, which `allowed` evaluates."""
        if not given:
            return self
        mine, ours = self.matches, self.definition.unpack()
        apart = not (given.keys() & ours.keys())
        both: Mapping[str, Value] = {**ours, **given} if apart else {"and": [dict(given), dict(ours)]}
        return Narrowed(define(both), _both(allowed, mine) if ours else allowed)


def _both(one: Predicate, other: Predicate) -> Predicate:
    def matches(tags: Tags) -> bool:
        return one(tags) and other(tags)

    return matches


class Authorization:
    """Calls the application's authorizer. Without one everything is allowed, at no cost."""

    def __init__(self) -> None:
        self._decide: Authorizer | None = None
        self._last: tuple[Mapping[str, Value], Predicate] | None = None

    @property
    def active(self) -> bool:
        return self._decide is not None

    def use(self, decide: Authorizer) -> None:
        """Use `decide` from now on. Raises UsageError for an async function."""
        if inspect.iscoroutinefunction(decide):
            raise UsageError("authorize takes a function that is not async: look up what it needs in authenticate")
        self._decide = decide

    def refuse_call(self, client: Caller, method: str) -> PeerError | None:
        """Return the error of a call that is not allowed."""
        verdict = self._ask(client, "call", method)
        return None if verdict is True else NotAuthorized("Not authorized", method)

    def narrow(self, client: Caller, topic: str) -> tuple[Mapping[str, Value], Predicate] | None:
        """Return the filter for what a client may receive from a topic, and its predicate; None if it may receive
        nothing."""
        verdict = self._ask(client, "subscribe", topic)
        if verdict is False:
            return None
        if verdict is True:
            return {}, everything
        if self._last is None or self._last[0] != verdict:
            try:
                self._last = dict(verdict), compile_filter(verdict, _GENEROUS)
            except InvalidParams as error:
                logger.error("authorize gave %s for %r: %s", shown(verdict), topic, error.message)
                return None
        return self._last

    def _ask(self, client: Caller, action: Action, name: str) -> bool | Mapping[str, Value]:
        """Call the authorizer. Exceptions and invalid results are logged, and refuse."""
        if self._decide is None:
            return True
        try:
            verdict = self._decide(client, action, name)
        except RAISED:
            logger.exception("authorize raised for %s %r of client %s", action, name, client.id)
            return False
        if isinstance(verdict, bool) or (action == "subscribe" and isinstance(verdict, Mapping)):
            return verdict
        if verdict is not None:
            logger.error("authorize gave %s for %s %r, which refuses it", shown(verdict), action, name)
        return False


_GENEROUS = Limits(max_filter_conditions=10_000, max_filter_values=100_000, max_filter_depth=32)
"""Limits for the application's own filters."""
