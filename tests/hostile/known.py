"""Attacks that are not held yet, with the kinds of server.

Why: of publications that are not read, the time is that of sending to ten clients frame by frame while all of them
publish as fast as an idle machine lets them. aiohttp's engine has a reader and a writer for each, so that others come
by after some twenty turns: 120 to 250 ms. ASGI servers and Tornado read ahead of what is taken, by amounts of their
own, and frame what is sent in Python: 0.8 to 1.5 s.
"""

from __future__ import annotations

NOT_YET: dict[str, tuple[str, ...]] = {
    "publications that are not read": ("aiohttp", "asgi", "tornado"),
}
