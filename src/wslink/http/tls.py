"""TLS certificates: from files, or created on the spot."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path

from wslink.errors import UsageError
from wslink.hosts import ascii_name, without_brackets

ADHOC_DAYS = 30
"""Days for which a self-signed certificate is valid."""


def ssl_context(setting: str, host: str) -> ssl.SSLContext | None:
    """Create the context for a `--ssl` setting: "cert,key", "adhoc", or "" for none.

    Raises:
        UsageError: any other value, files that cannot be loaded, or adhoc without the `cryptography` package.
    """
    if not setting:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if setting == "adhoc":
        with tempfile.TemporaryDirectory() as directory:
            cert, key = write_self_signed(host, Path(directory))
            context.load_cert_chain(cert, key)
        return context
    files = [name.strip() for name in setting.split(",")]
    if len(files) != 2:
        raise UsageError(f"ssl is {setting!r}: either 'adhoc', or two PEM files 'cert,key'")
    try:
        load_pair(context, *files)
    except ssl.SSLError as error:
        raise UsageError(f"ssl: {setting}: no certificate and its key, as PEM: {error}") from error
    except OSError as error:
        raise UsageError(f"ssl: {error.filename}: {error.strerror}") from error
    except ValueError as error:  # not a valid file name
        raise UsageError(f"ssl: {setting!r:.100}: {error}") from error
    return context


def load_pair(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Load a certificate and its key from two PEM files.

    Raises:
        OSError: a file cannot be read. The message names it, which OpenSSL's does not.
        ssl.SSLError: a file does not contain what it should.
    """
    for name in (cert, key):
        with open(name, "rb"):
            pass
    context.load_cert_chain(cert, key)


def write_self_signed(host: str, directory: Path) -> tuple[Path, Path]:
    """Write cert.pem and key.pem of a self-signed certificate for `host` and the loopback names; only the owner can
    read the key."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise UsageError("ssl='adhoc' needs the cryptography package: pip install 'wslink[ssl]'") from error
    host = ascii_name(without_brackets(host)) or "localhost"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=ADHOC_DAYS))
        .add_extension(x509.SubjectAlternativeName(list(dict.fromkeys(names))), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = directory / "cert.pem", directory / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.touch(mode=0o600)
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_path, key_path
