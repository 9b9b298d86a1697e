"""State that several launchers share, in Redis or Valkey.

A launcher holds a lease, which it renews every second. Each session has one owner; who is not that changes nothing of
it. When a lease has run out, another launcher may take over the sessions that it can reach. All of that happens in
scripts, of which the server runs one at a time: limits hold and no session has two owners, whoever asks when.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Collection, Mapping
from typing import Any

import redis.asyncio as redis
from redis.exceptions import RedisError

from wslink.errors import NoResources, UsageError
from wslink.launcher.admission import Admission, too_fast, too_many
from wslink.launcher.configuration import Settings
from wslink.launcher.session import Session
from wslink.launcher.stores import scripts
from wslink.launcher.stores.base import Changes, Place, Record, Store
from wslink.launcher.stores.identity import Identity, runs

logger: logging.Logger = logging.getLogger("wslink.launcher")

LEASE = 10.0
"""Seconds without a sign of life after which a launcher's sessions may be taken over."""
TIMEOUT = 2.0
"""Seconds after which a server that does not answer counts as away."""
ERRORS = (RedisError, OSError, asyncio.TimeoutError)


class RedisStore(Store):
    """See above.

    Args:
        url: as redis-py takes it.
        name: what the launchers that share the state have in common.
        identity: this launcher's.
    """

    shared = True

    def __init__(self, url: str, name: str, identity: Identity) -> None:
        try:
            self._redis: Any = redis.Redis.from_url(
                url, decode_responses=True, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
            )
        except ValueError as error:
            raise UsageError(f"configuration.state: {error}") from error
        self._prefix = f"{{wslink:{name}}}:"
        self._me = identity
        self._token = f"{identity.machine} {identity.process}"
        self._unwritten: dict[str, Record | None] = {}
        self._writing = asyncio.Lock()
        self._failing = False

    async def open(self) -> None:
        try:
            await self._take_name()
        except ERRORS as error:
            await self._redis.aclose()
            raise UsageError(f"configuration.state: {error}") from error
        except UsageError:
            await self._redis.aclose()
            raise

    def admission(self, settings: Settings, sessions: Mapping[str, Session]) -> Admission:
        return SharedAdmission(self, settings)

    async def count(self, client: str, session_id: str, sessions: int, starts: int) -> int:
        """Count a session of a client, unless it has too many; one of `scripts.ADMIT`'s answers. Raises ERRORS."""
        return int(await self._run(scripts.ADMIT, session_id, self._me.name, client, sessions, starts))

    async def put(self, session_id: str, record: Record) -> None:
        self._unwritten[session_id] = record
        await self._catch_up()

    async def delete(self, session_id: str) -> None:
        self._unwritten[session_id] = None
        await self._catch_up()

    async def records(self) -> dict[str, Record | None]:
        return await self._records_of(self._me.name)

    async def look(self, own: Collection[str]) -> Changes:
        changes = Changes()
        with contextlib.suppress(*ERRORS):
            if not await self._renew():
                logger.error("another launcher has the name %s: give each its own", self._me.name)
            ids = list(own)
            owners = await self._redis.hmget(f"{self._prefix}owner", ids) if ids else []
            changes.lost = [one for one, owner in zip(ids, owners, strict=True) if owner not in (None, self._me.name)]
            changes.forgotten = [one for one, owner in zip(ids, owners, strict=True) if owner is None]
            changes.adopted = await self._adopt()
        await self._catch_up()
        return changes

    async def find(self, session_id: str) -> Place | None:
        """Raises NoResources if the state cannot be asked."""
        try:
            owner = await self._redis.hget(f"{self._prefix}owner", session_id)
            if owner is None:
                return None
            told = await self._redis.hget(f"{self._prefix}launchers", owner)
            alive = await self._redis.exists(f"{self._prefix}lease:{owner}")
        except ERRORS as error:
            raise _away(error) from error
        return Place(owner, json.loads(told)["url"] if told else "", bool(alive and told))

    async def of_client(self, client: str) -> dict[str, Record]:
        """Raises NoResources if the state cannot be asked."""
        try:
            ids = list(await self._redis.smembers(f"{self._prefix}held:{client}"))
            found = await self._redis.hmget(f"{self._prefix}record", ids) if ids else []
        except ERRORS as error:
            raise _away(error) from error
        return {one: json.loads(text) for one, text in zip(ids, found, strict=True) if text is not None}

    async def close(self) -> None:
        await self._catch_up()
        with contextlib.suppress(*ERRORS):
            await self._run(scripts.LEAVE, self._me.name, self._token)
        with contextlib.suppress(*ERRORS):
            await self._redis.aclose()

    # Inside -----------------------------------------------------------------

    async def _run(self, script: str, *arguments: str | int) -> Any:
        return await self._redis.eval(script, 1, self._prefix, *arguments)

    async def _take_name(self) -> None:
        """Hold the lease of this launcher's name. An earlier process of it on this machine that has ended does not
        count."""
        await self._is_alive(self._me.name)
        for _ in range(int(LEASE)):
            if await self._renew():
                return
            logger.warning("another launcher has the name %s; waiting for its end", self._me.name)
            await asyncio.sleep(1)
        if not await self._renew():
            raise UsageError(
                f"configuration.launcher: another launcher has the name {self._me.name}; give each its own"
            )

    async def _renew(self) -> bool:
        told = json.dumps({"url": self._me.url, "machine": self._me.machine})
        return bool(await self._run(scripts.RENEW, self._me.name, self._token, int(LEASE * 1000), told))

    async def _is_alive(self, name: str) -> bool:
        """Whether a launcher has its lease. One of this machine whose process has ended loses it at once."""
        holder = await self._redis.get(f"{self._prefix}lease:{name}")
        machine, _, process = (holder or "").rpartition(" ")
        if holder and machine == self._me.machine and not runs(process):
            await self._run(scripts.LEAVE, name, holder)
            return False
        return holder is not None

    async def _adopt(self) -> dict[str, Record | None]:
        """Sessions of launchers that have ended, which are this one's from now on."""
        launchers = await self._redis.hgetall(f"{self._prefix}launchers")
        adopted: dict[str, Record | None] = {}
        for name, told in launchers.items():
            if name == self._me.name or await self._is_alive(name):
                continue
            near = json.loads(told)["machine"] == self._me.machine
            for session_id, record in (await self._records_of(name)).items():
                reachable = near or record is None or record.get("anywhere", False)
                if reachable and await self._run(scripts.CLAIM, session_id, name, self._me.name):
                    adopted[session_id] = record
            await self._run(scripts.BURY, name)
        return adopted

    async def _records_of(self, launcher: str) -> dict[str, Record | None]:
        owners = await self._redis.hgetall(f"{self._prefix}owner")
        ids = [one for one, owner in owners.items() if owner == launcher]
        found = await self._redis.hmget(f"{self._prefix}record", ids) if ids else []
        return {one: json.loads(text) if text is not None else None for one, text in zip(ids, found, strict=True)}

    async def _catch_up(self) -> None:
        """Write what is to be written, in order."""
        try:
            async with self._writing:
                for session_id, record in list(self._unwritten.items()):
                    await self._write(session_id, record)
                    if self._unwritten.get(session_id) is record:
                        del self._unwritten[session_id]
        except ERRORS as error:
            if not self._failing:
                logger.error("the state cannot be written: %s", error)
            self._failing = True
        else:
            self._failing = False

    async def _write(self, session_id: str, record: Record | None) -> None:
        if record is None:
            await self._run(scripts.DELETE, session_id, self._me.name)
        else:
            await self._run(scripts.PUT, session_id, self._me.name, record["client"], json.dumps(record))


class SharedAdmission(Admission):
    """Counts the sessions of all launchers that share a state.

    Args:
        store: the state.
        settings: this launcher's; others should have the same.
    """

    def __init__(self, store: RedisStore, settings: Settings) -> None:
        self._store = store
        self.change(settings)

    def change(self, settings: Settings) -> None:
        self._sessions, self._starts = settings.sessions_per_client, settings.starts_per_minute

    async def admit(self, client: str, session_id: str) -> None:
        """Raises NoResources too, if the state cannot be asked."""
        if not client:
            return
        try:
            answer = await self._store.count(client, session_id, self._sessions, self._starts)
        except ERRORS as error:
            raise _away(error) from error
        if answer:
            raise too_many(self._sessions) if answer == scripts.TOO_MANY else too_fast(self._starts)


def _away(error: BaseException) -> NoResources:
    logger.warning("the state cannot be asked: %s", error)
    return NoResources("The launchers' common state cannot be reached")
