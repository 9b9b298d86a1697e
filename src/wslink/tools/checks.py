"""The doctor's checks up to the WebSocket: name, network, TLS, HTTP, clock, upgrade, Host, Origin, path."""

from __future__ import annotations

import asyncio
import email.utils
import socket
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

from wslink.tools.findings import HOST, NGINX, PATH, Finding, ok, skipped
from wslink.tools.handshake import Answer, ask, origin_of
from wslink.tools.options import Target
from wslink.waiting import within

MAX_SKEW = 60.0
"""Seconds that two clocks may differ."""
MAX_WORDS = 6
"""Words of a path that may be those of one that leads there."""
OURS = ("This is a WebSocket endpoint", "Pages of this origin may not connect", "The server is not known by this name",
        "404: Not Found")  # fmt: skip
"""What this package's servers say where they refuse a request."""


class Way:
    """The way to a server.

    Args:
        target: the server.
        origin: the origin of the page that is to connect; by default the server's own.
    """

    def __init__(self, target: Target, origin: str | None) -> None:
        self.target = target
        self.parts = urlsplit(target.url)
        self.origin: str = origin or origin_of(self.parts)
        self._chosen = origin is not None
        self._addresses: list[str] = []

    @property
    def port(self) -> int:
        return self.parts.port or (443 if self.parts.scheme == "wss" else 80)

    def _tls(self) -> ssl.SSLContext | None:
        if self.parts.scheme != "wss":
            return None
        context = ssl.create_default_context()
        if self.target.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    async def checks(self) -> AsyncIterator[Finding]:
        """Run the checks in order, up to the first one that fails."""
        for check in (self._name, self._network, self._security, self._http, self._upgrade):
            try:
                found = await check()
            except (OSError, asyncio.TimeoutError) as error:
                found = [Finding(check.__name__[1:], False, _said(error), "the network or the server", "try again")]
            for one in found:
                yield one
            if any(one.good is False and one.what != "clock" for one in found):
                return

    async def _name(self) -> list[Finding]:
        host = self.parts.hostname or ""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # UnicodeError: not a valid host name
            cure = "check the spelling, and that this machine's DNS knows the name (getent hosts NAME)"
            return [Finding("name", False, f"{host} is not known: {_said(error)}", "the name server", cure)]
        self._addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        return [ok("name", f"{host} is {', '.join(self._addresses)}")]

    async def _network(self) -> list[Finding]:
        failed = []
        refused = False
        for address in self._addresses:
            try:
                opening = asyncio.open_connection(address, self.port)
                _, writer = await within(opening, self.target.timeout)
            except (OSError, asyncio.TimeoutError) as error:
                failed.append(f"{address}: {_said(error)}")
                refused = refused or isinstance(error, ConnectionRefusedError)
                continue
            writer.close()
            return [ok("network", f"{address} accepts connections at port {self.port}")]
        where = f"port {self.port} of {self.parts.hostname}"
        if refused:
            hop, cure = "the server's machine", f"nothing listens at {where}: start the server, with --host 0.0.0.0 if "
            cure += "others are to reach it, or check the port"
        else:
            hop, cure = "a firewall between here and there", f"let {where} pass"
        return [Finding("network", False, "; ".join(failed), hop, cure)]

    async def _security(self) -> list[Finding]:
        if self.parts.scheme != "wss":
            return [skipped("tls", "the URL wants none")]
        try:
            context = self._tls()
            name = self.parts.hostname
            opening = asyncio.open_connection(name, self.port, ssl=context, server_hostname=name)
            _, writer = await within(opening, self.target.timeout)
        except ssl.SSLCertVerificationError as error:
            return [_bad_certificate(error, self.parts.hostname or "")]
        except (ssl.SSLError, ConnectionError, asyncio.TimeoutError) as error:
            cure = "nothing speaks TLS there: use ws:// or http://, or let the server or the proxy speak it (ssl)"
            return [Finding("tls", False, _said(error), "what listens at that port", cure)]
        said = writer.get_extra_info("ssl_object").version()
        writer.close()
        return [ok("tls", f"{said}, and the certificate is {'not checked' if self.target.insecure else 'good'}")]

    async def _http(self) -> list[Finding]:
        answer = await self._ask("", upgrade=False)
        if answer.status == 0:
            cure = "use wss:// or https:// if TLS is spoken there; otherwise something else listens at that port"
            return [Finding("http", False, "what answers is not HTTP", "what listens at that port", cure)]
        if answer.wants_tls and self.parts.scheme == "ws" and answer.status == 400:
            return [self._only_tls(answer)]
        found = [ok("http", f"{answer.server or 'the server'} answers")]
        return [*found, *_clock(answer)]

    async def _ask(self, origin: str, upgrade: bool = True, path: str | None = None) -> Answer:
        url = self.target.url if path is None else urlunsplit((*self.parts[:2], path, "", ""))
        headers = {**self.target.headers, **({"Origin": origin} if origin else {})}
        return await ask(url, self._tls(), headers, self.target.timeout, upgrade)

    async def _upgrade(self) -> list[Finding]:
        answer = await self._ask(self.origin)
        if answer.status == 101:
            return [
                ok("upgrade", f"{self.parts.path} is a WebSocket"),
                ok("origin", f"pages of {self.origin} may connect"),
            ]
        if answer.status == 403:
            return [await self._forbidden(answer)]
        if answer.status == 404:
            return [await self._not_found(answer)]
        return [self._refused(answer)]

    def _refused(self, answer: Answer) -> Finding:
        proxy = _proxy(answer)
        status = f"{answer.status} of {answer.server or 'what answers'}"
        if answer.status == 426 or (answer.status in (400, 200, 301, 302) and "WebSocket" in answer.body):
            hop = proxy if proxy.startswith("the proxy") else UNNAMED
            return Finding("upgrade", False, f"{status}: the request to upgrade did not arrive", hop, NGINX)
        if answer.wants_tls and self.parts.scheme == "ws":
            return self._only_tls(answer)
        if answer.status in (502, 503, 504) or "DNS lookup failure" in answer.body:
            cure = "start the server, and check the address and port that the proxy passes requests on to"
            return Finding("upgrade", False, f"{status}: it does not reach the server", proxy, cure)
        if answer.status == 421:
            host = self.parts.hostname or ""
            cure = f"start the server with --hosts {host}"
            return Finding("host", False, f"{status}: the server is not known by the name {host}", "the server", cure)
        if answer.status in (401, 407):
            cure = "pass what it requires: --header 'Authorization: ...' or 'Cookie: ...'"
            return Finding("upgrade", False, f"{status}: it requires a login", proxy, cure)
        text = f"{status} in place of a WebSocket: {' '.join(answer.body.split())[:100]}"
        return Finding("upgrade", False, text, proxy, f"check what serves {self.parts.path} there; {NGINX}")

    def _only_tls(self, answer: Answer) -> Finding:
        text = f"{answer.status} of {answer.server or 'what answers'}: it accepts TLS only"
        cure = f"use {urlunsplit(('wss', *self.parts[1:3], '', ''))}"
        if answer.headers.get("location"):  # to another port, maybe
            cure += f", or what {answer.headers['location'][:200]} stands for"
        return Finding("upgrade", False, text, "the URL", cure)

    async def _forbidden(self, answer: Answer) -> Finding:
        """403: because of the Origin, or of a Host that a proxy has changed."""
        if (await self._ask("")).status != 101:
            text = f"403 of {answer.server or 'what answers'}, whatever the page: {' '.join(answer.body.split())[:100]}"
            return Finding("upgrade", False, text, _proxy(answer), "let requests for this path pass")
        own = origin_of(self.parts)
        if self._chosen and self.origin != own and (await self._ask(own)).status == 101:
            text = f"403: pages of {self.origin} may not connect; those of {own} may"
            return Finding("origin", False, text, "the server", f"start it with --origins {self.origin}")
        text = f"403: pages of {self.origin} may not connect, although that is where the server is asked for"
        hop = _proxy(answer) if _proxy(answer).startswith("the proxy") else UNNAMED
        return Finding("host", False, f"{text}: it sees another Host", hop, HOST.format(origin=self.origin))

    async def _not_found(self, answer: Answer) -> Finding:
        """404: another path may be the right one."""
        path = self.parts.path
        words = [word for word in path.split("/") if word][:MAX_WORDS]
        tails = ["/" + "/".join(words[:count]) + "/ws" for count in range(len(words), -1, -1)]
        others = dict.fromkeys(one.replace("//", "/") for one in [*tails, "/ws", *(f"/{w}/ws" for w in words)])
        for other in others:
            there = await self._ask(self.origin, path=other) if other != path else answer
            if there.status == 101 or (there.status == 403 and _is_ours(there)):
                cure = f"use {urlunsplit((*self.parts[:2], other, '', ''))}"
                return Finding("path", False, f"there is no {path}; {other} is a WebSocket", "the URL", cure)
        hop = "the proxy, which changes the path, or does not" if _is_ours(answer) else _proxy(answer)
        who = "the server" if _is_ours(answer) else answer.server or "what answers"
        return Finding("path", False, f"404 of {who}: there is no {path}", hop, PATH.format(path=path))


UNNAMED = "a proxy in front of the server, which does not say its name"


def _is_ours(answer: Answer) -> bool:
    return any(text in answer.body for text in OURS)


def _proxy(answer: Answer) -> str:
    known = ("nginx", "apache", "haproxy", "envoy", "caddy", "traefik", "cloudflare", "varnish")
    named = answer.server if any(one in answer.server.lower() for one in known) else ""
    return f"the proxy ({named})" if named else "the server, or a proxy in front of it"


def _bad_certificate(error: ssl.SSLCertVerificationError, host: str) -> Finding:
    why = error.verify_message or str(error)
    if "expired" in why:
        cure = "renew the certificate; and see that this machine's clock is right"
    elif "not yet valid" in why:
        cure = "set this machine's clock, or wait until the certificate is valid"
    elif "match" in why or "IP address" in why:
        cure = f"use a name that the certificate is for, or a certificate for {host}"
    else:
        cure = (
            "use a certificate of an authority that browsers trust; for a self-signed one, trust it, or use --insecure"
        )
    hop = "what terminates TLS: the proxy or the server"
    return Finding("tls", False, f"the certificate is refused: {why}", hop, cure)


def _clock(answer: Answer) -> list[Finding]:
    try:
        there = email.utils.parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError, IndexError):
        return [skipped("clock", "the server does not say what time it is")]
    skew = time.time() - there
    if abs(skew) <= MAX_SKEW:
        return [ok("clock", f"differs by {abs(skew):.0f} s at most")]
    cure = "set it (timedatectl set-ntp true): tokens and certificates are refused or outlive their time otherwise"
    ahead = "ahead" if skew > 0 else "behind"
    return [
        Finding("clock", False, f"this machine is {abs(skew):.0f} s {ahead}", "this machine, or the server's", cure)
    ]


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
