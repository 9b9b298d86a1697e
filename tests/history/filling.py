"""What messages hold."""

from __future__ import annotations


def filled(number: int, size: int) -> bytes:
    """Anybody sees whether it is whole and the right one."""
    return bytes([number % 251]) * size
