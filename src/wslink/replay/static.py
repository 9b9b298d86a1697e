"""A recording and its page as a static site, which plays without a server."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path

from wslink.errors import UsageError
from wslink.http.static import CLIENT, is_hidden
from wslink.replay.tape import EVERYBODY, Tape
from wslink.wire import recording

PLAYER = "replay.js"
RECORDING = "recording.wsrec"
_HEAD = re.compile(r"<head\b[^>]*>|<!doctype[^>]*>", re.IGNORECASE)


def export(tape: Tape, content: str, out: str) -> int:
    """Write a static site: the page's files, the JavaScript client, and the recording with its player.

    Args:
        tape: the recording. Only what its client did and received becomes part of the site.
        content: the directory of the page. Files whose names begin with a dot, and links that lead out of it, are left
            out.
        out: a directory that is empty or does not exist.

    Returns:
        The pages that play the recording.

    Raises:
        UsageError: there is no page, or `out` is not empty.
        OSError: it cannot be written.
    """
    source, target = Path(content), Path(out)
    if not content or not source.is_dir():
        raise UsageError("a static site needs the page: --content names its directory")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{out} is there already, and not empty")
    if target.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{out} would be a part of the page itself")
    if not (CLIENT / PLAYER).is_file():  # built with the client
        raise UsageError(f"the player is missing: {CLIENT / PLAYER}")
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.resolve().with_name(f".{target.resolve().name}.{secrets.token_hex(4)}")
    try:
        pages = _write(tape, source, beside)
        if not pages:
            raise UsageError(f"{content} holds no page (.html)")
        _move(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return pages


def _write(tape: Tape, source: Path, target: Path) -> int:
    """Write the site. Returns the number of pages."""
    target.mkdir()
    pages = sum(_copy(path, source, target) for path in sorted(source.rglob("*")))
    (target / "wslink").mkdir(exist_ok=True)
    for path in CLIENT.iterdir():
        shutil.copyfile(path, target / "wslink" / path.name)
    with open(target / "wslink" / RECORDING, "wb") as file:
        for piece in pieces(tape):
            file.write(piece)
    return pages


def _move(made: Path, target: Path) -> None:
    """Move a completed site to its destination."""
    if not target.exists():
        made.rename(target)
        return
    for path in list(made.iterdir()):
        shutil.move(path, target / path.name)


def _copy(path: Path, source: Path, target: Path) -> bool:
    """Copy one file. Returns whether it is a page."""
    relative = path.relative_to(source)
    if not path.is_file() or is_hidden(str(relative)) or not path.resolve().is_relative_to(source.resolve()):
        return False
    place = target / relative
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() not in (".html", ".htm"):
        shutil.copyfile(path, place)
        return False
    up = "../" * (len(relative.parts) - 1)
    place.write_bytes(with_player(path.read_bytes(), f"{up}wslink/"))
    return True


def with_player(page: bytes, directory: str) -> bytes:
    """A page that loads the player before anything else. It is not decoded: only ASCII is searched for."""
    text = page.decode("latin-1")
    found = next((match for match in _HEAD.finditer(text) if match[0].lower().startswith("<head")), _HEAD.search(text))
    at = found.end() if found is not None else 0
    script = f'<script src="{directory}{PLAYER}" data-recording="{directory}{RECORDING}"></script>'
    return f"{text[:at]}{script}{text[at:]}".encode("latin-1")


def pieces(tape: Tape) -> list[bytes]:
    """The file with what a tape plays, and nothing else that was recorded: no events, and not why it was written."""
    about = recording.About(tape.about.wslink, tape.about.source, tape.about.created, topics=tape.about.topics)
    parts = [*recording.head(about)]
    for one in tape.records:
        if one.message is not None:
            clients = one.clients if tape.client == EVERYBODY else [name for name in one.clients if name == tape.client]
            parts += recording.pack(one.kind, one.time, clients, one.about, [one.message])
    return [bytes(part) for part in parts]
