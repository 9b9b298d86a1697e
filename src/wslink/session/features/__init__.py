"""Protocol features beyond calls (EXT): one module for each, and the registry from which hello negotiates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from wslink.errors import UsageError
from wslink.session.view import SessionView
from wslink.wire.messages import Request

Handler = Callable[[SessionView, Request], None]
"""Handles a system message: sends a result or an error, or raises PeerError."""


MessageHandler = Callable[[SessionView, Sequence[Any]], None]
"""Handles a message of an extension: an array whose first item is its type (EXT-4). Raises PeerError."""


class Feature:
    """Base class of features.

    Attributes:
        name: the name that hello announces (EXT-1).
        versions: the protocol versions in which the feature exists.
    """

    name: str
    versions: frozenset[int] = frozenset((1, 2))

    @property
    def methods(self) -> Mapping[str, Handler]:
        """Handlers of system messages, by method. Only clients that were granted the feature reach them."""
        return {}

    @property
    def messages(self) -> Mapping[int, MessageHandler]:
        """Handlers of messages that are arrays, by type (EXT-4)."""
        return {}

    def accept(self, session: SessionView) -> None:
        """Enable the feature for a client. It was granted, and the response to hello has been sent."""


class Features:
    """The features of one server, by name."""

    def __init__(self, features: Iterable[Feature] = ()) -> None:
        self._features: dict[str, Feature] = {}
        self._methods: dict[str, tuple[str, Handler]] = {}
        self._messages: dict[int, dict[str, MessageHandler]] = {}
        for feature in features:
            self.register(feature)

    def register(self, feature: Feature) -> None:
        """Offer `feature` to clients that connect from now on.

        Raises:
            UsageError: its name, or one of its methods or messages, is taken.
        """
        taken: set[object] = {*(self._methods.keys() & feature.methods), *self._taken(feature.messages)}
        if feature.name in self._features or taken:
            what = f"feature {feature.name!r} is registered already, or one of its methods or messages"
            raise UsageError(f"{what}: {sorted(map(str, taken))}")
        self._features[feature.name] = feature
        self._methods.update((method, (feature.name, serve)) for method, serve in feature.methods.items())
        for kind, take in feature.messages.items():
            self._messages.setdefault(kind, {})[feature.name] = take

    def _taken(self, messages: Mapping[int, MessageHandler]) -> Iterator[int]:
        """The message types that another handler already handles. Features may share a handler."""
        for kind, take in messages.items():
            if any(other is not take for other in self._messages.get(kind, {}).values()):
                yield kind

    def granted(self, announced: Sequence[str], version: int) -> tuple[str, ...]:
        """Select the announced features that a connection of protocol `version` is granted (EXT-2)."""
        if not announced:
            return ()
        known = (self._features.get(name) for name in dict.fromkeys(announced))
        return tuple(feature.name for feature in known if feature is not None and version in feature.versions)

    def accept(self, session: SessionView) -> None:
        """Enable `session.features`, in the order in which they are registered."""
        for name, feature in self._features.items() if session.features else ():
            if name in session.features:
                feature.accept(session)

    def handler(self, method: str, granted: Iterable[str]) -> Handler | None:
        """The handler of a system message for a client with the features `granted`; None if there is none."""
        feature, serve = self._methods.get(method, ("", None))
        return serve if feature in granted else None

    def message_handler(self, kind: Any, granted: Iterable[str]) -> MessageHandler | None:
        """The handler of extension messages of type `kind` for a client with the features `granted`."""
        takers = self._messages.get(kind, {}) if type(kind) is int else {}
        return next((take for feature, take in takers.items() if feature in granted), None)
