"""A launcher in a process of its own, and a configuration for it."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request

from .serving import Process, free_port

#: An application: says what it was started with, and that it is ready.
APPLICATION = (
    "import sys, time; print('started with', *sys.argv[1:], flush=True); print('now ready', flush=True); time.sleep(60)"
)


def configuration(folder, port, first=19001, count=2, apps=(), properties=(), **more):
    return {
        "configuration": {
            "host": "127.0.0.1",
            "port": port,
            "endpoint": "sessions",
            "proxy_file": str(folder / "proxy.txt"),
            "sessionURL": "ws://USE_HOST:${port}/${application}/ws?id=${id}",
            "timeout": 5,
            "log_dir": str(folder),
            "fields": ["host", "port", "greeting"],
            **more,
        },
        "resources": [{"host": "127.0.0.1", "port_range": [first, first + count - 1]}],
        "properties": {"python": sys.executable, "program": APPLICATION, **dict(properties)},
        "sessionData": {"greeting": "hello ${name}"},
        "apps": {
            "open": {"cmd": ["${python}", "-c", "${program}", "--port", "$port", "$name"], "ready_line": "now ready"},
            "closed": {"cmd": ["${python}", "-c", "${program}", "${secret}"], "ready_line": "now ready"},
            "broken": {"cmd": ["/does/not/exist", "${secret}"], "ready_line": "now ready"},
            **dict(apps),
        },
    }


class Launcher:
    def __init__(self, folder, environment=None, **more):
        self.port, self.folder = free_port(), folder
        folder.mkdir(exist_ok=True)
        config = configuration(folder, self.port, **more)
        self.endpoint = "/" + config["configuration"]["endpoint"].strip("/")
        (folder / "config.json").write_text("// ours\n" + json.dumps(config))
        self.process = Process(["-m", "wslink.launcher", str(folder / "config.json")], environment=environment)

    def __enter__(self):
        self.process.__enter__()
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                assert time.monotonic() < deadline and self.process.process.poll() is None
                time.sleep(0.02)

    def __exit__(self, *_):
        """Ask for an end, so that it takes its sessions along."""
        self.process.process.terminate()
        try:
            self.process.end(5)
        finally:
            self.process.__exit__()

    def ask(self, method, path="", payload=None, kind="application/json", **headers):
        body = None if payload is None else json.dumps(payload).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.endpoint}/{path}",
            data=body,
            method=method,
            headers={"Content-Type": kind, **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else text

    def post(self, **payload):
        return self.ask("POST", payload=payload)
