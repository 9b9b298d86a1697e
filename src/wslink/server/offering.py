"""The methods and topics of an App, and their description."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from wslink.errors import MethodError
from wslink.hub.hub import Hub
from wslink.hub.publishing import Delivery
from wslink.hub.topic_types import TopicTypes
from wslink.hub.topics import Topic
from wslink.rpc.methods import Method, Methods, Run, check_name, run_of
from wslink.rpc.priority import Priority
from wslink.rpc.redefinition import may_replace

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Offering:
    """The part of an App that offers methods and topics.

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

        An async function runs concurrently with others. A sync one runs on the application's thread, as VTK and most
        native libraries require, and blocks it (docs/threads.md); `thread=True` runs it in a thread pool instead.
        Arguments are checked against the type hints and converted (a list to a tuple, a map to a dataclass). A
        parameter annotated `Call` receives the call. Raise MethodError to choose the error that the caller gets.

        Args:
            name: dot-separated; each part matches `^[a-z][a-z0-9_]*$`.
            run: where it runs: "main" (the default), the application's thread; "loop", the thread that serves clients,
                which is the same one without `application_thread`; "thread", a thread pool, for sync functions.
            thread: the same as run="thread".
            detached: let calls continue after their client has gone. They are cancelled otherwise.
            priority: "urgent", "normal" or "bulk": the order in which results are sent; by default bulk over 16 KiB.
            latest: run one call per client at a time, and of the waiting ones only the newest; others fail (-32801).
            errors: the errors that it raises, for the description: subclasses of MethodError, each with its own `code`.

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
        """The topic `name`, which is created on first use.

        Args:
            name: dot-separated words.
            delivery: "reliable": every publication is sent. A client that takes nothing for `Limits.stall_timeout`
                seconds, or for which more than `Limits.max_backlog` bytes wait, is disconnected. "latest": only the
                newest publication of each key waits for a client.
            retain: send new subscriptions the newest value of each key that their filter matches, for up to
                `Limits.max_retained` keys. Publications to a single client (`to`) are not retained.
            priority: "urgent", "normal" or "bulk": the order in which messages are sent to a client. By default
                publications over 16 KiB are bulk, and others normal.
            payload: a type hint for the payloads, for the description. Publications are checked in debug mode.
            tags: a TypedDict or dataclass with a field for each tag: a string, a number or a boolean.
            doc: a description of the topic.

        Raises:
            UsageError: for a bad name, delivery or priority, for one that differs from the existing topic's, or for
                types that cannot be described.
        """
        types = TopicTypes(name, payload, tags, doc) if doc or (payload, tags) != (None, None) else None
        return self._hub.subscriptions.topic(name, delivery, retain, priority, types)

    def page_method(self, name: str) -> Callable[[FunctionT], FunctionT]:
        """Decorator: describe a method of the pages that this application calls, by a function with its parameters and
        its result. The function is never called.

        Raises:
            UsageError: for a bad name, or a hint that cannot be checked.
        """

        def decorate(function: FunctionT) -> FunctionT:
            self._pages.add(Method(name, function), replace=may_replace(function))
            return function

        return decorate

    def describe(self) -> dict[str, Any]:
        """The description of this application, a JSON Schema 2020-12 document: its methods, its topics, and the methods
        of its pages that it calls (docs/contract.md). Do not modify it."""
        from wslink.hub import contract

        methods, topics = self._hub.service.methods, self._hub.subscriptions
        revisions = methods.revision, topics.revision, self._pages.revision
        if self._described[0] != revisions:
            document = contract.describe(dict(methods), dict(topics.topics), self._pages)
            self._described = revisions, document
        return self._described[1]
