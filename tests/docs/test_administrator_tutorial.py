"""The administrator's tutorial: its files in one directory, its commands, the real nginx and a viewer of a user."""

from __future__ import annotations

import base64
import json
import os
import ssl
from pathlib import Path

import aiohttp
import pytest

import wslink
from tests.deployment.servers import missing, nginx
from tests.docs.blocks import ROOT, block
from tests.docs.programs import done, running
from tests.ports import free_port
from wslink.ssl_context import generate_ssl_pair

PAGE = "docs/tutorials/administrator.md"
pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(missing("nginx"), reason="nginx is not installed"),
]


class Lab:
    """The tutorial's machine below a directory."""

    def __init__(self, root: Path) -> None:
        self.root, self.port, first = root, free_port(), free_port()
        for name in ("etc/wslink", "etc/nginx", "etc/ssl", "srv/viewers/www", "state"):
            (root / name).mkdir(parents=True)
        self.places = {
            "/etc/": f"{root}/etc/",
            "/srv/": f"{root}/srv/",
            "/opt/wslink/bin/": "",
            "9000": str(self.port),
            "[9001, 9100]": f"[{first}, {first + 3}]",
        }
        self.put("srv/viewers/viewer.py", "python")
        self.put("srv/viewers/www/index.html", "html")
        self.put("etc/wslink/launcher.toml", "toml")
        self.token, self.check = self.here("bash").splitlines()
        self.add_user, self.launch = self.here("bash", 1), self.here("bash", 2).strip()

    def here(self, language: str, number: int = 0) -> str:
        text = block(PAGE, language, number)
        for there, here in self.places.items():
            text = text.replace(there, here)
        return text

    def put(self, name: str, language: str) -> None:
        (self.root / name).write_text(self.here(language))

    async def shell(self, command: str) -> str:
        return await done(self.root, "bash", "-c", command)


async def test_a_user_has_a_viewer_and_the_administrator_sees_it(tmp_path: Path) -> None:
    for directory in (tmp_path, *tmp_path.parents[:2]):  # nginx reads its users as another user
        directory.chmod(0o755)
    lab = Lab(tmp_path)
    await lab.shell(lab.token)
    (tmp_path / "etc/wslink/admin-token").chmod(0o600)
    assert "viewer" in await lab.shell(lab.check)
    group = "nogroup" if os.geteuid() == 0 else str(os.getegid())  # of this nginx's workers
    await lab.shell(lab.add_user.replace("openssl passwd -6", "openssl passwd -6 p4ss").replace("www-data", group))
    certificate, key = generate_ssl_pair("localhost")
    blocks = lab.here("nginx").replace("listen 443 ssl", "listen 8080 ssl")
    for name, file in (("pem", certificate), ("key", key)):
        blocks = blocks.replace(f"{tmp_path}/etc/ssl/viewers.{name}", file)
    async with running(tmp_path / "state", lab.launch), nginx(tmp_path, blocks) as address:
        host = address.replace("127.0.0.1", "localhost")
        tls = ssl.create_default_context(cafile=certificate)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
            await is_asked_for_a_password(http, host)
            session = await started(http, host)
            url = session["sessionURL"].replace("USE_HOST", host)
            page = f"{url.replace('wss:', 'https:').removesuffix('ws')}"
            async with http.get(page) as shown:
                assert "./wslink/client.js" in await shown.text()
            async with http.get(f"{page}wslink/client.js") as client:
                assert client.status == 200
            token = (tmp_path / "etc/wslink/admin-token").read_text().strip()
            await is_seen_by_the_administrator_alone(http, host, token)
        async with wslink.connect(
            url, secret=session["secret"], ssl=tls, headers={"Origin": f"https://{host}"}
        ) as link:
            assert (await link.call("viewer.about"))["client"] == link.client_id
        [seen] = json.loads(await lab.shell(lab.here("bash", 3)))["sessions"]
        assert (seen["application"], seen["client"]) == ("viewer", "ada")
        health, metrics = lab.here("bash", 4).splitlines()
        assert json.loads(await lab.shell(health)) == {"status": "ok"}
        told = await lab.shell(metrics)
        assert 'wslink_launcher_starts_total{application="viewer"} 1.0' in told
        for alert in ("wslink_launcher_free_ports", "wslink_launcher_start_failures_total"):
            assert alert in told
            assert alert in (ROOT / PAGE).read_text()
        await end(f"http://localhost:{lab.port}/viewers/{session['id']}", tmp_path)


async def is_asked_for_a_password(http: aiohttp.ClientSession, host: str) -> None:
    forged = {"X-Remote-User": "ada"}
    for headers in ({}, forged):
        async with http.get(f"https://{host}/", headers=headers) as answer:
            assert answer.status == 401
    async with http.get(f"https://{host}/metrics") as answer:
        assert answer.status == 404


async def started(http: aiohttp.ClientSession, host: str) -> dict[str, str]:
    ada = {"Authorization": f"Basic {base64.b64encode(b'ada:p4ss').decode()}"}
    async with http.get(f"https://{host}/viewers/applications", headers=ada) as answer:
        assert [one["name"] for one in (await answer.json())["applications"]] == ["viewer"]
    async with http.post(f"https://{host}/viewers/", json={"application": "viewer"}, headers=ada) as answer:
        assert answer.status == 200, await answer.text()
        session: dict[str, str] = await answer.json()
    return session


async def is_seen_by_the_administrator_alone(http: aiohttp.ClientSession, host: str, token: str) -> None:
    """What the administrator's page asks for, through nginx."""
    for bearer, status in ((token, 200), (f"{token}x", 404)):
        headers = {"Authorization": f"Bearer {bearer}", "X-Remote-User": "ada"}
        async with http.get(f"https://{host}/viewers/", headers=headers) as answer:
            assert answer.status == status
    async with http.post(f"https://{host}/viewers/", json={"application": "viewer"}, headers=headers) as answer:
        assert answer.status == 401


async def end(session: str, root: Path) -> None:
    """With keep_sessions the viewer would outlive the launcher, and the test."""
    token = (root / "etc/wslink/admin-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as http, http.delete(session, headers=headers) as answer:
        assert answer.status == 200
