"""Puts the JavaScript client into the wheel and the sdist, building it first where it is not there yet."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CLIENT = Path("src/wslink/static/client.js")


class CustomBuildHook(BuildHookInterface[Any]):
    """Runs before a wheel or an sdist is made; an editable install leaves the client to scripts/setup."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable" or (root / CLIENT).exists():
            return
        npm = shutil.which("npm")
        if npm is None or not (root / "js").is_dir():
            raise RuntimeError(f"{CLIENT} is missing, and building it from js/ needs Node 20 or later with npm")
        for command in (["ci"], ["run", "build"]):
            subprocess.run([npm, *command], cwd=root / "js", check=True)  # noqa: S603 - our own commands
