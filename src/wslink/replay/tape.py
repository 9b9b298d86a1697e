"""A recording for playback: responses by the calls that they belong to, and publications in order."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from wslink.errors import PeerError, UsageError
from wslink.wire import recording
from wslink.wire.arrays import RawArray, is_array
from wslink.wire.frames import Buffer
from wslink.wire.messages import SUBSCRIBE, is_topic
from wslink.wire.recording import About, Reader, Record, RecordingError, Tags
from wslink.wire.value import Value

EVERYBODY = "all"
"""In place of a client's id: what all clients were sent, and what all called."""
MAX_ENTRIES = 64
"""Entries of a payload that are looked at in place of tags that are not known."""
_BYTES = (bytes, bytearray, memoryview)
_SCALARS = frozenset((str, int, float, bool))


class Exchange(NamedTuple):
    """A recorded call with a response.

    Attributes:
        time: when it arrived.
        response: the response; None for a stream that had not ended.
        items: the items of its stream, each with its time.
    """

    time: float
    response: Buffer | None
    items: Sequence[tuple[float, Buffer]] = ()


class Asked(NamedTuple):
    """A recorded call from the server to a client."""

    time: float
    method: str
    args: list[Value]
    kwargs: dict[str, Value]


class Shown(NamedTuple):
    """A recorded publication.

    Attributes:
        tags: None if unknown.
        entries: the text, numbers and booleans in its payload, if that is a map; used instead of tags.
    """

    time: float
    topic: str
    tags: Tags | None
    entries: Tags
    message: Buffer

    @property
    def payload(self) -> Value:
        return recording.decode(self.message)["result"]


class Tape(NamedTuple):
    """A recording that is known to be well-formed.

    Attributes:
        about: its description.
        truncated: whether it was cut off.
        client: the client whose view it is; EVERYBODY for that of all.
        others: further clients in the recording.
        methods: the methods that were called.
        streams: those of them whose results were streams.
        answered: the calls of each method that have a response, in order.
        same: these calls by their arguments; see `key_of`.
        shown: what was published to the client, in order.
        asked: the calls from the server to the client, in order.
        topics: the delivery of each topic.
        records: the records that are played, as stored in the file.
    """

    about: About
    truncated: bool
    client: str
    others: int
    methods: frozenset[str]
    streams: frozenset[str]
    answered: Mapping[str, Sequence[Exchange]]
    same: Mapping[tuple[str, Hashable], Sequence[Exchange]]
    shown: Sequence[Shown]
    asked: Sequence[Asked]
    topics: Mapping[str, str]
    records: Sequence[Record]


def _read(path: Path) -> bytes:
    """The content of a file. Raises OSError, RecordingError."""
    known = path.stat()
    if known.st_size > recording.MAX_FILE:
        raise RecordingError(f"{path} has over MAX_FILE ({recording.MAX_FILE}) bytes")
    if stat.S_ISCHR(known.st_mode) or stat.S_ISBLK(known.st_mode):  # some have no end
        raise RecordingError(f"{path} is a device, not a file")
    if stat.S_ISREG(known.st_mode):
        return path.read_bytes()
    with path.open("rb") as pipe:
        data = pipe.read(recording.MAX_FILE + 1)
    if len(data) > recording.MAX_FILE:
        raise RecordingError(f"{path} has over MAX_FILE ({recording.MAX_FILE}) bytes")
    return data


def open_tape(path: str | os.PathLike[str], client: str = "") -> Tape:
    """Read a recording.

    Args:
        client: the client whose view is played: a client id, or EVERYBODY; by default the client that was sent most.

    Raises:
        OSError: it cannot be read.
        RecordingError: it is not a recording, or damaged. The message says where and why.
        UsageError: it does not contain that client.
    """
    reader = Reader(_read(Path(path)))
    records = list(reader)
    chosen = _viewer(records, client)
    mine = [one for one in records if chosen == EVERYBODY or chosen in one.clients or not one.clients]
    others = {client for one in records for client in one.clients} - {chosen} if chosen != EVERYBODY else ()
    return _tape(reader, chosen, len(others), mine)


def _viewer(records: Sequence[Record], client: str) -> str:
    """Determine whose view is played. Raises UsageError."""
    sent: Counter[str] = Counter()
    for record in records:
        sent.update(dict.fromkeys(record.clients, record.kind == recording.PUBLICATION))
    if client and client != EVERYBODY and client not in sent:
        known = ", ".join(name for name, _ in sent.most_common(8)) or "none"
        raise UsageError(f"the recording knows no client {client!r}; it knows {known}")
    return client or (sent.most_common(1)[0][0] if sent else EVERYBODY)


def _tape(reader: Reader, client: str, others: int, records: Sequence[Record]) -> Tape:
    calls = _Calls()
    shown: list[Shown] = []
    asked: list[Asked] = []
    topics = {name: topic.delivery for name, topic in reader.about.topics.items() if is_topic(name)}
    for record in records:
        if record.message is None:
            continue
        envelope = _envelope(record)
        if record.kind == recording.PUBLICATION:
            topic = _topic(record, envelope)
            topics.setdefault(topic, "reliable")
            tags = record.about if not isinstance(record.about, str) else None
            shown.append(Shown(record.time, topic, tags, _entries(envelope["result"]), record.message))
        elif record.kind == recording.CALL:
            calls.begin(record, envelope, topics)
        elif record.kind == recording.RESPONSE:
            calls.end(record, envelope, record.message)
        elif record.kind == recording.ITEM:
            calls.item(record, envelope, record.message)
        elif record.kind == recording.ASKED:
            asked.append(Asked(record.time, *_call(record, envelope)))
    methods, streams, answered, same = calls.sorted()
    return Tape(
        reader.about, reader.truncated, client, others, methods, streams, answered, same, shown, asked, topics, records
    )


class _Calls:
    """Matches calls with their responses, which may be in any order."""

    def __init__(self) -> None:
        self._begun: list[tuple[float, str, Hashable]] = []
        self._open: dict[tuple[str, str], int] = {}  # by client and id
        self._responses: dict[int, Buffer] = {}
        self._items: dict[int, list[tuple[float, Buffer]]] = {}  # of those that stream
        self._streams: set[str] = set()

    def begin(self, record: Record, envelope: Mapping[str, Value], topics: dict[str, str]) -> None:
        method, args, kwargs = _call(record, envelope)
        if method == SUBSCRIBE:
            _subscribed(args, topics)
        try:
            key = key_of(args, kwargs)
        except RecursionError as error:
            raise _damaged(record, "its arguments are nested too deeply") from error
        if envelope.get("stream") is not None:
            self._streams.add(method)
        self._open[_caller(record), envelope["id"]] = len(self._begun)
        self._begun.append((record.time, method, key))

    def end(self, record: Record, envelope: Mapping[str, Value], message: Buffer) -> None:
        index = self._open.pop((_caller(record), envelope["id"]), None)
        if index is not None:  # its call may be older than the recording
            self._responses[index] = message

    def item(self, record: Record, envelope: Mapping[str, Value], message: Buffer) -> None:
        if "result" not in envelope:
            raise _damaged(record, "it is not an item")
        index = self._open.get((_caller(record), envelope["id"]))
        if index is not None:
            self._items.setdefault(index, []).append((record.time, message))

    def sorted(
        self,
    ) -> tuple[frozenset[str], frozenset[str], dict[str, list[Exchange]], dict[tuple[str, Hashable], list[Exchange]]]:
        answered: dict[str, list[Exchange]] = {}
        same: dict[tuple[str, Hashable], list[Exchange]] = {}
        for index, (time, method, key) in enumerate(self._begun):
            if index in self._responses or index in self._items:
                exchange = Exchange(time, self._responses.get(index), self._items.get(index, ()))
                answered.setdefault(method, []).append(exchange)
                same.setdefault((method, key), []).append(exchange)
        return frozenset(method for _, method, _ in self._begun), frozenset(self._streams), answered, same


def _caller(record: Record) -> str:
    return record.clients[0] if record.clients else ""


def _envelope(record: Record) -> dict[str, Value]:
    assert record.message is not None
    try:
        return recording.decode(record.message)
    except PeerError as error:
        raise _damaged(record, error.message) from error


def _call(record: Record, envelope: Mapping[str, Value]) -> tuple[str, list[Value], dict[str, Value]]:
    method, args, kwargs = envelope.get("method"), envelope.get("args", []), envelope.get("kwargs", {})
    if not (
        isinstance(method, str) and isinstance(args, list) and isinstance(kwargs, dict) and all(map(_is_text, kwargs))
    ):
        raise _damaged(record, "it is not a call")
    return method, args, kwargs


def _is_text(value: Value) -> bool:
    return isinstance(value, str)


def _topic(record: Record, envelope: Mapping[str, Value]) -> str:
    kind, _, rest = envelope["id"].partition(":")
    topic = str(rest.rpartition(":")[0])
    if kind != "publish" or not is_topic(topic) or "result" not in envelope:
        raise _damaged(record, "it is not a publication")
    return topic


def _entries(payload: Value) -> Tags:
    """What a payload says in the words of a filter, as publishers often have it there as in the tags."""
    if not isinstance(payload, dict):
        return {}
    found = {name: value for name, value in payload.items() if type(name) is str and type(value) in _SCALARS}
    return dict(islice(found.items(), MAX_ENTRIES))


def _subscribed(args: Sequence[Value], topics: dict[str, str]) -> None:
    """Clients may also subscribe to topics on which nothing was published."""
    wanted = args[0].get("topic") if args and isinstance(args[0], dict) else None
    if isinstance(wanted, str) and is_topic(wanted):
        topics.setdefault(wanted, "reliable")


def _damaged(record: Record, why: str) -> RecordingError:
    return RecordingError(f"the message of the record at {record.time:.3f} s: {why}")


def key_of(args: Sequence[Value], kwargs: Mapping[str, Value]) -> Hashable:
    """A key for the arguments of a call: equal for equal arguments, whatever the order of their maps."""
    return _key(list(args)), _key(dict(kwargs))


def _key(value: Value) -> Hashable:
    if isinstance(value, dict):
        return ("map", frozenset((name, _key(inner)) for name, inner in value.items()))
    if isinstance(value, RawArray):
        return ("array", value.dtype, tuple(value.shape), bytes(value.data))
    if isinstance(value, (list, tuple)):
        return ("list", tuple(map(_key, value)))
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, _BYTES):
        return ("bytes", bytes(value))
    if is_array(value):
        return ("array", value.dtype.str, tuple(value.shape), value.tobytes())
    try:
        hash(value)
    except TypeError:
        return ("other", repr(value))
    return ("value", value)
