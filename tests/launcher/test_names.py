"""The names that a launcher may be asked by: a page of a name that was made to resolve to this machine gets nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launcher.support import Running, launching
from wslink.http.origin import is_asked_by

FOREIGN = [
    "evil.example",
    "evil.example:9000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "a@localhost",
    "[x",
    "",
]
OWN = [
    "localhost",
    "LOCALHOST:80",
    "localhost.",
    "viewer.localhost:1",
    "127.0.0.1",
    "127.1.2.3:9000",
    "[::1]:9000",
    "192.0.2.1",
]


async def posted(running: Running, host: str) -> int:
    headers = {"Host": host, "Origin": f"http://{host}", "Content-Type": "text/plain"}
    status, _ = await running.ask("POST", data=b'{"application": "good"}', headers=headers)
    return status


async def test_a_rebound_page_starts_nothing_and_reads_nothing(tmp_path: Path) -> None:
    async with launching(tmp_path, apps={}) as running:
        for host in FOREIGN:
            assert await posted(running, host) in (400, 421), host
            for path in ("/health", "/wslink/client.js", f"{running.endpoint}/x", f"{running.endpoint}/session/x/y/z"):
                forged = {"Host": host, "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
                async with running.http.get(running.url + path, headers=forged) as response:
                    assert response.status in (400, 421), (host, path)


async def test_own_names_are_answered(tmp_path: Path) -> None:
    async with launching(tmp_path, hosts=["lab.example", ".cluster.example"], apps={}) as running:
        for host in (*OWN, "lab.example", "Lab.Example:9000", "n1.cluster.example"):
            async with running.http.get(f"{running.url}/health", headers={"Host": host}) as response:
                assert response.status == 200, host
        for host in ("xlab.example", "cluster.example.org", "www.lab.example"):
            async with running.http.get(f"{running.url}/health", headers={"Host": host}) as response:
                assert response.status == 421, host


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"sessionURL": "wss://viz.example/proxy?sessionId=${id}&path=ws"}, "viz.example"),
        ({"hosts": ["*"]}, "any.example"),
    ],
)
async def test_names_that_the_configuration_tells(tmp_path: Path, setting: dict[str, str], name: str) -> None:
    async with launching(tmp_path, apps={}, **setting) as running:
        assert await posted(running, name) == 400  # there is no such application: it was looked for
        assert await posted(running, "other.example") == (400 if "hosts" in setting else 421)


def test_a_program_without_a_host_is_no_page() -> None:
    assert is_asked_by({}, ())
