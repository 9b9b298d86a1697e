"""The recipes of docs/deployment.md, with the real web servers and real sessions."""

from __future__ import annotations

import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

import wslink
from tests.deployment.recipes import Workstation
from tests.deployment.servers import DOCS, WebServer, apache, missing, nginx, recipe, the_document_says, with_tls
from wslink.ssl_context import generate_ssl_pair

pytestmark = pytest.mark.timeout(60)


BLOCKS = {"python": 1, "toml": 3, "bash": 4, "nginx": 4, "js": 1, "apache": 3, "sh": 5, "ini": 1, "dockerfile": 1}
"""The document's blocks, run by tests here, in test_slurm_recipes.py, test_trame.py and test_one_application.py: who
adds one adds its test.
Those of `sh` need systemd, a container engine or the files of an installation; test_service.py looks at what they
install."""


def test_every_block_of_the_document_is_run() -> None:
    fences = re.findall(r"^ *```(.*)$", DOCS.read_text(), re.MULTILINE)
    assert Counter(fences[::2]) == BLOCKS
    assert set(fences[1::2]) == {""}


@pytest.fixture
async def workstation(tmp_path: Path) -> AsyncIterator[Workstation]:
    async with Workstation(tmp_path) as one:
        yield one


async def test_one_workstation(workstation: Workstation) -> None:
    host = f"localhost:{workstation.port}"
    async with workstation.http.get(f"http://{host}/") as response:
        assert await response.text() == "the page"
    await workstation.works(host)


@pytest.mark.skipif(missing("nginx"), reason="nginx is not installed")
class TestNginx:
    async def test_the_recipe(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("nginx")) as host:
            await workstation.works(host)
            async with workstation.http.get(f"http://{host}/index.html") as response:
                assert await response.text() == "the page"

    async def test_below_a_path(self, tmp_path: Path) -> None:
        url = the_document_says("ws://USE_HOST/lab/viewers/session/${id}/${token}/ws")
        async with Workstation(tmp_path, url) as workstation:
            location = the_document_says("location /lab/")
            target = the_document_says("proxy_pass http://127.0.0.1:9000/")
            blocks = recipe("nginx").replace("location /", location).replace(target[:-1], target)
            async with self.server(workstation, blocks) as host:
                await workstation.works(host, "/lab")

    @pytest.mark.parametrize("named", [False, True])
    async def test_at_a_host_name(self, tmp_path: Path, named: bool) -> None:
        name = "viewers.example.org"
        line = the_document_says(f'hosts = ["{name}"]')
        changes = {'endpoint = "viewers"': f'endpoint = "viewers"\n{line if named else ""}'}
        asked = {"Host": name, "Origin": f"http://{name}", "Content-Type": "text/plain"}
        workstation = Workstation(tmp_path, changes=changes)
        async with workstation, self.server(workstation, recipe("nginx")) as host:
            body, url = '{"application": "viewer"}', f"http://{host}/viewers/"
            async with workstation.http.post(url, data=body, headers=asked) as response:
                assert response.status == (200 if named else 421)

    async def test_with_a_certificate(self, tmp_path: Path) -> None:
        url = the_document_says("wss://USE_HOST/viewers/session/${id}/${token}/ws")
        certificate, key = generate_ssl_pair("localhost")
        files = {the_document_says("ssl_certificate"): certificate, the_document_says("ssl_certificate_key"): key}
        tls = "listen 8080 ssl;\n" + "".join(f"{name} {file};\n" for name, file in files.items())
        async with Workstation(tmp_path, url) as workstation:
            workstation.scheme, workstation.tls = "https", ssl.create_default_context(cafile=certificate)
            workstation.tls.check_hostname = False  # it is dialled by address
            async with self.server(workstation, recipe("nginx").replace("listen 8080;", tls)) as host:
                await workstation.works(host)

    async def test_a_foreign_page_stays_outside(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("nginx")) as host:
            await _is_refused(workstation, host)

    def server(self, workstation: Workstation, blocks: str) -> WebServer:
        return nginx(workstation.directory, blocks.replace(":9000", f":{workstation.port}"))


@pytest.mark.skipif(missing("apache2"), reason="Apache is not installed")
class TestApache:
    async def test_through_the_launcher(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("apache")) as host:
            await workstation.works(host)

    async def test_below_a_path(self, tmp_path: Path) -> None:
        url = the_document_says("ws://USE_HOST/lab/viewers/session/${id}/${token}/ws")
        line = the_document_says("ProxyPass /lab/ http://127.0.0.1:9000/ upgrade=websocket timeout=3600")
        async with Workstation(tmp_path, url) as workstation:
            blocks = recipe("apache").replace(line.replace("/lab/", "/"), line)
            async with self.server(workstation, blocks) as host:
                await workstation.works(host, "/lab")

    async def test_with_a_certificate(self, tmp_path: Path) -> None:
        url = the_document_says("wss://USE_HOST/viewers/session/${id}/${token}/ws")
        certificate, key = generate_ssl_pair("localhost")
        async with Workstation(tmp_path, url) as workstation:
            workstation.scheme, workstation.tls = "https", ssl.create_default_context(cafile=certificate)
            workstation.tls.check_hostname = False  # it is dialled by address
            async with self.server(workstation, with_tls(certificate, key)) as host:
                await workstation.works(host)

    async def test_by_a_map(self, tmp_path: Path) -> None:
        # Apache's workers are another user, who has to get to the proxy file.
        for directory in (tmp_path, *tmp_path.parents[:2]):
            directory.chmod(0o755)
        (tmp_path / "sessions").mkdir()
        mapping = tmp_path / "sessions" / "proxy-mapping.txt"  # made beforehand: a new one is for the launcher alone
        mapping.touch()
        mapping.chmod(0o644)
        url = the_document_says("ws://USE_HOST/proxy?sessionId=${id}&path=ws")
        own = the_document_says('proxy_file = "/srv/sessions/proxy-mapping.txt"').replace("/srv", str(tmp_path))
        workstation = Workstation(tmp_path, url, changes={'proxy_file = "proxy-mapping.txt"': own})
        async with workstation, self.server(workstation, recipe("apache", 2)) as host:
            async with workstation.http.get(f"http://{host}/index.html") as response:
                assert await response.text() == "the page"
            sessions = [await workstation.works(host) for _ in range(2)]
            wrong = f"ws://{host}/proxy?sessionId={sessions[0]['id'][:-1]}x&path=ws"
            with pytest.raises(wslink.ConnectionClosed):
                await wslink.connect(wrong, secret=sessions[0]["secret"])

    async def test_a_foreign_page_stays_outside(self, workstation: Workstation) -> None:
        async with self.server(workstation, recipe("apache")) as host:
            await _is_refused(workstation, host)

    def server(self, workstation: Workstation, blocks: str) -> WebServer:
        blocks = blocks.replace(":9000", f":{workstation.port}")
        return apache(workstation.directory, blocks.replace("/srv/", f"{workstation.directory}/"))


async def _is_refused(workstation: Workstation, host: str) -> None:
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    url = f"http://{host}/viewers/"
    async with workstation.http.post(url, data='{"application": "viewer"}', headers=headers) as response:
        assert response.status == 403
    session = await workstation.session(host)
    url = session["sessionURL"].replace("ws://USE_HOST", f"http://{host}")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await workstation.http.ws_connect(url, headers={"Origin": "https://evil.example"})
    assert refused.value.status == 403
