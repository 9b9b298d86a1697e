"""The clients of an App together: groups, presence, and authorization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wslink.hub.authorization import Authorizer
from wslink.hub.clients import Client
from wslink.hub.community import JoinHandler
from wslink.hub.groups import Group
from wslink.hub.hub import Hub
from wslink.hub.topics import Topic
from wslink.rpc.redefinition import add_handler

AuthorizerT = TypeVar("AuthorizerT", bound=Authorizer)
JoinHandlerT = TypeVar("JoinHandlerT", bound=JoinHandler)


class Sharing:
    """The part of an App for groups, presence and authorization. See App."""

    _hub: Hub

    def authorize(self, authorizer: AuthorizerT) -> AuthorizerT:
        """Decorator: let `authorizer(client, action, name)` decide what a client may do.

        It is called before every call (`action` is "call" and `name` the method's name, also for "wslink.describe",
        which lists all names, and for "application.exit"), and for every topic that a client subscribes to
        ("subscribe"), for each topic of a pattern separately. It returns True or False; for "subscribe" it may also
        return a filter, which then applies in addition to the client's own. An exception is logged and refuses. The
        function cannot be async: data that it needs belongs in `client.attributes`, which `authenticate` provides.
        With `application_thread` it runs on the thread that serves clients, and must not block.

        Raises:
            UsageError: for an async function.
        """
        self._hub.authorize_with(authorizer)
        return authorizer

    def group(self, name: str) -> Group[Client]:
        """The group `name`: iterate over its clients, ask for its length, and give it to `publish(to=...)`.
        `client.join(name)` adds a client."""
        return self._hub.community.group(name)

    def on_join(self, handler: JoinHandlerT) -> JoinHandlerT:
        """Decorator: call `handler(client, group)`, sync or async, when a client has joined the group of that
        name."""
        add_handler(self._hub.community.on_join, handler)
        return handler

    def on_leave(self, handler: JoinHandlerT) -> JoinHandlerT:
        """Decorator: call `handler(client, group)`, sync or async, when a client has left the group of that name, or
        has gone for good."""
        add_handler(self._hub.community.on_leave, handler)
        return handler

    def presence(self, topic: str, group: str, describe: Callable[[Client], Mapping[str, Any]] | None = None) -> Topic:
        """A topic that publishes the members of a group.

        A subscriber gets `{"present": [client, ...]}` first, then `{"joined": client}` and `{"left": client}`. A client
        is a map with `id`, `user` and the entries of `describe(client)`.

        Args:
            topic: its name; clients may subscribe to it like to any other, unless `authorize` says otherwise.
            group: the name of the group.
            describe: called when a client joins; returns what else pages may know about it.

        Raises:
            UsageError: for a topic that exists with another delivery.
        """
        from wslink.hub.presence import Presence

        made = self._hub.subscriptions.topic(topic)
        Presence(made, self.group(group), self._hub.community, describe)
        return made
