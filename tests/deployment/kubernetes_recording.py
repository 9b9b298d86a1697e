"""Records what a real Kubernetes API server answers while a launcher follows the recipe of docs/launcher.md:

    python -m tests.deployment.kubernetes_recording URL ADMINISTRATORS_TOKEN LAUNCHERS_TOKEN FILE

The server decides and answers; what a scheduler and a node's kubelet do is played here, by the same API: a pod gets a
node, its container is made, runs, and ends. tests/deployment/recorded/README.md says how the server ran.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.deployment.recording import Recorder
from tests.deployment.replay import LINE, configure_kubectl, recipe
from tests.launcher.support import launching
from tests.waiting import until

PODS = "/api/v1/namespaces/default/pods"
NODE = "node-1"
PATCH = {"Content-Type": "application/strategic-merge-patch+json"}
ROLE = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete", "get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]
"""What docs/launcher.md says that a launcher has to be allowed."""


class Node:
    """Plays a scheduler and a kubelet: whatever a pod goes through is written by the API, and its log is served."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.headers = {"Authorization": f"Bearer {token}"}
        self.waits = True
        self.runs = False

    async def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        async with (
            aiohttp.ClientSession(headers={**self.headers, **(headers or {})}) as http,
            http.request(method, self.url + path, json=body, ssl=False) as response,
        ):
            answer = await response.json()
            assert response.status < 400 or response.status == 409, answer
            return answer

    async def begin(self) -> None:
        """Be there: a node, whose kubelet listens; and the launcher has its role."""
        certificate, key = self.folder / "kubelet.crt", self.folder / "kubelet.key"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=node-1", "-days", "1"]
        subprocess.run([*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        application = web.Application()
        application.router.add_get("/containerLogs/default/{pod}/{container}", self._log)
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=context).start()
        await self.ask("POST", "/api/v1/nodes", {"metadata": {"name": NODE}})
        address = {"type": "InternalIP", "address": "127.0.0.1"}
        endpoints = {"kubeletEndpoint": {"Port": self.runner.addresses[0][1]}}
        status = {"addresses": [address], "daemonEndpoints": endpoints}
        await self.ask("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status}, PATCH)
        roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
        await self.ask("POST", f"{roles}/roles", {"metadata": {"name": "launcher"}, "rules": ROLE})
        to = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "launcher"}
        who = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "launcher"}]
        await self.ask(
            "POST", f"{roles}/rolebindings", {"metadata": {"name": "launcher"}, "roleRef": to, "subjects": who}
        )

    async def _log(self, request: web.Request) -> web.StreamResponse:
        """As a kubelet's: it refuses while the container waits."""
        if self.waits:
            pod, container = request.match_info["pod"], request.match_info["container"]
            text = f'container "{container}" in pod "{pod}" is waiting to start: ContainerCreating'
            return web.Response(status=400, text=text)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(LINE)
        while self.runs:
            await asyncio.sleep(0.05)
        return response

    async def find(self) -> dict[str, Any]:
        """The only pod."""
        while True:
            found: list[dict[str, Any]] = (await self.ask("GET", PODS))["items"]
            if found:
                return found[0]
            await asyncio.sleep(0.1)

    async def schedule(self, name: str) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        await self.ask("POST", f"{PODS}/{name}/binding", {"metadata": {"name": name}, "target": target})

    async def tell(self, name: str, phase: str, state: dict[str, Any]) -> None:
        """Say how a pod is."""
        (container,) = (await self.ask("GET", f"{PODS}/{name}"))["spec"]["containers"]
        running = "running" in state
        ready = {"status": "True"} if running else {"status": "False", "reason": "ContainersNotReady"}
        image = {"image": container["image"], "imageID": ""}
        about = {"name": container["name"], **image, "ready": running, "started": running, "restartCount": 0}
        addresses = {"podIP": "127.77.0.1", "podIPs": [{"ip": "127.77.0.1"}]} if phase != "Pending" else {}
        status = {
            "phase": phase,
            "conditions": [{"type": "Initialized", "status": "True"}, {"type": "Ready", **ready}],
            "hostIP": "127.0.0.1",
            **addresses,
            "startTime": "2026-01-01T00:00:00Z",
            "containerStatuses": [{**about, "state": state, "lastState": {}}],
        }
        await self.ask("PATCH", f"{PODS}/{name}/status", {"status": status}, PATCH)

    async def bury(self, name: str) -> None:
        """The containers of a pod that is to be deleted have ended."""
        while True:
            pod = await self.ask("GET", f"{PODS}/{name}")
            if "deletionTimestamp" in pod["metadata"]:
                break
            await asyncio.sleep(0.1)
        self.runs = False
        await asyncio.sleep(0.3)
        await self.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})


async def read_log(name: str) -> None:
    """Ask for a log that is not there yet, as no launcher should."""
    kubectl = await asyncio.create_subprocess_exec("kubectl", "logs", "--follow", name)
    print("its log, too early: kubectl ended with", await kubectl.wait(), flush=True)


async def serve(node: Node, recorder: Recorder) -> str:
    """Have a pod go through all that it does until it runs; its name."""
    node.waits, node.runs, recorder.state = True, True, "unscheduled"
    name: str = (await node.find())["metadata"]["name"]
    await read_log(name)
    await asyncio.sleep(2.5)
    recorder.state = "creating"
    await node.schedule(name)
    await node.tell(name, "Pending", {"waiting": {"reason": "ContainerCreating"}})
    await read_log(name)
    await asyncio.sleep(2.5)
    node.waits, recorder.state = False, "running"
    await node.tell(name, "Running", {"running": {"startedAt": "2026-01-01T00:00:01Z"}})
    return name


async def main(url: str, administrator: str, launcher: str, file: str) -> None:
    recorder = Recorder(url, {"Authorization": f"Bearer {launcher}"})
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", recorder.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        os.environ["HOME"] = folder
        os.environ["KUBECONFIG"] = str(configure_kubectl(directory, runner.addresses[0][1]))
        node = Node(url, administrator, directory)
        await node.begin()
        async with launching(directory, apps={"viewer": recipe(directory, "kubectl")}, timeout=60) as running:
            for end in ("deleted", "ended"):
                starting = asyncio.create_task(running.start("viewer"))
                name = await serve(node, recorder)
                session = await starting
                print("ready:", session, "its log:", running.log(session), flush=True)
                await asyncio.sleep(2)
                recorder.state = end
                if end == "deleted":
                    burying = asyncio.create_task(node.bury(name))
                    assert (await running.ask("DELETE", session["id"]))[0] == 200
                    await burying
                else:  # the server deletes a pod that has ended at once
                    node.runs = False
                    await node.tell(name, "Succeeded", {"terminated": {"exitCode": 0, "reason": "Completed"}})
                    await until(lambda: not running.launcher.sessions, 30)
        await node.runner.cleanup()
    await runner.cleanup()
    Path(file).write_text(json.dumps(recorder.answers, indent=1, sort_keys=True) + "\n")
    print(*recorder.answers, sep="\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
