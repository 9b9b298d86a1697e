"""Runs the example: python -m examples.shared_room [--port PORT] [--workers N]"""

from __future__ import annotations

import sys
from pathlib import Path

from wslink.cli import main

arguments = sys.argv[1:] if "--workers" in sys.argv else [*sys.argv[1:], "--workers", "2"]
content = str(Path(__file__).parent / "www")
sys.exit(main(["serve", "examples.shared_room.server:app", "--content", content, *arguments]))
