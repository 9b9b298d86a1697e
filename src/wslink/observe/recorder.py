"""The recorder of a server: keeps what clients call and receive, and writes it to a file."""

from __future__ import annotations

import itertools
import logging
import math
import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from wslink.errors import NotSerializable, PeerError, UsageError
from wslink.hub.topics import Topic
from wslink.observe.files import write_private
from wslink.observe.ring import Kept, Ring, records
from wslink.observe.sent import (
    COPIED,
    FRAME_COST,
    PAYLOAD_COST,
    Payload,
    kept_of,
    message_of,
    pack_call,
    pack_into,
    pack_reply,
    with_room,
)
from wslink.rpc.call import Call
from wslink.rpc.dispatcher import Service
from wslink.session.observers import Observer, Observers, Published
from wslink.session.view import SessionView
from wslink.version import __version__
from wslink.wire import recording
from wslink.wire.frames import Buffer, Message
from wslink.wire.limits import MIB
from wslink.wire.messages import SUBSCRIBE, UNSUBSCRIBE, Request
from wslink.wire.recording import CALL, RESPONSE, About, TopicAbout
from wslink.wire.value import Value

logger: logging.Logger = logging.getLogger("wslink")

MAX_BYTES = 64 * MIB
"""Bytes that a recorder keeps unless it is told otherwise (LIM-22)."""
MAX_FILES = 16
"""Files that a recorder writes by itself at errors."""
SPACING = 10.0
"""Seconds between two of them at least."""
MAX_TEXT = 1024
"""Characters of what an error says."""
MAX_ASKED = 4096
"""Calls of clients whose responses are waited for, and calls with streams that have not ended, of which the recorder
knows; those beyond are forgotten."""
CLIENT_COST, TAGS_COST, TAG_COST, EVENT_COST = 16, 128, 32, 128
"""Bytes that the clients, the tags and each tag of a publication cost, and an event, whose client may be known to
nobody else."""
SUBSCRIBING = frozenset((SUBSCRIBE, UNSUBSCRIBE))
OWN = "wslink."
"""What the names of methods begin with that are never recorded: what they are given may be secret."""


class TopicsOf(Protocol):
    """Knows the topics of a server."""

    @property
    def topics(self) -> Mapping[str, Topic]: ...


class Recorded(Protocol):
    """A recorder's interface to a server's hub."""

    @property
    def observers(self) -> Observers: ...
    @property
    def service(self) -> Service: ...
    @property
    def subscriptions(self) -> TopicsOf: ...


class Recorder(Observer):
    """Keeps the newest calls of clients, the responses, and what is sent to clients, for one App:
    `App(recorder=Recorder())`. It is written on demand (`write`) and, if it has a directory, at errors.

    Args:
        max_bytes: bytes to keep in memory, by default 64 MiB; the oldest records are dropped first.
        directory: where a file is written when a method raises anything but MethodError, at most one in 10 s and 16 in
            all; "" for none. It is created, readable only by its owner, if it does not exist.
        leave_out: names of methods and topics that are not recorded, such as a method that takes a password.

    Raises:
        UsageError: a limit is not valid, or the directory cannot be created.
    """

    def __init__(
        self, max_bytes: int = MAX_BYTES, *, directory: str | os.PathLike[str] = "", leave_out: Iterable[str] = ()
    ) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
            raise UsageError(f"a recorder keeps 1 byte or more, not {max_bytes!r}")
        self._directory = Path(directory) if directory else None
        if self._directory is not None:
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                why = "it is not a directory" if isinstance(error, FileExistsError) else error.strerror or error
                raise UsageError(f"recorder: the directory {str(directory)!r} cannot be made: {why}") from None
        self._leave_out = frozenset((leave_out,) if isinstance(leave_out, str) else leave_out)
        self._ring = Ring(max_bytes)
        self._created = time.time()
        self._hub: Recorded | None = None
        self._asked: set[tuple[str, str]] = set()  # calls of clients that are recorded, and wait for their responses
        self._open: dict[tuple[str, str], bool] = {}  # calls with streams under way, and whether they are recorded
        self._keeps: dict[str, bool] = {}  # methods, and whether their calls are recorded
        self._files = 0
        self._written = -math.inf
        self._writing: threading.Thread | None = None

    def attach(self, hub: Recorded) -> None:
        """Record the connections of `hub` from now on. Raises UsageError for a second hub."""
        if self._hub is not None:
            raise UsageError("a recorder records one App")
        self._hub = hub
        hub.observers.add(self)
        hub.service.raised.append(self._raised)

    # What it keeps: messages as they were sent, from which `sent` makes records when these are written --------------

    def received(self, session: SessionView, request: Request) -> None:
        keeps = self._keeps.get(request.method)
        if keeps is None:
            keeps = self._decide(request.method)
        if session.client is None or request.id.startswith("system") is keeps or not (keeps or self._wants(request)):
            return  # nothing of those who have not authenticated, and of system messages subscriptions
        ring = self._ring
        small = ring.open
        begin = len(small)
        try:
            pack_into((CALL, monotonic(), session.client_id, request), small, begin)
        except Exception:  # an array, or a stream
            del small[begin:]
            self._received_large(session, request)
            return
        end = len(small)
        if request.stream is not None or end - begin > COPIED:
            del small[begin:]
            self._received_large(session, request)
            return
        ring.count += 1
        if end > ring.full:
            ring.close()

    def _wants(self, request: Request) -> bool:
        """Whether a message is recorded although calls of its method are not."""
        return request.method in SUBSCRIBING and request.method not in self._leave_out

    def _received_large(self, session: SessionView, request: Request) -> None:
        """Keep a call separately: large arguments are not copied."""
        client, id_ = session.client_id, request.id
        try:
            parts = pack_call(request)
        except NotSerializable:  # an argument is a stream
            self._open_call(client, id_, False)
            return
        if request.stream is not None:
            self._open_call(client, id_, True)
        self._ring.add(recording.CALL, client, None, parts, FRAME_COST * len(parts) + with_room(sum(map(len, parts))))

    def responded(self, session: SessionView, id_: str, method: str, message: Message) -> None:
        keeps = self._keeps.get(method)
        if keeps is None:
            keeps = self._decide(method)
        if not keeps or (self._open and not self._open.pop((session.client_id, id_), True)):
            return
        if message.size > COPIED or session.encoder.version != 2:
            self._keep(RESPONSE, session.client_id, message)
            return
        ring = self._ring
        small = ring.open
        pack_into((RESPONSE, monotonic(), session.client_id, message.frames[0].parts[0]), small, -1)
        ring.count += 1
        if len(small) > ring.full:
            ring.close()

    def streamed(self, session: SessionView, id_: str, message: Message) -> None:
        if self._open.get((session.client_id, id_)):
            self._keep(recording.ITEM, session.client_id, message)

    def asked(self, session: SessionView, id_: str, method: str, message: Message) -> None:
        if method not in self._leave_out and not method.startswith(OWN):
            if len(self._asked) >= MAX_ASKED:
                self._asked.pop()
            self._asked.add((session.client_id, id_))
            self._keep(recording.ASKED, session.client_id, message)

    def replied(self, session: SessionView, message: Mapping[str, Value]) -> None:
        asked = session.client_id, message["id"]
        if asked in self._asked:
            self._asked.discard(asked)
            try:
                parts = pack_reply(message)
            except NotSerializable:  # an extension of MessagePack that nobody knows
                return
            size = FRAME_COST * len(parts) + sum(map(len, parts))
            self._ring.add(recording.REPLY, session.client_id, None, parts, size)

    def published(self, publication: Published) -> None:
        topic, tags = publication.topic, publication.tags
        if topic in self._leave_out:
            return
        clients = tuple([one.client_id for one in publication.clients])
        size = with_room(publication.size) + PAYLOAD_COST + CLIENT_COST * len(clients)
        size += TAGS_COST + TAG_COST * len(tags) if tags else 0
        payload = Payload(topic, publication.packed)
        self._ring.add(recording.PUBLICATION, clients, tags, payload, size)

    def detached(self, session: SessionView) -> None:
        self._happened("lost", session.client_id)

    def resumed(self, session: SessionView) -> None:
        self._happened("returned", session.client_id)

    def closed(self, session: SessionView) -> None:
        client = session.client_id
        self._asked = {one for one in self._asked if one[0] != client}
        self._open = {one: keeps for one, keeps in self._open.items() if one[0] != client}
        if session.client is not None:
            self._happened("gone", client)

    def _happened(self, what: str, client: str) -> None:
        self._ring.add(recording.EVENT, client, what, None, EVENT_COST + 4 * len(what))

    def _keep(self, kind: int, client: str, message: Message) -> None:
        kept, size = kept_of(message)
        self._ring.add(kind, client, None, kept, size)

    def _decide(self, method: str) -> bool:
        """Whether calls of a method are recorded."""
        keeps = method not in self._leave_out and not method.startswith(OWN)
        if self._hub is not None and method in self._hub.service.methods:
            self._keeps[method] = keeps  # clients call what there is not by any name
        return keeps

    def _open_call(self, client: str, id_: str, keeps: bool) -> None:
        """A call has streams: the items of its response are recorded, or it is not recorded at all."""
        while len(self._open) >= MAX_ASKED:
            del self._open[next(iter(self._open))]
        self._open[client, id_] = keeps

    def _raised(self, call: Call, error: BaseException) -> None:
        """A method raised an exception other than MethodError."""
        if self._decide(call.method):
            said = _repr(error)
            self._happened(f"raised: {call.method}: {said}", call.client_id)
            self._write_at_error(f"{call.method} raised {said}")

    # What it writes ---------------------------------------------------------------

    def write(self, path: str | os.PathLike[str], reason: str = "") -> int:
        """Write what is kept to a file that only its owner can read, replacing one of that name. May be called from any
        thread. The file appears when it is complete, or not at all.

        Args:
            reason: why, for its readers.

        Returns:
            The number of records in it.

        Raises:
            OSError: it cannot be written.
        """
        counted = itertools.count()
        write_private(path, self.chunks(reason, counted))
        return next(counted)

    def chunks(self, reason: str = "", counted: Iterator[int] | None = None) -> Generator[Buffer, None, None]:
        """The pieces of a file with what is kept at the first step."""
        pieces, head = self._ring.pieces(), recording.head(self._about(reason))
        yield from head
        for number, one in enumerate(records(pieces)):
            try:
                message = message_of(one.kind, one.message, number)
            except (NotSerializable, PeerError):  # what a client of version 1 was sent, and no other can be
                continue
            clients = one.clients if isinstance(one, Kept) else one.client
            clients = (clients,) if isinstance(clients, str) else clients
            about = one.about if isinstance(one, Kept) else None
            yield from _pack(one.kind, one.time - self._ring.began, clients, about, message)
            if counted is not None:
                next(counted)

    def _about(self, reason: str) -> About:
        topics = dict(self._hub.subscriptions.topics) if self._hub is not None else {}
        kinds = {name: TopicAbout(topic.delivery) for name, topic in topics.items() if name not in self._leave_out}
        return About(__version__, "server", self._created, reason[:MAX_TEXT], self._ring.left_out, kinds)

    def _write_at_error(self, reason: str) -> None:
        directory, now = self._directory, monotonic()
        if directory is None or self._files >= MAX_FILES or now - self._written < SPACING:
            return
        self._files += 1
        self._written = now
        path = directory / f"wslink-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{self._files}.wsrec"
        self._writing = threading.Thread(target=self._write_and_log, args=(path, reason), name="wslink-recorder")
        self._writing.start()

    def wait(self) -> None:
        """Wait for a file that is being written because of an error. Not on the event loop's thread."""
        if self._writing is not None:
            self._writing.join()

    def _write_and_log(self, path: Path, reason: str) -> None:
        try:
            count = self.write(path, reason)
        except OSError as error:
            logger.error("a recording cannot be written: %s", error)
        else:
            logger.warning("%d records were written to %s: %s", count, path, reason)


def _pack(
    kind: int, time: float, clients: Sequence[str], about: Value, message: Sequence[Buffer] | None
) -> list[Buffer]:
    """A record; without its tags if these cannot be encoded: an unpaired surrogate, an integer beyond 64 bits."""
    try:
        return recording.pack(kind, time, clients, about, message)
    except (UnicodeError, OverflowError):
        return recording.pack(kind, time, clients, None, message)


def _repr(error: BaseException) -> str:
    try:
        return repr(error)[:MAX_TEXT].encode(errors="backslashreplace").decode()
    except Exception:
        return f"<{type(error).__name__}>"
