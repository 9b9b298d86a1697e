"""What an application offers: methods, topics, and their description."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from wslink.errors import MethodError
from wslink.hub import contract
from wslink.hub.hub import Hub
from wslink.hub.publishing import Delivery
from wslink.hub.topic_types import TopicTypes
from wslink.hub.topics import Topic
from wslink.rpc.methods import Method, Methods, Run, check_name, run_of
from wslink.rpc.priority import Priority
from wslink.rpc.redefinition import may_replace

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Offering:
    """The part of an App that says what clients may call and subscribe to.

    Args:
        hub: holds it.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pages = Methods()
        self._described: tuple[tuple[int, ...], dict[str, Any]] = ((), {})

    def method(
        self,
        name: str,
        *,
        run: Run | None = None,
        thread: bool = False,
        detached: bool = False,
        priority: Priority | None = None,
        latest: bool = False,
        errors: Iterable[type[MethodError]] = (),
    ) -> Callable[[FunctionT], FunctionT]:
        """Decorator: let clients call a function, sync or async.

        An async function runs beside others. A sync one runs on the application's thread, where VTK and most native
        libraries need to be, and holds up what else runs there (docs/threads.md); `thread=True` runs it in a pool
        instead. Arguments are checked against the type hints and converted (a list to a tuple, a map to a dataclass). A
        parameter annotated `Call` receives the call. What it returns is the result; MethodError chooses the failure.

        Args:
            name: dot-separated; each part matches `^[a-z][a-z0-9_]*$`.
            run: where it runs: "main", the application's thread, unless given; "loop", the thread that serves clients,
                which is the same without `application_thread`; "thread", a pool of threads, for sync functions.
            thread: as run="thread".
            detached: let calls go on when their client has gone; they are cancelled otherwise.
            priority: "urgent", "normal" or "bulk": what of its results goes first; unless given, over 16 KiB is bulk.
            latest: run one call of a client at a time, and of those that wait only the newest; others fail (-32801).
            errors: that it raises, for the description: subclasses of MethodError, each with a `code` of its own.

        Raises:
            UsageError: for a bad name, one that is taken (except in a notebook), or thread=True on an async function.
        """
        where = run_of(run, thread)
        check_name(name)

        def decorate(function: FunctionT) -> FunctionT:
            made = Method(name, function, run=where, detached=detached, priority=priority, latest=latest, errors=errors)
            self._hub.service.methods.add(made, replace=may_replace(function))
            return function

        return decorate

    def topic(
        self,
        name: str,
        *,
        delivery: Delivery = "reliable",
        retain: bool | None = None,
        priority: Priority | None = None,
        payload: Any = None,
        tags: Any = None,
        doc: str = "",
    ) -> Topic:
        """The topic `name`, made if there is none.

        Args:
            name: dot-separated words.
            delivery: "reliable": every publication waits its turn; a client that takes nothing for
                `Limits.stall_timeout` seconds, or with more than `Limits.max_backlog` bytes waiting, is disconnected.
                "latest": per client
                only the newest publication of each key waits.
            retain: send a new subscription the newest value of each key that its filter matches, of up to
                `Limits.max_retained` keys; what is published to one client alone (`to`) is not kept.
            priority: "urgent", "normal" or "bulk": what goes first among what waits for a client. Unless given, small
                publications are normal and those over 16 KiB are bulk.
            payload: a type hint of what is published, for the description. Publications are checked in debug mode.
            tags: a TypedDict or dataclass with a field for each tag that filters see, each text, a number or a boolean.
            doc: what the topic is for.

        Raises:
            UsageError: for a bad name, delivery or priority, or a topic that exists with another; for types that cannot
                be described.
        """
        types = TopicTypes(name, payload, tags, doc) if doc or (payload, tags) != (None, None) else None
        return self._hub.subscriptions.topic(name, delivery, retain, priority, types)

    def page_method(self, name: str) -> Callable[[FunctionT], FunctionT]:
        """Decorator: describe a method that this application calls at its pages, by a function of its parameters and
        its result. The function is not called.

        Raises:
            UsageError: for a bad name, or a hint that cannot be checked.
        """

        def decorate(function: FunctionT) -> FunctionT:
            self._pages.add(Method(name, function), replace=may_replace(function))
            return function

        return decorate

    def describe(self) -> dict[str, Any]:
        """What this application offers, as one document of JSON Schema 2020-12: methods, topics, and the methods that
        it calls at its pages (docs/contract.md). Do not change what is returned."""
        methods, topics = self._hub.service.methods, self._hub.subscriptions
        revisions = methods.revision, topics.revision, self._pages.revision
        if self._described[0] != revisions:
            document = contract.describe(dict(methods), dict(topics.topics), self._pages)
            self._described = revisions, document
        return self._described[1]
