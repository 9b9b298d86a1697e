"""Attacks that are not held yet, with the kinds of server.

Why: Tornado and ASGI servers read ahead of what is taken, by amounts of their own. Of publications
that are not read, the time is that of sending to ten clients frame by frame while all of them publish.
"""

from __future__ import annotations

NOT_YET: dict[str, tuple[str, ...]] = {
    "errors that repeat what was sent": ("tornado",),
    "numbers in filters whose hashes are equal": ("tornado",),  # 220 ms where 200 are asked for
    "publications that are not read": ("picows", "aiohttp", "asgi", "tornado"),  # picows: 45 MiB where 32 are asked for
    "clients that are cut off behind calls": ("picows",),  # 43 MiB where 32 are asked for, on an idle machine
    "clients that are cut off in the middle of large messages": ("tornado",),  # 49 MiB where 32 are asked for
}
