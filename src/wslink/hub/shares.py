"""Shares of what the clients of a server may have together (LIM-6, LIM-7, LIM-18)."""

from __future__ import annotations

LEAST_SHARE = 256 * 1024
"""Bytes that a client may have, whatever others have."""


def share(held: int, holders: int, each: int, total: int, least: int = LEAST_SHARE) -> int:
    """Bytes that a client may have of something: `each`; while all together have more than `total`, that, less four
    times what they have more, divided by the clients that have any. So those that come later add little, however many
    they are.

    Args:
        held: bytes that all have.
        holders: clients that have any.
        each: the most that a client may have.
        total: what all may have before each has its share.
        least: what a client may have, whatever others have.
    """
    more = held - total
    if more <= 0:
        return each
    return min(each, max((total - 4 * more) // max(holders, 1), least))
