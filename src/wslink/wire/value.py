"""The values that a message can hold."""

from __future__ import annotations

from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A value of a message: None, a boolean, a number, text, bytes, an array, or a list, tuple or map of these. Neither
language's type checkers can say so of values that come from the other end: they are checked where they are used."""
