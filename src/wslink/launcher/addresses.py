"""Addresses and cookies in a session's responses, translated to its prefix.

A session believes that it is served at `/`. Its own paths in responses are made relative to the requested address, so
that they work behind any web server, whatever path that adds in front.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from multidict import CIMultiDict

SIGN_IN = ("wslink-user", "wslink-login")
"""The cookies of who signs in (`wslink.launcher.openid`)."""

_ADDRESSES = ("location", "content-location")
_REFRESH = re.compile(r"(?is)(\s*(?:[\d.]+\s*)?[;,]\s*url\s*=\s*)(.*)")  # in linear time
_PATH = re.compile(r"(?i)(;[ \t]*path[ \t]*=[ \t]*)([^;]*)")
_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class Prefix:
    """The path below which a session is served.

    Attributes:
        route: the path at which the launcher serves it, with a trailing slash.
        public: the same as browsers see it, behind a web server that adds a path in front.
        asked: the session's own path that was requested, encoded, with a leading slash.
        hosts: `host:port` or `host` by which it may refer to itself.
    """

    route: str
    public: str
    asked: str
    hosts: tuple[str, ...]

    def rewrite(self, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        """The headers of a response, with addresses outside the prefix translated."""
        changed = CIMultiDict[str]()
        for name, value in headers.items():
            if name.lower() in _ADDRESSES:
                value = self.address(value)
            elif name.lower() == "refresh":
                value = self._refresh(value)
            elif name.lower() == "set-cookie":
                value = self._cookie(value)
            changed.add(name, value)
        return changed

    def address(self, value: str) -> str:
        """Translate an address of the session, relative to the requested one; any other is not changed."""
        try:
            parts = urlsplit(value.strip())
        except ValueError:
            return value
        if not self._is_own(parts) or not (parts.netloc or parts.path):
            return value
        path = _resolved(urlsplit(self.asked).path, parts.path or "/")
        for known in (self.route, self.public):
            if path.startswith(known):
                path = path[len(known) - 1 :]
                break
        return _relative(self.asked, path) + parts._replace(scheme="", netloc="", path="").geturl()

    def _is_own(self, parts: SplitResult) -> bool:
        if parts.scheme and parts.scheme.lower() not in _SCHEMES:
            return False
        if not parts.netloc:
            return not parts.scheme
        return parts.netloc.lower() in self.hosts

    def _refresh(self, value: str) -> str:
        found = _REFRESH.fullmatch(value)
        if found is None:
            return value
        text = found[2].rstrip()
        quote = text[0] if len(text) > 1 and text[0] in "'\"" and text[0] == text[-1] else ""
        address = self.address(text[len(quote) : len(text) - len(quote)])
        return f"{found[1]}{quote}{address}{quote}{found[2][len(text) :]}"

    def _cookie(self, value: str) -> str:
        """Restrict a cookie for all paths to those of the session. Nothing else is changed."""

        def moved(match: re.Match[str]) -> str:
            path = match[2].strip()
            if not path.startswith("/") or f"{path}/".startswith(self.public):
                return match[0]
            if f"{path}/".startswith(self.route):
                path = path[len(self.route) - 1 :] or "/"
            return f"{match[1]}{self.public}{path[1:]}"

        return _PATH.sub(moved, value)


def _resolved(base: str, path: str) -> str:
    """Resolve a path in a page at `base` like a browser (RFC 3986, 5.2.4; the WHATWG URL standard, in which a backslash
    is a slash and `%2e` a dot)."""
    path = path.replace("\\", "/")
    if not path.startswith("/"):
        path = f"{base.rpartition('/')[0]}/{path}"
    kept: list[str] = []
    for segment in path[1:].split("/"):
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
    # A dot segment at the end names a directory.
    return "/" + "/".join([*kept, ""] if plain in (".", "..") else kept)


def _relative(asked: str, path: str) -> str:
    """The relative reference from one path to another."""
    depth = urlsplit(asked).path.count("/") - 1
    first = path[1:].partition("/")[0]
    up = "../" * depth or ("./" if not first or ":" in first else "")
    # An empty first segment would read as the name of a host.
    return up + (f"./{path[1:]}" if path.startswith("//") and not up else path[1:])


def without_cookie(values: Iterable[str], name: str) -> list[str]:
    """The values of `Cookie` headers without one cookie; everything else is kept byte for byte."""
    kept = []
    for value in values:
        pairs = value.split(";")
        others = [pair for pair in pairs if pair.partition("=")[0].strip() != name]
        text = value if len(others) == len(pairs) else ";".join(others).strip()
        if text:
            kept.append(text)
    return kept


def cookie_of(values: Iterable[str], name: str) -> str:
    """The value of one cookie, unmodified; "" if it is missing."""
    for value in values:
        for pair in value.split(";"):
            found, _, text = pair.partition("=")
            if found.strip() == name:
                return text.strip()
    return ""
