"""Attacks that are not held yet, with the kinds of server.

aiohttp expands a message before anything can look at it. Tornado and ASGI servers read ahead of what is taken.
"""

from __future__ import annotations

NOT_YET: dict[str, tuple[str, ...]] = {
    "little that expands to much, before hello": ("aiohttp",),
    "little that expands to much": ("aiohttp",),
    "errors that repeat what was sent": ("tornado",),
    "numbers in filters whose hashes are equal": ("tornado",),  # 220 ms where 200 are asked for
    "publications that are not read": ("aiohttp", "asgi", "tornado"),
    "clients that are cut off in the middle of large messages": ("tornado",),  # 49 MiB where 32 are asked for
}
