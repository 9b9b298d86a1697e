"""The recipes of docs/launcher.md for Docker and Kubernetes, with the real `docker` and `kubectl`, against servers that
answer as the real ones do.

The answers are written after the public references, not captured from a running server: Docker's Engine API v1.47
(moby/moby, api/docs/v1.47.yaml: ContainerCreate, ContainerStart, ContainerTop, ContainerLogs, ContainerDelete) and the
Kubernetes API (kubernetes.io/docs/reference: Pod, PodStatus, Status, API discovery). What asks is the real program. So
this shows that the recipes ask for the right things and understand what they are told, not that an engine runs them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.docs.blocks import block
from tests.launcher.support import launching, until
from wslink.launcher.source import read_source

PAGE = "docs/launcher.md"
LINE = b"wslink: Starting factory\n"
CONTAINER = "ede54ee1afda366ab42f824e8a5ffd195155d853ceaec74a927f249ea270c743"
TOP = {
    "Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    "Processes": [["root", "13642", "882", "0", "17:03", "pts/0", "00:00:00", "/bin/bash"]],
}
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

    async def follow(self, request: web.Request, kind: str, first: bytes) -> web.StreamResponse:
        """A log, until the container ends."""
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        await response.write(first)
        while self.runs:
            await asyncio.sleep(0.05)
        return response


class Docker(Engine):
    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1.47")
        if path == "/_ping":
            return web.Response(
                text="OK", headers={"Api-Version": "1.47", "Docker-Experimental": "false", "Ostype": "linux"}
            )
        if path == "/containers/create":
            self.created = {"name": request.query["name"], **await request.json()}
            return web.json_response({"Id": CONTAINER, "Warnings": []}, status=201)
        if path == f"/containers/{CONTAINER}/start":
            self.runs = True
            return web.Response(status=204)
        name = self.created.get("name", "")
        if request.method == "DELETE" and path == f"/containers/{name}":
            self.runs = False
            return web.Response(status=204)
        if not self.runs:
            return web.json_response({"message": f"No such container: {path.split('/')[2]}"}, status=404)
        if path == f"/containers/{name}/top":
            return web.json_response(TOP)
        if path.endswith("/logs"):
            # A stream of frames: which stream it is, three zeros, and the length.
            frame = struct.pack(">BxxxI", 1, len(LINE)) + LINE
            return await self.follow(request, "application/vnd.docker.multiplexed-stream", frame)
        assert path == f"/containers/{name}/json", path
        return web.json_response({"Id": CONTAINER, "Name": f"/{name}", "Config": {"Tty": False}, "State": {}})


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
            return await self.follow(request, "text/plain", LINE)
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


@pytest.mark.parametrize(("program", "kind"), [("docker", Docker), ("kubectl", Kubernetes)])
async def test_the_recipes_with_the_engines_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, kind: type[Engine]
) -> None:
    if shutil.which(program) is None:
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


def recipe(directory: Path, program: str) -> dict[str, Any]:
    text = block(PAGE, "toml", 2)
    if program == "kubectl":
        text = text.split("[apps.viewer.options]")[0] + block(PAGE, "toml", 3)
    (directory / "recipe.toml").write_text(text)
    return read_source(directory / "recipe.toml").data["apps"]["viewer"]
