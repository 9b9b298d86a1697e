"""Configuration files: any text is read, or refused with a ConfigurationError that names the file."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from wslink.errors import ConfigurationError
from wslink.launcher.validation import load, missing_programs, warnings

_RIGHT = {
    "configuration": {
        "host": "localhost",
        "port": "9000",
        "endpoint": "a/b",
        "proxy_file": "",
        "sessionURL": "ws://USE_HOST/proxy?sessionId=${id}&path=ws",
        "timeout": 25,
        "log_dir": "logs",
        "fields": ["secret"],
        "sanitize": {"file": {"type": "regexp", "regexp": "^[a-z]*$", "default": "x"}},
        "authentication": {"type": "bearer", "options": {"token_file": "x"}},
    },
    "sessionData": {"key": "${file}"},
    "resources": [{"host": "0.0.0.0", "port_range": [9001, 9500]}],
    "properties": {"data": "/data"},
    "apps": {"viewer": {"cmd": ["sh", "-c", "echo ${file}"], "ready_line": "x", "env": {"A": "${secret}"}, "pool": 0}},
}
_TOML = """[configuration]
host = "localhost"
port = 9000
[[resources]]
host = "localhost"
port_range = [9001, 9002]
[properties]
[apps.viewer]
cmd = ["x", '''${port}''']
limits = { memory_mb = 1 }
"""
SEEDS = [
    b"J" + json.dumps(_RIGHT).encode(),
    b"J" + json.dumps(_RIGHT, indent=1).replace("\n", "// a comment\r\n").encode(),
    b'J/* comment */ {"configuration": {}, "apps": [], "resources": 3}',
    b"J\xef\xbb\xbf{}",
    b"T" + _TOML.encode(),
    b"T\xff\xfex\x00",
]
_FOLDER = Path(tempfile.mkdtemp())


def run(data: bytes) -> None:
    path = _FOLDER / ("launcher.toml" if data[:1] == b"T" else "launcher.json")
    path.write_bytes(data[1:])
    with contextlib.suppress(ConfigurationError):
        load(path)
        warnings(path)
        missing_programs(path)
