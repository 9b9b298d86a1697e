"""The values that a message can hold."""

from __future__ import annotations

from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A value in a message: None, a boolean, a number, text, bytes, an array, or a list, tuple or map of these. Type
checkers cannot know which of these the other end has sent, so it is checked where it is used."""
