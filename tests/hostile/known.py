"""Attacks that are not held yet, with the kinds of server.

Why: of publications that are not read, the time is that of sending to ten clients frame by frame while all of them
publish, each through a library that has a coroutine or two for a frame.
"""

from __future__ import annotations

NOT_YET: dict[str, tuple[str, ...]] = {
    "publications that are not read": ("asgi", "tornado"),
}
