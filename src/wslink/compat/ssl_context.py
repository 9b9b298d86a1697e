"""TLS of the released API."""

from __future__ import annotations

import atexit
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import Any

from wslink.http.tls import load_pair, write_self_signed

__all__ = ["generate_ssl_pair", "load_ssl_context", "save_ssl_files", "ssl"]


def load_ssl_context(cert_file: str, pkey_file: str) -> ssl.SSLContext:
    """A server's context with the certificate and the key in two PEM files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(context, cert_file, pkey_file)
    return context


def generate_ssl_pair(host: str) -> tuple[str, str]:
    """The files of a self-signed certificate for `host` and of its key, which only the owner can read. They go when the
    process ends.

    Raises:
        UsageError: without the `cryptography` package.
    """
    cert, key = write_self_signed(host, _directory())
    return str(cert), str(key)


def save_ssl_files(cert: Any, pkey: Any) -> tuple[str, str]:
    """Write a certificate and a key of the `cryptography` package to files that go when the process ends."""
    from cryptography.hazmat.primitives import serialization

    directory = _directory()
    cert_path, key_path = directory / "cert.pem", directory / "key.pem"
    cert_path.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    key_path.touch(mode=0o600)
    key_path.write_bytes(
        pkey.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return str(cert_path), str(key_path)


def _directory() -> Path:
    directory = tempfile.mkdtemp(prefix="wslink-ssl-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)
