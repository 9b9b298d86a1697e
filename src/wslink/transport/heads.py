"""Bounds on the heads of HTTP requests (LIM-15)."""

from __future__ import annotations

MAX_HEAD = 16 * 1024
"""Bytes of a request's head, from which on it is answered 431."""
MAX_HEADERS = 128
"""Header lines of a request."""
