"""Presence: a topic that publishes the members of a group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from wslink.errors import RAISED
from wslink.hub.clients import Client
from wslink.hub.community import Community
from wslink.hub.groups import Group
from wslink.hub.topics import Subscription, Topic
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")

Describe = Callable[[Client], Mapping[str, Value]]


class Presence:
    """Publishes who joins and leaves a group, and sends new subscribers its members. Replaces an earlier one of the
    same group and topic. See App.presence."""

    def __init__(self, topic: Topic, group: Group[Client], community: Community, describe: Describe | None) -> None:
        self._topic = topic
        self._group = group
        self._describe = describe
        self._seen: dict[str, dict[str, Value]] = {client.id: self._entry(client) for client in group}
        self._is_over = False
        community.replace_presence(topic.name, group.name, self._end)
        topic.shared = False  # each worker publishes all members to its own clients
        community.changes.append(self._changed)
        topic.on_subscribe(self._welcome)

    def _changed(self, client: Client, group: str, joined: bool) -> None:
        if group != self._group.name or self._is_over:
            return
        if joined:
            self._seen[client.id] = entry = self._entry(client)
            self._topic.publish({"joined": entry})
        elif entry := self._seen.pop(client.id, {}):
            self._topic.publish({"left": entry})

    def _welcome(self, subscription: Subscription) -> None:
        if self._is_over:
            return
        present = {"present": list(self._seen.values())}
        self._topic.deliver_to(subscription, subscription.session.encoder.pack(present), None)

    def _end(self) -> None:
        self._is_over = True

    def _entry(self, client: Client) -> dict[str, Value]:
        entry: dict[str, Value] = {"id": client.id, "user": client.user}
        if self._describe is not None:
            try:
                entry.update(self._describe(client))
            except RAISED:
                logger.exception("presence %s: %r raised", self._topic.name, self._describe)
        return entry
