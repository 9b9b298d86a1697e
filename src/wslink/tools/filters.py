"""Filters in the syntax of the command line: `row>=3`, `kind=rock|sand`, `row>=3,row<6`."""

from __future__ import annotations

import json
import re

from wslink.errors import UsageError
from wslink.tools.call import value_of
from wslink.wire.value import Value

WORDS = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt", "!=": "ne", "^=": "prefix"}
MAX_SHOWN = 200
"""Characters of a filter that an error shows."""
CONDITION_IS = "a condition is a tag, one of = != < <= > >= ^=, and a value"
CONDITION = re.compile(r"\s*(\w+)\s*(>=|<=|!=|\^=|>|<|=)\s*(.*?)\s*", re.DOTALL)


def parse(text: str) -> dict[str, Value]:
    """Parse a filter: conditions, separated by commas, all of which must hold, or a JSON object.

    Raises:
        UsageError: it is neither.
    """
    if text.lstrip().startswith("{"):
        try:
            found: dict[str, Value] = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"filter {text[:MAX_SHOWN]!r}: {error}") from None
        return found
    conditions: dict[str, Value] = {}
    for part in filter(str.strip, text.split(",")):
        match = CONDITION.fullmatch(part)
        if match is None:
            raise UsageError(f"filter {part!r}: {CONDITION_IS}")
        tag, operator, value = match.groups()
        if not value or value[0] in "=!<>^":
            raise UsageError(f"filter {part!r}: {CONDITION_IS}; a text that begins with one of these, in quotes")
        if operator == "=":
            values = [value_of(one) for one in value.split("|")]
            if tag in conditions:
                raise UsageError(f"filter {text!r}: tag {tag} has two conditions, of which one is =")
            conditions[tag] = values if len(values) > 1 else values[0]
            continue
        bounds = conditions.setdefault(tag, {})
        if not isinstance(bounds, dict) or WORDS[operator] in bounds:
            raise UsageError(f"filter {text!r}: tag {tag} has two conditions that do not go together")
        bounds[WORDS[operator]] = value_of(value)
    return conditions
