"""What a launcher makes of requests and of sessions' answers: values that may be posted, cookies, addresses."""

from __future__ import annotations

import contextlib
import json
import re
from urllib.parse import urlsplit

from multidict import CIMultiDict

from wslink.errors import RequestRefused
from wslink.http.origin import is_allowed, is_asked_by
from wslink.launcher.addresses import Prefix, cookie_of, without_cookie
from wslink.launcher.proxy import mapped_path, public_path
from wslink.launcher.validation import convert
from wslink.launcher.variables import accept
from wslink.proxy.upstream import Target, passed_on, request_head

_CONFIGURATION = convert(
    {
        "configuration": {
            "host": "localhost",
            "port": 1,
            "endpoint": "a",
            "proxy_file": "",
            "sessionURL": "ws://x/${x}",
            "timeout": 1,
            "log_dir": "l",
            "fields": [],
            "sanitize": {"rule": {"type": "regexp", "regexp": "^[a-z]*$", "default": "d"}},
        },
        "resources": [],
        "properties": {"p": "1"},
        "apps": {"one": {"cmd": ["x", "${x}", "${rule}", "${p}"]}},
    }
)
_PREFIX = Prefix("/v/session/i/t/", "/lab/v/session/i/t/", "/a/b?x=/1", ("127.0.0.1:9001", "localhost:8080"))
SEEDS = [
    b'{"x": "-1.5", "rule": "abc", "p": "no", "id": "no"}',
    b'{"x": "../y"}',
    b'{"x": "\\u0000"}',
    b'{"x": [1], "rule": null}',
    b'wslink-session=t; a="x;y"; b',
    b"http://127.0.0.1:9001/../%2e%2E/x?y#z",
    b"//localhost:8080\\x",
    b"5; url='/docs/'",
    b"a=1; Path=/x; HttpOnly",
    b"ws://USE_HOST/proxy?sessionId=${id}&path=ws",
    b"[::1]:80",
    b"GET /x HTTP/1.1\r\nX: y\r\n\r\n",
]


def run(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    _posted(data)
    _cookies(text)
    _addresses(text)
    headers = {"Host": text, "Origin": f"http://{text}", "Forwarded": text, "X-Forwarded-Host": text}
    is_asked_by(headers, ("lab.example", ".lab.example"))
    is_allowed(headers, (text, "http://x:*"))
    _heads(text)
    with contextlib.suppress(ValueError):  # of an address that is none
        mapped_path(text)
        public_path(text, "/a/session")


def _posted(data: bytes) -> None:
    try:
        posted = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(posted, dict):
        return
    with contextlib.suppress(RequestRefused):
        accepted = accept(_CONFIGURATION, _CONFIGURATION.apps["one"], posted)
        assert set(accepted) <= {"x", "rule"}
        assert re.fullmatch("[a-z]*", accepted.get("rule", "")) is not None
        value = accepted.get("x", "")
        assert re.match(r"-(?![\d.])|[/~\\]", value) is None
        assert ".." not in re.split(r"[/\\]", value)
        assert re.search(r"[\x00-\x1f\x7f]", value) is None


def _cookies(text: str) -> None:
    kept = without_cookie([text], "wslink-session")
    assert cookie_of(kept, "wslink-session") == ""
    assert not any(pair.partition("=")[0].strip() == "wslink-session" for one in kept for pair in one.split(";"))
    if "wslink-session" not in text and text:
        assert kept == [text]


def _addresses(text: str) -> None:
    found = _PREFIX.address(text)
    if found != text:
        path = found.partition("?")[0].partition("#")[0]
        assert path.startswith("../")  # the page is one directory below the prefix
        below = path.removeprefix("../")
        assert ".." not in below.lower().replace("%2e", ".").replace("\\", "/").split("/")
        with contextlib.suppress(ValueError):
            assert not urlsplit(found).netloc
    _PREFIX.rewrite(CIMultiDict({"Location": text, "Refresh": text, "Set-Cookie": text, "X": text}))


def _heads(text: str) -> None:
    name, _, value = text.partition(":")
    with contextlib.suppress(ValueError):
        headers = passed_on(CIMultiDict({name: value}))
        head = request_head(Target("127.0.0.1", 1, "/"), headers)
        assert head.count(b"\r\n\r\n") == 1
        assert head.count(b"\n") == head.count(b"\r\n") == len(headers) + 4
    with contextlib.suppress(ValueError):
        head = request_head(Target("127.0.0.1", 1, text), CIMultiDict())
        assert head.count(b"\n") == 4
        assert head.split(b"\r\n")[0].count(b" ") == 2
