"""The chapters of docs/deployment.md about Slurm, with the real one and real sessions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

import wslink
from tests.deployment.cluster import PROGRAMS, Cluster
from tests.deployment.recipes import Service, Workstation
from tests.deployment.servers import free_port, missing, nginx, recipe, the_document_says
from wslink.launcher.spawners.slurm import job_name

PYTHON = os.environ.get("WSLINK_FIELD_PYTHON", "")

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(any(map(missing, PROGRAMS)), reason="Slurm is not installed"),
]


async def test_sessions_on_nodes(tmp_path: Path, cluster: Cluster) -> None:
    async with Workstation(tmp_path, number=1, commands=1) as workstation:
        session = await workstation.works(f"localhost:{workstation.port}")
        assert cluster.names() == [job_name(session["id"])]
        shown = cluster.ask("scontrol", "show", "job")
        assert "Partition=main" in shown
        assert "TimeLimit=04:00:00" in shown
        assert "NumCPUs=2" in shown
    assert cluster.names() == []


class Outward:
    """The chapter about nodes that cannot be dialled: a relay, a launcher, and nginx before both."""

    def __init__(self, directory: Path, **more: str) -> None:
        self.directory, self.relay_port = directory, free_port()
        commands = recipe("bash", 2).replace("--port 8081", f"--port {self.relay_port}")
        prepare, self._relay_command = commands.strip().splitlines()
        self._prepare = prepare
        changes = {"relay.example:8081": f"127.0.0.1:{self.relay_port}", **more}
        self.workstation = Workstation(directory, number=2, commands=3, changes=changes)

    @asynccontextmanager
    async def relay(self, prepare: bool = False) -> AsyncIterator[None]:
        commands = [self._prepare] if prepare else []
        async with Service(self.directory, "\n".join([*commands, self._relay_command])):
            yield

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The launcher behind nginx, whose address is given."""
        server, inner = recipe("nginx"), recipe("nginx", 2).replace("8081", str(self.relay_port))
        blocks = server.replace("    location / {", f"{inner}\n    location / {{")
        async with self.workstation:
            blocks = blocks.replace(":9000", f":{self.workstation.port}")
            async with nginx(self.directory, blocks) as host:
                yield host


@pytest.mark.skipif(missing("nginx"), reason="nginx is not installed")
class TestOutward:
    async def test_the_recipe(self, tmp_path: Path, cluster: Cluster) -> None:
        outward = Outward(tmp_path)
        async with outward.relay(prepare=True), outward.served() as host:
            one, other = await asyncio.gather(*(outward.workstation.works(host) for _ in range(2)))
            # The next client of a session finds it there again.
            for session in (one, other, one):
                await outward.workstation.uses(session, host)
            assert sorted(cluster.names()) == sorted(job_name(session["id"]) for session in (one, other))
            self.nobody_sees_what_opens(one["sessionURL"], outward)
        assert cluster.names() == []

    def nobody_sees_what_opens(self, url: str, outward: Outward) -> None:
        """Neither the token, nor the address, nor the secret of a session stands where others see it."""
        token = (outward.directory / "process.token").read_text().strip()
        assert len(token) > 40
        listed = "\n".join(cmdline(process) for process in psutil.process_iter())
        assert "wslink launch" in listed
        path = url.partition("/meet/")[2]
        assert token not in listed
        assert path not in listed

    @pytest.mark.skipif(not PYTHON, reason="WSLINK_FIELD_PYTHON names no interpreter with trame")
    async def test_trame(self, tmp_path: Path, cluster: Cluster) -> None:
        flags = the_document_says("--authKeyFile ${secret_file}").split()
        command = [PYTHON, str(Path(__file__).parent / "trame_app.py"), "--server", *flags]
        changes = {
            'cmd = ["wslink", "serve", "viewer:app", "--timeout", "600"]': f"cmd = {json.dumps(command)}",
            'WSLINK_SECRET = "${secret}", ': "",
            "Starting factory": the_document_says("App running at"),
        }
        outward = Outward(tmp_path, **changes)
        async with outward.relay(prepare=True), outward.served() as host:
            session = await outward.workstation.session(host)
            url = session["sessionURL"].replace("USE_HOST", host)
            for presses in (1, 2):
                async with wslink.connect(url, secret=session["secret"]) as link:
                    await link.call("trame.trigger", "up", [], {})
                    state = await link.call("trame.state.get")
                    assert state["state"]["number"] == 41 + presses
            self.nobody_sees_what_opens(session["sessionURL"], outward)

    async def test_sessions_come_back_to_a_relay_that_was_restarted(self, tmp_path: Path, cluster: Cluster) -> None:
        outward = Outward(tmp_path)
        async with contextlib.AsyncExitStack() as stack:
            relay = await stack.enter_async_context(contextlib.AsyncExitStack())
            await relay.enter_async_context(outward.relay(prepare=True))
            host = await stack.enter_async_context(outward.served())
            session = await outward.workstation.works(host)
            await relay.aclose()
            await stack.enter_async_context(outward.relay())
            await outward.workstation.uses(session, host)

    async def test_who_is_no_session_does_not_take_its_place(self, tmp_path: Path, cluster: Cluster) -> None:
        outward = Outward(tmp_path)
        async with outward.relay(prepare=True), outward.served() as host:
            session = await outward.workstation.session(host)
            url = session["sessionURL"].replace("USE_HOST", host)
            # Without the token it is a client. The one after it meets the session, not the stranger.
            async with aiohttp.ClientSession() as http, http.ws_connect(url):
                pass
            await outward.workstation.uses(session, host)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with aiohttp.ClientSession() as http:
                    await http.ws_connect(url, headers={"Origin": "https://evil.example"})
            assert refused.value.status == 403

    async def test_without_the_relay_no_session_starts(self, tmp_path: Path, cluster: Cluster) -> None:
        outward = Outward(tmp_path)
        (tmp_path / "process.token").write_text("a-token-that-nobody-asks-for")
        async with outward.served() as host:
            url = f"http://{host}/viewers/"
            async with outward.workstation.http.post(url, data='{"application": "viewer"}') as response:
                answer = await response.json()
                assert (response.status, answer["exitCode"]) == (503, 1)
                assert f"reverse_url: 127.0.0.1:{outward.relay_port}" in answer["log"]


def cmdline(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
