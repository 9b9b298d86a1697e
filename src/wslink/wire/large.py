"""Large binary values, which are found before encoding so that they can be sent without a copy."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Sequence

from wslink.wire import arrays, maps
from wslink.wire.frames import Buffer
from wslink.wire.value import Value

SPLICE_ABOVE = arrays.SHARE_ABOVE
"""Binary values of this many bytes or more are sent from where they are; smaller ones are copied into the message."""
LONG_LIST = 64
"""Values of a list from which it is checked in encoded form, where they are floats."""
SEARCH_NODES = 512
"""Values that are looked at for large binary ones. Beyond that they are copied, which is correct, only slower."""


class Large:
    """A large binary value for the encoder's hook for unknown types (a tuple would not get there)."""

    __slots__ = ("data",)

    def __init__(self, data: Buffer) -> None:
        self.data: Buffer = data


FLAT = frozenset((str, int, float, bool, type(None)))


def is_flat(nodes: Iterable[Value]) -> bool:
    """Whether the types of `nodes` show that none is or contains a binary value."""
    return FLAT.issuperset(map(type, nodes))


def mark_large(value: Value) -> tuple[Value, bool]:
    """Wrap the large binary values in `value`. Returns the new value, or `value` itself if there are none, and whether
    all keys of its maps are known to be valid."""
    kind = type(value)
    if kind in FLAT:
        return value, True
    if kind is dict and is_flat(value.values()):
        return value, maps.KEYS.issuperset(map(type, value))
    search = _Search()
    try:
        return search.visit(value), search.is_known
    except RecursionError:  # the encoder goes deeper than Python's own stack
        return value, False


class _Search:
    """A traversal of a value, limited to SEARCH_NODES nodes."""

    __slots__ = ("_budget", "is_known")

    def __init__(self) -> None:
        self._budget = SEARCH_NODES
        self.is_known = True
        """Whether all that was met is known to be good."""

    def visit(self, node: Value) -> Value:
        """Return `node`, or its replacement."""
        self._budget -= 1
        kind = type(node)
        if kind is dict:
            return self._visit_map(node)
        if kind is list or kind is tuple:
            if self._is_floats(node) or is_flat(node) or self._is_over(node):
                return node
            new_items = list(map(self.visit, node))
            return new_items if any(map(operator.is_not, new_items, node)) else node
        if kind is bytes or kind is bytearray:
            return Large(arrays.frozen(node)) if len(node) >= SPLICE_ABOVE else node
        if kind is memoryview:
            return Large(arrays.frozen(node)) if node.nbytes >= SPLICE_ABOVE or not node.c_contiguous else node
        if kind not in FLAT and not arrays.is_array(node):
            self.is_known = False
        return node

    def _visit_map(self, node: dict[Value, Value]) -> dict[Value, Value]:
        if not maps.KEYS.issuperset(map(type, node)):
            self.is_known = False
        if is_flat(node.values()) or self._is_over(node):
            return node
        visit = self.visit
        changed = {key: new for key, old in node.items() if (new := visit(old)) is not old}
        return {**node, **changed} if changed else node

    def _is_floats(self, node: Sequence[Value]) -> bool:
        """Whether `node` seems to be a long list of floats, which is checked faster in encoded form."""
        if len(node) < LONG_LIST or type(node[0]) is not float:
            return False
        self.is_known = False
        return True

    def _is_over(self, node: Collection[Value]) -> bool:
        """Whether `node` is too large to be traversed."""
        if len(node) < self._budget:
            return False
        self.is_known = False
        return True
