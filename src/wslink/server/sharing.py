"""What the clients of an App have in common: groups, presence, and what each may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wslink.hub.authorization import Authorizer
from wslink.hub.clients import Client
from wslink.hub.community import JoinHandler
from wslink.hub.groups import Group
from wslink.hub.hub import Hub
from wslink.hub.presence import Presence
from wslink.hub.topics import Topic
from wslink.rpc.redefinition import add_handler

AuthorizerT = TypeVar("AuthorizerT", bound=Authorizer)
JoinHandlerT = TypeVar("JoinHandlerT", bound=JoinHandler)


class Sharing:
    """The part of an App that concerns its clients together. See App."""

    _hub: Hub

    def authorize(self, authorizer: AuthorizerT) -> AuthorizerT:
        """Decorator: let `authorizer(client, action, name)` decide what a client may do.

        It is called before every call (`action` is "call", `name` the method's, such as "wslink.describe", which tells
        all names, and "application.exit"), and for every topic that a client
        subscribes to ("subscribe"), those that its pattern stands for one by one. It returns True or False; for
        "subscribe" also a filter, and the client is sent what both that and its own let through. What it raises is
        logged and refuses. It cannot be async: what it needs to know belongs in `client.attributes`, which
        `authenticate` gives. With `application_thread` it runs on the thread that serves clients, and must not block.

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
        """Decorator: call `handler(client, group)`, sync or async, when a client has joined a group, whose name it
        gets."""
        add_handler(self._hub.community.on_join, handler)
        return handler

    def on_leave(self, handler: JoinHandlerT) -> JoinHandlerT:
        """Decorator: call `handler(client, group)`, sync or async, when a client has left a group, also because it has
        gone for good."""
        add_handler(self._hub.community.on_leave, handler)
        return handler

    def presence(self, topic: str, group: str, describe: Callable[[Client], Mapping[str, Any]] | None = None) -> Topic:
        """A topic on which pages follow who is in a group.

        A subscriber is sent `{"present": [client, ...]}` first, then `{"joined": client}` and `{"left": client}`, a
        client being a map with `id`, `user` and what `describe(client)` gives.

        Args:
            topic: its name; clients may subscribe to it like to any other, unless `authorize` says otherwise.
            group: the name of the group.
            describe: called when a client joins; what it gives is what pages see of that client.

        Raises:
            UsageError: for a topic that exists with another delivery.
        """
        made = self._hub.subscriptions.topic(topic)
        Presence(made, self.group(group), self._hub.community, describe)
        return made
