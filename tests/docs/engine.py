"""A stand-in for the parts of `docker` and `kubectl` that docs/launcher.md uses: it starts processes of this machine.

Args: the engine's own. A container's ports are the machine's, so 9000 inside becomes the published or a free port.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def start(name: str, port: str, command: list[str], variables: dict[str, str]) -> None:
    """Start a container: it gets the variables that it was given, and none of the launcher's."""
    own = [port if part == "9000" else part for part in command]
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "PYTHONPATH") if key in os.environ}
    with open(f"{name}.log", "w") as log:
        process = subprocess.Popen(
            own, stdout=log, stderr=log, env={**kept, "PYTHONUNBUFFERED": "1", **variables}, start_new_session=True
        )
    Path(f"{name}.port").write_text(port)
    Path(f"{name}.pid").write_text(str(process.pid))


def alive(name: str) -> bool:
    path = Path(f"{name}.pid")
    state = Path(f"/proc/{path.read_text()}/stat") if path.exists() else path
    return state.exists() and state.read_text().split()[2] != "Z"


def stop(name: str) -> None:
    if alive(name):
        os.kill(int(Path(f"{name}.pid").read_text()), signal.SIGTERM)
    while alive(name):
        time.sleep(0.02)


def follow(name: str) -> None:
    with open(f"{name}.log") as log:
        while alive(name):
            print(log.read(), end="", flush=True)
            time.sleep(0.02)


def docker(verb: str, arguments: list[str]) -> None:
    if verb == "run":
        image = arguments.index("viewer-image")
        options = dict(zip(arguments[1:image:2], arguments[2:image:2], strict=True))
        variable = options["--env"]
        name = options["--name"]
        start(name, options["--publish"].split(":")[1], arguments[image + 1 :], {variable: os.environ[variable]})
        print("0123456789abcdef")
    elif verb == "logs":
        follow(arguments[-1])
    elif verb == "rm":
        stop(arguments[-1])
    elif verb == "top" and not alive(arguments[-1]):
        sys.exit(1)


def kubectl(verb: str, arguments: list[str]) -> None:
    if verb == "run":
        name, dashes = arguments[0], arguments.index("--")
        options = dict(zip(arguments[1:dashes:2], arguments[2:dashes:2], strict=True))
        variable, _, value = options["--env"].partition("=")
        start(name, free_port(), arguments[dashes + 1 :], {variable: value})
        print(f"pod/{name}")
    elif verb == "logs":
        follow(arguments[-1])
    elif verb == "delete":
        stop(arguments[1])
    elif arguments[0] == "pods":  # those of a name and of some phases
        (selector,) = [one for one in arguments if one.startswith("metadata.name=")]
        name, _, phase = selector.partition("=")[2].partition(",")
        if "!=" in phase and alive(name):
            print(f"pod/{name}")
    elif not alive(arguments[1]):
        sys.exit(1)
    elif "podIP" in arguments[-1]:
        print(f"127.0.0.1:{Path(f'{arguments[1]}.port').read_text()}")


{"docker": docker, "kubectl": kubectl}[sys.argv[1]](sys.argv[2], sys.argv[3:])
