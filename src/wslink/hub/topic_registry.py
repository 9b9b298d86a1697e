"""The topics of one server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from wslink.errors import UsageError
from wslink.hub.latest import key_in
from wslink.hub.ports import Publisher
from wslink.hub.publishing import Delivery
from wslink.hub.recipients import Recipients
from wslink.hub.topic_types import TopicTypes
from wslink.hub.topics import Topic
from wslink.rpc.priority import Priority, lane_of
from wslink.rpc.redefinition import is_interactive

logger: logging.Logger = logging.getLogger("wslink")


class TopicRegistry:
    """Topics by name.

    Args:
        publisher: the topics' interface to their server.
        open_topics: whether clients may subscribe to any topic, for applications that publish without declaring topics
            (SUB-7).
    """

    def __init__(self, publisher: Publisher, open_topics: bool) -> None:
        self.open_topics: bool = open_topics
        self.topics: dict[str, Topic] = {}
        self.revision: int = 0
        """Changes when a topic is declared, or what it declares changes."""
        self._checks_types = False
        self._latest: dict[str, str] = {}
        self._publisher = publisher
        self._lock = publisher.lock

    def allow_any_topic(self) -> None:
        """Let clients subscribe to undeclared topics (SUB-7)."""
        self.open_topics = True

    def check_types(self, on: bool) -> None:
        """Enable or disable the check of publications against what their topic declares (debug mode)."""
        with self._lock:
            self._checks_types = on
            for topic in self.topics.values():
                topic.check = topic.types.check if on and topic.types is not None else None

    def deliver_latest(self, topics: Mapping[str, str]) -> None:
        """Use "latest" delivery for these topics, with the named entry of the payload as the key, unless the
        application has created them with another delivery."""
        for name, entry in topics.items():
            known = self.topics.get(name)
            if known is not None and known.declared and known.delivery != "latest":
                logger.warning("latest: topic %s was made with delivery %r, which counts", name, known.delivery)
                continue
            self.topic(name, "latest")
            self._latest[name] = entry

    def publish(self, topic: str, payload: Any, to: Recipients | None, exclude: Recipients | None) -> int:
        """Publish on a topic of any delivery, which is created on first use; see Topic.publish."""
        entry = self._latest.get(topic) if self._latest else None
        key = key_in(payload, entry) if entry else None
        return self.open_topic(topic).publish(payload, key=key, to=to, exclude=exclude)

    def topic(
        self,
        name: str,
        delivery: Delivery = "reliable",
        retain: bool | None = None,
        priority: Priority | None = None,
        types: TopicTypes | None = None,
    ) -> Topic:
        """Return the topic `name`, which is created on first use. May be called from any thread.

        Args:
            retain, priority, types: see App.topic; None if not specified.

        Raises:
            UsageError: the topic exists with a different delivery, or different arguments. Types may change in a
                notebook, where running a cell again creates new classes.
        """
        lane = lane_of(f"topic {name!r}", priority)
        with self._lock:
            topic = self._make_topic(name, delivery)
            if not topic.declared:
                topic.declared, topic.delivery, topic.lane = True, delivery, lane
                self.revision += 1
                if retain:
                    topic.retain()
                self._declared(topic)
            if types is not None and (topic.types is None or (types != topic.types and is_interactive())):
                topic.types, topic.check = types, types.check if self._checks_types else None
                self.revision += 1
        if topic.delivery != delivery:
            raise UsageError(f"topic {name!r} exists with delivery {topic.delivery!r}")
        if retain is not None and retain != (topic.retained is not None):
            raise UsageError(f"topic {name!r} exists with retain={topic.retained is not None}")
        if lane is not None and lane != topic.lane:
            raise UsageError(f"topic {name!r} exists with another priority than {priority!r}")
        if types is not None and types != topic.types:
            raise UsageError(f"topic {name!r} exists with another payload, tags or doc")
        return topic

    def open_topic(self, name: str) -> Topic:
        """Return the topic `name`, of any delivery, which is created on first use. May be called from any thread."""
        topic = self.topics.get(name)
        if topic is not None and topic.declared:
            return topic
        return self.topic(name)

    def _make_topic(self, name: str, delivery: Delivery) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, delivery, self._publisher)
        return topic

    def _declared(self, topic: Topic) -> None:
        """The server has declared a topic. Called with the lock held."""
