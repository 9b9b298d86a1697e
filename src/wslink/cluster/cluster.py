"""One of several workers: what it tells the others, and how it handles what they tell."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from wslink.cluster import records as kinds
from wslink.cluster.broker import Broker
from wslink.cluster.brokers import connect
from wslink.cluster.calls import RemoteCalls
from wslink.cluster.host_memory import HostMemory
from wslink.cluster.membership import Membership
from wslink.cluster.memory_log import MemoryBroker
from wslink.cluster.moves import Moves
from wslink.cluster.peers import Peers
from wslink.cluster.publications import Publications
from wslink.cluster.reading import Reading
from wslink.cluster.records import Record, Reference, decode
from wslink.cluster.sending import Sending
from wslink.cluster.versions import Versions
from wslink.hub.cluster import Outgoing, Version
from wslink.hub.hub import Hub
from wslink.wire.frames import Buffer

logger: logging.Logger = logging.getLogger("wslink")

BEAT = 2.0
"""Seconds between a worker's signs of life."""
DEAD_AFTER = 7.0
"""Seconds of silence, while the broker works, after which a worker counts as dead."""
PATIENCE = 10.0
"""Seconds that a worker that starts waits for the broker."""
FLUSH = 2.0
"""Seconds that a worker that stops waits for the broker."""


class Cluster:
    """Connects a hub to those of other workers (hub.cluster.ClusterLink).

    Args:
        hub: this worker's hub.
        target: see cluster.brokers.connect.

    Attributes:
        peers, moves: the other workers, and the moves of sessions between workers.
        lost: the number of other workers' publications that were lost (docs/scale.md).
    """

    def __init__(self, hub: Hub, target: str | MemoryBroker) -> None:
        self.broker: Broker = connect(target)
        self.lost: int = 0
        self._memory = HostMemory(lambda: hub.limits.max_shared, self._move_out)
        self._sending = Sending(self.broker, lambda: hub.limits.max_broker_backlog, self._share)
        self._tell = self._sending.tell
        self._calls = RemoteCalls(hub, self._sending.put)
        self.peers: Peers = Peers(hub.community, self._calls.order, self._calls.call)
        self._membership = Membership(hub.community, self._sending, self.peers, self._calls, self._memory)
        self._hub = hub
        self._publications = Publications(hub)
        self._echo = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._reading: Reading | None = None
        self._recovering = False
        self._versions = Versions()
        self.moves: Moves = Moves(hub, self._sending, self.peers, self._publications, self._versions)
        self._handlers: dict[str, Callable[[Record], None]] = {
            kinds.PUBLICATION: self._publication,
            kinds.RETAINED: self._addressed(self._retained),
            **self._membership.handlers,
            kinds.BEAT: lambda record: None,
            kinds.HELLO: self._hello,
            kinds.DEAD: self._dead,
            kinds.COMMAND: self._addressed(self._calls.obey),
            kinds.CALL: self._addressed(self._calls.serve),
            kinds.CANCEL: self._addressed(self._calls.cancel),
            kinds.RESULT: self._addressed(self._calls.respond),
            kinds.MOVE: self.moves.move,
            kinds.MOVED: self.moves.moved,
        }

    # Life -------------------------------------------------------------------

    def begin(self) -> None:
        if self._tasks and self._tasks[0].get_loop() is asyncio.get_running_loop():
            return
        self._be_born()
        self._reading = reading = Reading(self.broker, self._take, self.moves)
        self._sending.begin()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(one) for one in (reading.run(), self._write(reading), self._watch())]
        self._introduce()

    async def ready(self) -> None:
        assert self._reading is not None
        await self._reading.ready(PATIENCE)

    async def stop(self) -> None:
        outbox = self._sending.outbox
        if not self._tasks or outbox is None:
            return
        self._tell(kinds.BYE)
        if self._is_open and not await outbox.flush(FLUSH):
            logger.warning("the broker %s has not taken what waits for other workers", self.broker.name)
        tasks, self._tasks = self._tasks, []
        while tasks:  # a library may swallow a cancellation
            for task in tasks:
                task.cancel()
            _, waiting = await asyncio.wait(tasks, timeout=0.1)
            tasks = list(waiting)
        self._sending.outbox = None
        self.moves.stop()
        await self.broker.close()
        for worker in list(self.peers):
            self.peers.bury(worker)
        self._memory.end()

    def _be_born(self) -> None:
        self._sending.be_born()
        self._memory.begin(self._sending.origin)
        self.moves.stop()
        self._echo = time.monotonic()

    def _introduce(self, reborn: bool = False) -> None:
        """Announce this worker's clients, and ask for those of others. Publications of a `reborn` worker were
        ignored."""
        self._membership.introduce()
        self._tell(kinds.HELLO, reborn)

    @property
    def _is_open(self) -> bool:
        return self._reading is not None and self._reading.opened.is_set()

    async def _write(self, reading: Reading) -> None:
        assert self._sending.outbox is not None
        await reading.opened.wait()
        await self._sending.outbox.run()

    async def _watch(self) -> None:
        """Send signs of life, and check for those of others."""
        beaten = 0.0
        while True:
            await asyncio.sleep(BEAT / 4)
            now = time.monotonic()
            self._memory.tidy()
            if now - beaten >= BEAT:
                beaten = now
                self._tell(kinds.BEAT)
            if now - self._echo > 2 * BEAT:  # the broker is away, or this worker was stopped: others are not heard
                for peer in self.peers.values():
                    peer.heard = now
                continue
            for worker in [name for name, peer in self.peers.items() if now - peer.heard > DEAD_AFTER]:
                logger.warning("worker %s is dead: nothing was heard of it for %g s", worker, DEAD_AFTER)
                self._tell(kinds.DEAD, worker)
                self._membership.bury(worker)

    # Sending ----------------------------------------------------------------

    @property
    def origin(self) -> str:
        """This worker's name."""
        return self._sending.origin

    def _addressed(self, handle: Callable[[Record], None]) -> Callable[[Record], None]:
        """Pass records whose first field names this worker to `handle`."""
        return lambda record: handle(record) if record.fields[0] == self.origin else None

    def _share(self, number: int, buffers: Sequence[Buffer]) -> Reference | None:
        return self._memory.put(number, buffers, self.peers.beside(self._memory.host))

    def _move_out(self) -> None:
        """Report that this worker no longer shares memory."""
        self._membership.introduce()

    def publish(self, publication: Outgoing) -> Version:
        if self._sending.outbox is None:  # it is not served: there is nobody
            return (0.0, "")
        version = self._versions.next(self.origin, publication.slot)
        if not self._publications.stays_here(publication):
            self._sending.publish(self._publications.draft(publication, version))
        return version

    def publishing(self) -> None:
        self._sending.publishing()

    def submitted(self) -> None:
        self._sending.submitted()

    def recall(self, token: str) -> Awaitable[None] | None:
        return self.moves.recall(token)

    async def hand_over(self, timeout: float) -> None:
        if self._tasks and self._is_open:
            await self.moves.leave(timeout)

    # Receiving --------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        record = decode(data)
        if record is None:
            logger.error("the broker %s has a record of somebody else's: choose another name", self.broker.name)
            return
        now = time.monotonic()
        if record.origin == self.origin:
            self._echo = now
            self._take_own(record)
            return
        if self.peers.is_buried(record.origin):
            self._memory.discard(record)
            return
        peer = self.peers.meet(record.origin, record.number, now)
        missing = record.number - peer.number - 1
        if missing < 0:
            return  # it was appended twice
        peer.number, peer.heard = record.number, now
        if missing:
            self._miss(record.origin, missing)
            self._memory.forget(record.origin, record.number)
        if self._memory.fetch(record):
            self._handle(record)
        else:
            self._miss(record.origin, 1)
        self.moves.passed(record.origin, record.number)

    def _handle(self, record: Record) -> None:
        try:
            self._handlers[record.kind](record)
        except Exception:
            logger.exception("a record %r of worker %s cannot be taken", record.kind, record.origin)

    def _take_own(self, record: Record) -> None:
        """Handle one of this worker's own records, as far as it concerns moving sessions."""
        missing = record.number - self._sending.latest - 1
        if missing > 0:
            self.moves.lost()
        if missing < 0:
            return  # it was appended twice
        self._sending.read(record.number)
        if not self._memory.fetch(record):
            self.moves.lost()
        self._memory.passed(record.number)
        if record.kind == kinds.PUBLICATION:
            self.moves.take(record)
        elif record.kind == kinds.MOVE:
            self._handle(record)

    def _miss(self, worker: str, count: int) -> None:
        """Records were lost: end the sessions of clients that rely on every one of them."""
        self.lost += count
        logger.error("%d records of worker %s were lost at the broker %s", count, worker, self.broker.name)
        self._publications.give_up("publications of another worker were lost")
        self.moves.lost()
        if not self._recovering:
            self._recovering = True
            asyncio.get_running_loop().call_later(BEAT / 2, self._recover)

    def _recover(self) -> None:
        self._recovering = False
        self._introduce()

    def _publication(self, record: Record) -> None:
        had = self.moves.had(record)
        self._publications.deliver(record, self._versions, had=had)
        self.moves.take(record)

    def _retained(self, record: Record) -> None:
        del record.fields[0]
        self._publications.deliver(record, self._versions, again=True)

    def _hello(self, record: Record) -> None:
        if record.fields[0]:
            self._publications.give_up("a worker stood still, and what it published is lost")
        self._membership.introduce()
        if self._membership.is_senior(record.origin):
            for draft in self._publications.retained(record.origin):
                self._sending.put(draft)

    def _dead(self, record: Record) -> None:
        worker = str(record.fields[0])
        if worker == self.origin:
            logger.warning("this worker was taken for dead by %s: it was stopped for too long", record.origin)
            self.peers.bury(worker)
            self._be_born()
            self._introduce(reborn=True)
        else:
            self._membership.bury(worker)
