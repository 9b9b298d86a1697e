"""Names of methods in the released API."""

from __future__ import annotations

import re

componentRegex: re.Pattern[str] = re.compile(r"^[a-z][a-z0-9_]*$")


def checkURI(uri: str) -> str:
    """`uri` itself, if it is dot-separated parts of a-z, 0-9 and _ that begin with a letter; an Exception otherwise."""
    if not all(componentRegex.fullmatch(part) for part in uri.split(".")):
        raise Exception(f"invalid URI: {uri!r}")
    return uri
