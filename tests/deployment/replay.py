"""What the recordings of real engines and their replay have in common."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.docs.blocks import block
from wslink.launcher.source import read_source

PAGE = "docs/launcher.md"
LINE = b"wslink: Starting factory\n"
TELLING = ("fieldSelector", "watch")
"""Parameters of requests to Kubernetes that decide what the answer is, whatever kubectl asks besides."""


def normal(path: str) -> str:
    """A request's path without the names and ids of one run."""
    if path.startswith(("/api/", "/apis/")):
        parts = urlsplit(path)
        asked = sorted((key, value) for key, value in parse_qsl(parts.query) if key in TELLING)
        path = parts.path + "".join(f" {key}={value}" for key, value in asked)
    path = re.sub(r"^/v\d+[.]\d+", "", path)
    return re.sub(r"[0-9a-f]{64}", "ID", nameless(path))


def nameless(text: str) -> str:
    """A text without the name of one run's container."""
    return re.sub(r"wslink-[0-9a-f-]{36}", "NAME", text)


def recipe(directory: Path, program: str) -> dict[str, Any]:
    """The application that docs/launcher.md has for `docker` or `kubectl`."""
    text = block(PAGE, "toml", 2)
    if program == "kubectl":
        text = text.split("[apps.viewer.options]")[0] + block(PAGE, "toml", 3)
    (directory / "recipe.toml").write_text(text)
    found: dict[str, Any] = read_source(directory / "recipe.toml").data["apps"]["viewer"]
    return found


def configure_kubectl(directory: Path, port: int) -> Path:
    """The file by which `kubectl` finds an API server at a port of this machine."""
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": ""}}
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
    path = directory / "kubeconfig"
    path.write_text(json.dumps({**config, "current-context": "c"}))
    return path
