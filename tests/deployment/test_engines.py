"""The recipes of docs/launcher.md for Docker and Kubernetes, with the real `docker` and `kubectl`.

What answers them was captured from a running engine and a running API server: tests/deployment/recorded/README.md.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.deployment.replay import configure_kubectl, normal, recipe
from tests.launcher.support import launching
from tests.waiting import until

RECORDED = Path(__file__).parent / "recorded"


class Engine:
    """What both have in common: it notes what it was asked, and has one container, which may end by itself."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.created: dict[str, Any] = {}
        self.runs = False

    async def start(self) -> web.AppRunner:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        return runner

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        return await self.answer(request)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError

    async def follow(
        self, request: web.Request, headers: Mapping[str, str], body: bytes, *, at_once: bool = True
    ) -> web.StreamResponse:
        """An answer that lasts as long as the container runs."""
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if at_once:
            await response.write(body)
        while self.runs:
            await asyncio.sleep(0.05)
        if not at_once:
            await response.write(body)
        return response


class Docker(Engine):
    """Replays what an engine answered about a container that ran, and once it had exited."""

    def __init__(self, recording: str) -> None:
        super().__init__()
        self._answers: dict[str, dict[str, Any]] = json.loads((RECORDED / recording).read_text())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {normal(request.path_qs)}"
        if asked.startswith("POST /containers/create"):
            self.created = {"name": request.query["name"], **await request.json()}
            self.runs = True
        recorded = self._answers.get(f"exited {asked}") if not self.runs else None
        recorded = recorded or self._answers.get(f"running {asked}")
        if recorded is None:
            return web.json_response({"message": f"not recorded: {asked}"}, status=501)
        body = base64.b64decode(recorded["base64"]) if "base64" in recorded else recorded["text"].encode()
        if "/wait" in asked or "/logs" in asked:
            return await self.follow(request, recorded["headers"], body, at_once="/logs" in asked)
        if request.method == "DELETE":
            self.runs = False
        return web.Response(body=body, status=recorded["status"], headers=recorded["headers"])


class Kubernetes(Engine):
    """Replays what an API server answered about a pod that waited for a node, was created there, ran, and ended, or was
    deleted; it goes on to the next of these by itself."""

    def __init__(self, recording: str) -> None:
        super().__init__()
        self._answers: dict[str, dict[str, Any]] = json.loads((RECORDED / recording).read_text())
        self._state = "unscheduled"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {normal(request.path_qs)}"
        if request.method == "POST":
            self.created, self._state = await request.json(), "unscheduled"
            asyncio.get_running_loop().call_later(0.8, self._go_on)
        elif request.method == "DELETE":
            self._state = "deleted"
        elif not self.runs and self._state == "running":
            self._state = "ended"
        return await self._respond(request, asked)

    async def _respond(self, request: web.Request, asked: str) -> web.StreamResponse:
        same = (name for name in self._answers if name.partition(" ")[2] == asked)
        recorded = self._answers.get(f"{self._state} {asked}") or self._answers.get(next(same, ""))
        if recorded is None:
            return web.json_response({"message": f"not recorded: {self._state} {asked}"}, status=501)
        body = recorded["text"].replace("NAME", self.created.get("metadata", {}).get("name", "")).encode()
        if "/log" in asked and self._state == "running":
            return await self.follow(request, recorded["headers"], body)
        if request.method == "DELETE":
            self.runs = False
        return web.Response(body=body, status=recorded["status"], headers=recorded["headers"])

    def _go_on(self) -> None:
        """To what happens to the pod next."""
        if self._state == "unscheduled":
            self._state = "creating"
            asyncio.get_running_loop().call_later(0.8, self._go_on)
        elif self._state == "creating":
            self._state, self.runs = "running", True


ENGINES: dict[str, tuple[str, Callable[[], Engine]]] = {
    "docker": ("docker", lambda: Docker("docker-20.10.24.json")),
    "podman": ("docker", lambda: Docker("podman-4.3.1.json")),
    "kubernetes": ("kubectl", lambda: Kubernetes("kubernetes-1.20.2.json")),
}


@pytest.mark.parametrize("name", ENGINES)
async def test_the_recipes_with_the_engines_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    program, kind = ENGINES[name]
    if shutil.which(program) is None:
        assert "CI" not in os.environ, f"scripts/test has not installed {program}"
        pytest.skip(f"{program} is not installed")
    engine = kind()
    runner = await engine.start()
    try:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{engine.port}")
        monkeypatch.setenv("KUBECONFIG", str(configure_kubectl(tmp_path, engine.port)))
        async with launching(tmp_path, apps={"viewer": recipe(tmp_path, program)}, timeout=25) as running:
            session = await running.start("viewer")
            (only,) = running.launcher.sessions.values()
            asked = json.dumps(engine.created)
            assert f"wslink-{session['id']}" in asked
            assert session["secret"] in asked
            assert '["viewer", "--host", "0.0.0.0", "--port", "9000"]' in asked
            assert only.address == (("127.0.0.1", session["port"]) if program == "docker" else ("127.77.0.1", 9000))
            assert (await running.ask("DELETE", session["id"]))[0] == 200
            assert not engine.runs
            assert any(line.startswith("DELETE") and f"wslink-{session['id']}" in line for line in engine.asked)
            # One that ends by itself is noticed by what the engine says of it.
            await running.start("viewer")
            engine.runs = False
            await until(lambda: not running.launcher.sessions, 20)
    finally:
        await runner.cleanup()
