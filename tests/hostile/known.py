"""Attacks that are not held yet, with the kinds of server."""

from __future__ import annotations

NOT_YET: dict[str, tuple[str, ...]] = {}
