"""Dotted names as a tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wslink.errors import UsageError


@dataclass
class Node:
    """Names that begin with the same words.

    Attributes:
        words: these.
        method, topic: the names of what ends here; "" for none.
        inner: what goes on, by the next word.
    """

    words: tuple[str, ...] = ()
    method: str = ""
    topic: str = ""
    inner: dict[str, Node] = field(default_factory=dict)


def tree(methods: Iterable[str], topics: Iterable[str], reserved: Iterable[str]) -> Node:
    """The root of the names of methods and topics.

    Raises:
        UsageError: for a name that begins with a reserved word, and a topic that has a method `subscribe`.
    """
    root = Node()
    for kind, names in (("method", methods), ("topic", topics)):
        for name in names:
            node = root
            for word in name.split("."):
                node = node.inner.setdefault(word, Node((*node.words, word)))
            setattr(node, kind, name)
    _check(root)
    for word in reserved:
        if word in root.inner:
            why = "JavaScript would take the client for a promise" if word == "then" else "that is the link"
            raise UsageError(f"typegen: a name that begins with {word!r} cannot be a member of the client: {why}")
    return root


def _check(node: Node) -> None:
    """Raise UsageError for a topic that has a member `subscribe`."""
    if node.topic and "subscribe" in node.inner:
        raise UsageError(f"typegen: topic {node.topic!r} and {node.topic}.subscribe cannot both be members")
    for inner in node.inner.values():
        _check(inner)
