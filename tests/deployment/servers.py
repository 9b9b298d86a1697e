"""Real web servers of this machine, run from the recipes of docs/deployment.md."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "deployment.md"
MODULES = Path("/usr/lib/apache2/modules")
NGINX_MODULES = Path("/usr/lib/nginx/modules")


def recipe(language: str, number: int = 0) -> str:
    """The number-th block of a language in the document."""
    return DOCS.read_text().split(f"```{language}\n")[number + 1].split("```")[0]


def the_document_says(text: str) -> str:
    """`text`, which stands in the document between its blocks."""
    assert f"`{text}`" in DOCS.read_text()
    return text


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class WebServer:
    """A web server as a process, until the block ends."""

    def __init__(self, *command: str, port: int) -> None:
        self.command, self.port = command, port

    async def __aenter__(self) -> str:
        """Its address, without the scheme."""
        self.process = await asyncio.create_subprocess_exec(*self.command, start_new_session=True)
        for _ in range(250):
            try:
                (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
                return f"127.0.0.1:{self.port}"
            except OSError:
                assert self.process.returncode is None, "the web server ended"
                await asyncio.sleep(0.02)
        raise AssertionError("the web server does not listen")

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), 1)
        except asyncio.TimeoutError:  # Apache gives connections that are open 10 s
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


def nginx(directory: Path, blocks: str, *modules: str) -> WebServer:
    port = free_port()
    path = directory / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    blocks = blocks.replace("listen 8080", f"listen 127.0.0.1:{port}")
    loaded = "".join(f"load_module {NGINX_MODULES}/ngx_{name}_module.so;\n" for name in modules)
    path.write_text(
        f"{loaded}daemon off; pid {directory}/nginx.pid; error_log {directory}/nginx.log;\n"
        f"events {{}}\nhttp {{\ninclude /etc/nginx/mime.types;\naccess_log off;\n{temporary}{blocks}\n}}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    return WebServer(program, "-p", str(directory), "-c", str(path), "-e", f"{directory}/nginx.log", port=port)


def apache(directory: Path, blocks: str) -> WebServer:
    port = free_port()
    path = directory / "apache.conf"
    names = ["mpm_event", "authz_core", "mime", "dir", "rewrite", "ssl", "headers"]
    names += ["proxy", "proxy_http", "proxy_wstunnel"]
    modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in names)
    blocks = blocks.replace("Listen 8080", f"Listen 127.0.0.1:{port}").replace("*:8080", f"*:{port}")
    path.write_text(
        f"ServerRoot {directory}\nServerName localhost\nPidFile {directory}/apache.pid\n"
        f"ErrorLog {directory}/apache.log\n"
        f"DefaultRuntimeDir {directory}\nUser www-data\nGroup www-data\n{modules}TypesConfig /etc/mime.types\n{blocks}"
    )
    program = shutil.which("apache2") or "/usr/sbin/apache2"
    return WebServer(program, "-f", str(path), "-D", "FOREGROUND", port=port)


def with_tls(certificate: str, key: str) -> str:
    """Apache's block with TLS, with these files, at the port 8080."""
    blocks = "Listen 8080\n" + recipe("apache", 1).replace("*:443", "*:8080")
    return blocks.replace("/etc/ssl/viewers.pem", certificate).replace("/etc/ssl/viewers.key", key)


def missing(program: str) -> bool:
    return shutil.which(program) is None and not Path("/usr/sbin", program).exists()
