"""The command line: `wslink record URL -o run.wsrec`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from wslink.client.cure import CURE, explained
from wslink.client.link import Link
from wslink.client.subscription import ClientSubscription
from wslink.console import INTERRUPTED, complain, say
from wslink.errors import CallError, UsageError, WslinkError
from wslink.tools.filters import parse
from wslink.tools.lasting import add_reconnect, answer, lasting, run
from wslink.tools.options import Target, add_options, count, seconds, target_of
from wslink.tools.show import size
from wslink.version import __version__
from wslink.waiting import within
from wslink.wire import recording
from wslink.wire.codec import V2_WITH_ARRAYS
from wslink.wire.frames import Buffer
from wslink.wire.messages import is_topic
from wslink.wire.recording import About, TopicAbout
from wslink.wire.value import Value

MAX_FRAME = 2**30


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        tally = Tally(arguments.output, arguments.max_bytes, arguments.ring)
        try:
            ended = run((_fetch if arguments.ring else _record)(target_of(arguments), arguments, tally))
        finally:
            tally.close()
    except WslinkError as error:
        complain(f"wslink: {explained(error)}")
        return 1
    except OSError as error:
        complain(f"wslink: {explained(error) if error.filename else f'{arguments.output}: {error.strerror or error}'}")
        return 1
    return 0 if ended or not arguments.ring else INTERRUPTED


class Tally:
    """Writes to a file that only its owner can read (REC-6), up to a limit.

    Args:
        path: the file; it is opened at the first write.
        limit: bytes.
        whole: whether the file appears only after `keep`, when everything has been written.

    Raises:
        UsageError: it is a directory, or its directory does not exist.
    """

    def __init__(self, path: str, limit: int, whole: bool = False) -> None:
        self.bytes: int = 0
        self.records: int = 0
        final = Path(path)
        if final.is_dir() or not final.parent.is_dir():
            raise UsageError(f"{path!r} is a directory" if final.is_dir() else f"there is no directory {final.parent}")
        self._final = final if whole else None
        self._path = final.with_name(f".{final.name}.{secrets.token_hex(4)}") if whole else final
        self._limit = limit
        self._file: BinaryIO | None = None

    def write(self, pieces: Sequence[Buffer]) -> bool:
        """Write, unless that would exceed the limit: False then."""
        total = sum(map(len, pieces))
        if self.bytes + total > self._limit:
            return False
        if self._file is None:
            self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):  # not a device, which is everybody's
                os.chmod(self._path, 0o600)  # of one that was there already
        for piece in pieces:
            self._file.write(piece)
        self.bytes += total
        self.records += 1
        return True

    def keep(self) -> None:
        """Everything has been written."""
        if self._file is not None and self._final is not None:
            self._file.close()
            os.replace(self._path, self._final)
            self._final = None

    def close(self) -> None:
        """Nothing more will be written. Raises OSError if there is no room for the last write."""
        if self._file is None:
            return
        try:
            self._file.close()
        finally:
            if self._final is not None:
                self._path.unlink(missing_ok=True)


# What the server publishes ------------------------------------------------------


async def _record(target: Target, arguments: argparse.Namespace, tally: Tally) -> None:
    definition = parse(arguments.filter) if arguments.filter else None
    async with lasting(target, arguments.reconnect) as link:
        topics = await _topics(link, arguments.topic, target.timeout)
        kinds = {name: TopicAbout(how) for name, how in topics.items()}
        writer = Writer(tally, arguments.count)
        async with contextlib.AsyncExitStack() as stack:
            subscriptions = [link.subscribe(name, filter=definition) for name in topics]
            for one in subscriptions:
                await answer(stack.enter_async_context(one), target.timeout, one.topic)
            tally.write(recording.head(About(__version__, "client", time.time(), "", 0, kinds)))
            tally.records = 0
            say(f"recording {', '.join(topics)}; Ctrl+C ends it")
            try:
                with contextlib.suppress(asyncio.TimeoutError):
                    await within(writer.take(subscriptions), arguments.seconds or None)
            finally:  # also of one that ends early: what there is can be replayed
                say(f"-- {tally.records} publications, {size(tally.bytes)}, in {arguments.output}{writer.full}")


async def _topics(link: Link, wanted: Sequence[str], timeout: float) -> dict[str, str]:
    """The topics to record, each with its delivery. Raises UsageError if the server describes none."""
    described: Mapping[str, Value] = {}
    with contextlib.suppress(CallError):
        told = await answer(link.call("wslink.describe"), timeout, "wslink.describe")
        described = told.get("topics", {}) if isinstance(told, dict) else {}
    names = wanted or list(described)
    for name in names:
        if not is_topic(name):
            raise UsageError(f"--topic: {name!r} is not the name of a topic")
    if not names:
        raise UsageError("the server tells of no topics: name them by --topic")
    return {name: str(described.get(name, {}).get("delivery", "reliable")) for name in names}


class Writer:
    """Writes publications as they arrive.

    Args:
        tally: the file.
        count: the number of publications after which to stop; 0 for never.

    Attributes:
        full: the message for when there was no room for more.
    """

    def __init__(self, tally: Tally, count: int) -> None:
        self.full: str = ""
        self._tally = tally
        self._count = count
        self._began = time.monotonic()
        self._numbers = itertools.count()

    async def take(self, subscriptions: Sequence[ClientSubscription]) -> None:
        """Write what is published, until the connection ends or there are enough."""
        tasks = [asyncio.ensure_future(self._take(one)) for one in subscriptions]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, subscription: ClientSubscription) -> None:
        async for payload in subscription:
            id_ = f"publish:{subscription.topic}:{next(self._numbers)}"
            message = V2_WITH_ARRAYS.publication(id_, V2_WITH_ARRAYS.pack(payload), None, MAX_FRAME)
            passed = time.monotonic() - self._began
            parts = recording.parts_of(message)
            if not self._tally.write(recording.pack(recording.PUBLICATION, passed, (), None, parts)):
                self.full = "; no more has room (--max-bytes)"
                return
            if self._tally.records == self._count:
                return


# What the server has recorded ---------------------------------------------------


async def _fetch(target: Target, arguments: argparse.Namespace, tally: Tally) -> None:
    if target.secret is None:
        raise UsageError(f"the server's secret opens what it has recorded\n  cure: {CURE}")
    async with lasting(target, arguments.reconnect) as link:
        async for piece in link.stream("wslink.recording", target.secret):
            if not tally.write([piece]):
                raise UsageError(f"the server's recording has over --max-bytes ({arguments.max_bytes}) bytes")
    tally.keep()
    say(f"-- {size(tally.bytes)} in {Path(arguments.output)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wslink record",
        description="Record what a server publishes, or fetch what it has recorded itself (App(recorder=...)).",
    )
    add_options(parser)
    add_reconnect(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="file to write, such as run.wsrec")
    parser.add_argument("--ring", action="store_true", help="fetch what the server has recorded, calls included")
    parser.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="TOPIC",
        help="topic to record (default: all that the server describes)",
    )
    parser.add_argument("--filter", metavar="FILTER", help="only publications whose tags match, as for wslink watch")
    parser.add_argument(
        "--count", type=count, default=0, help="publications after which to stop; 0 for never (default)"
    )
    parser.add_argument("--seconds", type=seconds, default=0.0, help="time after which to stop; 0 for never (default)")
    parser.add_argument(
        "--max-bytes",
        type=count,
        default=recording.MAX_FILE,
        metavar="N",
        help="largest file to write (default: 2 GiB)",
    )
    return parser
