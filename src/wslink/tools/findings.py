"""Findings of the doctor, and advice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        what: the name of the check.
        good: whether it succeeded; None if it was not run.
        text: what was observed.
        hop: who has to do something, and `cure`: what. Empty if all is well.
    """

    what: str
    good: bool | None
    text: str
    hop: str = ""
    cure: str = ""

    def lines(self) -> str:
        mark = {True: "ok", False: "FAIL", None: "--"}[self.good]
        said = f"{mark:<5}{self.what:<12}{self.text}"
        more = [f"\n{'':5}{name + ':':<12}{text}" for name, text in (("hop", self.hop), ("cure", self.cure)) if text]
        return said + "".join(more)


def ok(what: str, text: str) -> Finding:
    return Finding(what, True, text)


def skipped(what: str, text: str) -> Finding:
    return Finding(what, None, text)


NGINX = (
    "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
    "Apache: a2enmod proxy_wstunnel, and ProxyPass ... upgrade=websocket"
)
HOST = (
    "nginx: proxy_set_header Host $http_host; Apache: ProxyPreserveHost On. Or start the server with --origins {origin}"
)
PATH = (
    "nginx: location /viewer/ {{ proxy_pass http://127.0.0.1:8080/; }} with both slashes; Apache: ProxyPass "
    "/viewer/ http://127.0.0.1:8080/; or give the path that the server knows ({path} is what it was asked for)"
)
