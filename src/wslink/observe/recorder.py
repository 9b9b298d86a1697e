"""The recorder of a server: keeps what clients call and what they are sent, and writes it to a file."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import logging
import math
import os
import threading
import time
from collections.abc import Awaitable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from wslink import errors
from wslink.errors import METHOD_NOT_FOUND, MethodError, NotSerializable, PeerError, UsageError
from wslink.hub.topics import Topic
from wslink.observe.files import write_private
from wslink.observe.ring import Kept, Ring
from wslink.rpc.call import Call, current_call
from wslink.rpc.dispatcher import Service
from wslink.rpc.interceptors import Function
from wslink.rpc.methods import NEVER_AWAITABLE
from wslink.session.observers import Observer, Observers, Published
from wslink.session.view import SessionView
from wslink.version import __version__
from wslink.wire import recording
from wslink.wire.codec import V1, V2_WITH_ARRAYS
from wslink.wire.frames import Buffer, Message
from wslink.wire.limits import MIB, Limits
from wslink.wire.messages import SUBSCRIBE, UNSUBSCRIBE, Request
from wslink.wire.recording import About, TopicAbout
from wslink.wire.v1_json import V1Decoder
from wslink.wire.v2_msgpack import Packed
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
"""Calls of clients whose responses are waited for; those that never come are forgotten."""
MAX_FRAME = 2**30
OWN = "wslink."
"""What the names of methods begin with that are never recorded: what they are given may be secret."""


class TopicsOf(Protocol):
    """Knows the topics of a server."""

    @property
    def topics(self) -> Mapping[str, Topic]: ...


class Recorded(Protocol):
    """What a recorder asks of a server's hub."""

    @property
    def observers(self) -> Observers: ...
    @property
    def service(self) -> Service: ...
    @property
    def subscriptions(self) -> TopicsOf: ...


class Recorder(Observer):
    """Keeps the newest of what clients call, what they are answered, and what they are sent, for one App:
    `App(recorder=Recorder())`. It is written on demand (`write`) and, where it has a directory, at an error.

    Args:
        max_bytes: that are kept in memory, 64 MiB unless given; the oldest records go first.
        directory: where a file is written when a method raises what it did not choose (anything but MethodError), at
            most one in 10 s and 16 in all; "" for none. It is made, for its owner alone, where it is not there.
        leave_out: names of methods and topics that are not recorded, such as one that is given a password.

    Raises:
        UsageError: for bounds that are none, and a directory that cannot be made.
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
        self._numbers = itertools.count()
        self._hub: Recorded | None = None
        self._asked: set[tuple[str, str]] = set()  # calls of clients that are recorded, and wait for their responses
        self._files = 0
        self._written = -math.inf
        self._writing: threading.Thread | None = None

    def attach(self, hub: Recorded) -> None:
        """Record what goes over the connections of `hub` from now on. Raises UsageError for a second one."""
        if self._hub is not None:
            raise UsageError("a recorder records one App")
        self._hub = hub
        hub.observers.add(self)
        hub.service.methods.intercept(self._around)

    # What it keeps --------------------------------------------------------------

    def received(self, session: SessionView, request: Request) -> None:
        method = request.method
        if session.client is None or method in self._leave_out:  # nothing of those who have not authenticated
            return
        if request.id.startswith("system"):
            if method not in (SUBSCRIBE, UNSUBSCRIBE):  # hello has the secret
                return
        elif method.startswith(OWN):
            return
        try:
            options = {} if request.stream is None else {"stream": request.stream}
            message = V2_WITH_ARRAYS.call(request.id, method, request.args, request.kwargs, MAX_FRAME, options)
        except NotSerializable:  # an argument is a stream
            return
        self._keep(recording.CALL, session.client_id, message)

    def unknown(self, session: SessionView, request: Request) -> None:
        if session.client is not None and not request.method.startswith(OWN):
            self._fail(session.client_id, request.id, METHOD_NOT_FOUND, "Unregistered method called", None)

    def asked(
        self, session: SessionView, id_: str, method: str, args: Sequence[Value], kwargs: Mapping[str, Value]
    ) -> None:
        if method not in self._leave_out and not method.startswith(OWN):
            if len(self._asked) >= MAX_ASKED:
                self._asked.pop()
            self._asked.add((session.client_id, id_))
            message = V2_WITH_ARRAYS.call(id_, method, args, dict(kwargs), MAX_FRAME)
            self._keep(recording.ASKED, session.client_id, message)

    def replied(self, session: SessionView, message: Mapping[str, Value]) -> None:
        asked = session.client_id, message["id"]
        if asked in self._asked:
            self._asked.discard(asked)
            error = message.get("error")
            with contextlib.suppress(NotSerializable):  # an extension that nobody knows
                if isinstance(error, dict):
                    encoded = V2_WITH_ARRAYS.failure(message["id"], error, MAX_FRAME)
                else:
                    encoded = V2_WITH_ARRAYS.result(message["id"], message.get("result"), MAX_FRAME)
                self._keep(recording.REPLY, session.client_id, encoded)

    def published(self, publication: Published) -> None:
        topic = publication.topic
        if topic in self._leave_out:
            return
        clients = tuple(one.client_id for one in publication.clients)
        make = partial(_publication, f"publish:{topic}:{next(self._numbers)}", publication.packed)
        size = publication.size + 48 * len(clients)
        tags = dict(publication.tags) if publication.tags is not None else None
        self._ring.add(recording.PUBLICATION, clients, tags, make, size)

    def detached(self, session: SessionView) -> None:
        self._happened("lost", session.client_id)

    def resumed(self, session: SessionView) -> None:
        self._happened("returned", session.client_id)

    def closed(self, session: SessionView) -> None:
        self._asked = {one for one in self._asked if one[0] != session.client_id}
        if session.client is not None:
            self._happened("gone", session.client_id)

    def _happened(self, what: str, client: str) -> None:
        self._ring.add(recording.EVENT, (client,), what, None, len(what))

    def _keep(self, kind: int, client: str, message: Message) -> None:
        self._ring.add(kind, (client,), None, recording.parts_of(message), message.size)

    # Responses, which an interceptor sees (rpc.interceptors) ----------------------

    def _around(self, name: str, function: Function) -> Function:
        if name.startswith(OWN) or name in self._leave_out:
            return function

        def recorded(*args: Any, **kwargs: Any) -> Any:
            call = current_call.get()
            streams = call.streams.streams if call is not None and call.streams is not None else None
            if call is None or (streams is not None and None not in streams.outlets):  # an argument is a stream
                return function(*args, **kwargs)
            if streams is not None:
                streams.outlets[None].tap = partial(self._item, call)
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._raised(call, error)
                raise
            if type(result) not in NEVER_AWAITABLE and inspect.isawaitable(result):
                return self._finish(call, result)
            self._returned(call, result)
            return result

        return recorded

    async def _finish(self, call: Call, awaitable: Awaitable[Any]) -> Any:
        try:
            result = await awaitable
        except BaseException as error:
            self._raised(call, error)
            raise
        self._returned(call, result)
        return result

    def _item(self, call: Call, item: Value) -> None:
        self._keep(recording.ITEM, call.client_id, V2_WITH_ARRAYS.result(call.id, item, MAX_FRAME))

    def _returned(self, call: Call, result: Value) -> None:
        try:
            message = V2_WITH_ARRAYS.result(call.id, result, MAX_FRAME)
        except NotSerializable:
            code = errors.RESULT_SERIALIZE_ERROR
            self._fail(call.client_id, call.id, code, "Method result cannot be serialized", call.method)
        else:
            self._keep(recording.RESPONSE, call.client_id, message)

    def _raised(self, call: Call, error: BaseException) -> None:
        if isinstance(error, (MethodError, PeerError)):
            self._fail(call.client_id, call.id, error.code, error.message, error.data)
        elif isinstance(error, asyncio.CancelledError):
            self._fail(call.client_id, call.id, errors.CANCELLED, "Cancelled", call.method)
        else:
            said = _repr(error)
            data = {"method": call.method, "exception": said}
            self._fail(call.client_id, call.id, errors.EXCEPTION_ERROR, "Exception raised", data)
            self._happened(f"raised: {call.method}: {said}", call.client_id)
            self._write_at_error(f"{call.method} raised {said}")

    def _fail(self, client: str, id_: str, code: int, message: str, data: Value) -> None:
        error: dict[str, Value] = {"code": errors.as_code(code), "message": message}
        if data is not None:
            error["data"] = data
        try:
            failure = V2_WITH_ARRAYS.failure(id_, error, MAX_FRAME)
        except NotSerializable:
            failure = V2_WITH_ARRAYS.failure(id_, {**error, "message": repr(message), "data": None}, MAX_FRAME)
        self._keep(recording.RESPONSE, client, failure)

    # What it writes ---------------------------------------------------------------

    def write(self, path: str | os.PathLike[str], reason: str = "") -> int:
        """Write what is kept to a file that its owner alone may read, in place of one of that name. From any thread;
        the file is there, whole, or not at all.

        Args:
            reason: why, for those who read it.

        Returns:
            the records in it.

        Raises:
            OSError: it cannot be written.
        """
        counted = itertools.count()
        write_private(path, self.chunks(reason, counted))
        return next(counted)

    def chunks(self, reason: str = "", counted: Iterator[int] | None = None) -> Generator[Buffer, None, None]:
        """What is kept at the first step, as the pieces of a file."""
        kept, about = self._ring.records(), self._about(reason)
        yield from recording.head(about)
        for one in kept:
            try:
                message = one.message() if callable(one.message) else one.message
            except (NotSerializable, PeerError):  # what a client of version 1 was sent, and no other can be
                continue
            yield from _pack(one, message)
            if counted is not None:
                next(counted)

    def _about(self, reason: str) -> About:
        topics = dict(self._hub.subscriptions.topics) if self._hub is not None else {}
        kinds = {name: TopicAbout(topic.delivery) for name, topic in topics.items() if name not in self._leave_out}
        return About(__version__, "server", self._created, reason[:MAX_TEXT], self._ring.left_out, kinds)

    def _write_at_error(self, reason: str) -> None:
        directory, now = self._directory, time.monotonic()
        if directory is None or self._files >= MAX_FILES or now - self._written < SPACING:
            return
        self._files += 1
        self._written = now
        path = directory / f"wslink-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{self._files}.wsrec"
        self._writing = threading.Thread(target=self._write_and_log, args=(path, reason), name="wslink-recorder")
        self._writing.start()

    def wait(self) -> None:
        """Wait until a file that is being written at an error is there. Not on the event loop's thread."""
        if self._writing is not None:
            self._writing.join()

    def _write_and_log(self, path: Path, reason: str) -> None:
        try:
            count = self.write(path, reason)
        except OSError as error:
            logger.error("a recording cannot be written: %s", error)
        else:
            logger.warning("%d records were written to %s: %s", count, path, reason)


def _pack(one: Kept, message: Sequence[Buffer] | None) -> list[Buffer]:
    """A record; without its tags where these cannot be written: half a surrogate pair, a number beyond 64 bits."""
    try:
        return recording.pack(one.kind, one.time, one.clients, one.about, message)
    except (UnicodeError, OverflowError):
        return recording.pack(one.kind, one.time, one.clients, None, message)


def _publication(id_: str, packed: Value, _limits: Limits = Limits()) -> Sequence[Buffer]:  # noqa: B008 - immutable
    """The message of a publication, without subscriptions, of what an encoder of either version made of its payload."""
    if isinstance(packed, Packed):
        return recording.parts_of(V2_WITH_ARRAYS.publication(id_, packed, None, MAX_FRAME))
    decoder = V1Decoder(_limits)
    message: Value = None
    for frame in V1.publication(id_, packed, None, MAX_FRAME).frames:
        data = bytes(frame.joined())
        message = decoder.receive(frame.binary, data if frame.binary else data.decode())
    again = V2_WITH_ARRAYS.pack(message["result"])
    return recording.parts_of(V2_WITH_ARRAYS.publication(id_, again, None, MAX_FRAME))


def _repr(error: BaseException) -> str:
    try:
        return repr(error)[:MAX_TEXT].encode(errors="backslashreplace").decode()
    except Exception:
        return f"<{type(error).__name__}>"
