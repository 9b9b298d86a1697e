"""The recipes of docs/launcher.md for Docker and Kubernetes, with the real `docker` and `kubectl`.

What answers `docker` was captured from running engines: tests/deployment/recorded/README.md. What answers `kubectl` is
written after the reference (kubernetes.io/docs/reference: Pod, PodStatus, Status, API discovery), so it shows that the
recipe asks for the right things and understands what it is told, not that a cluster runs it.
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

from tests.deployment.replay import normal, recipe
from tests.launcher.support import launching
from tests.waiting import until

RECORDED = Path(__file__).parent / "recorded"
LINE = b"wslink: Starting factory\n"
CORE = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {
            "name": "pods",
            "singularName": "pod",
            "namespaced": True,
            "kind": "Pod",
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "shortNames": ["po"],
            "categories": ["all"],
        },
        {"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]},
    ],
}


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
    looks = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path, pods = request.path, "/api/v1/namespaces/default/pods"
        fixed = {
            "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": CORE,
        }
        if path in fixed:
            return web.json_response(fixed[path])
        if request.method == "POST":
            assert path == pods
            self.created, self.runs = await request.json(), True
            return web.json_response(self._pod("Pending"), status=201)
        if request.method == "GET" and path == pods:  # kubectl waits for the end of what it deletes
            return web.json_response(
                {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "9"}, "items": []}
            )
        if not self.runs:
            name = path.rpartition("/")[2]
            told = {"reason": "NotFound", "code": 404, "details": {"name": name, "kind": "pods"}}
            text = f'pods "{name}" not found'
            status = {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": text,
                **told,
            }
            return web.json_response(status, status=404)
        if request.method == "DELETE":
            pod, self.runs = self._pod("Running"), False
            return web.json_response(pod)
        if path.endswith("/log"):
            return await self.follow(request, {"Content-Type": "text/plain"}, LINE)
        self.looks += 1
        return web.json_response(self._pod("Running" if self.looks > 2 else "Pending"))

    def _pod(self, phase: str) -> dict[str, Any]:
        running = {"running": {"startedAt": "2025-01-01T00:00:00Z"}}
        waiting = {"waiting": {"reason": "ContainerCreating"}}
        (container,) = self.created["spec"]["containers"]
        status = {
            "phase": phase,
            "containerStatuses": [{"name": container["name"], "state": running if phase == "Running" else waiting}],
            **({"podIP": "127.77.0.1", "hostIP": "127.0.0.1"} if phase == "Running" else {}),
        }
        metadata = {**self.created["metadata"], "namespace": "default", "uid": "0-1-2-3", "resourceVersion": "7"}
        return {**self.created, "metadata": metadata, "status": status}


ENGINES: dict[str, tuple[str, Callable[[], Engine]]] = {
    "docker": ("docker", lambda: Docker("docker-20.10.24.json")),
    "podman": ("docker", lambda: Docker("podman-4.3.1.json")),
    "kubernetes": ("kubectl", Kubernetes),
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
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{engine.port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": ""}}
        config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        (tmp_path / "kubeconfig").write_text(json.dumps({**config, "current-context": "c"}))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
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
            if program == "kubectl":  # which takes seconds
                return
            # One that ends by itself is noticed by what the engine says of it.
            await running.start("viewer")
            engine.runs = False
            await until(lambda: not running.launcher.sessions, 20)
    finally:
        await runner.cleanup()
