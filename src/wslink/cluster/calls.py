"""Calls to clients of other workers, and commands about them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from wslink.cluster import records as kinds
from wslink.cluster.records import Draft, Record
from wslink.cluster.remote import RemoteClient
from wslink.errors import CLIENT_ERROR, CallError, ClientGone, WslinkError
from wslink.hub.hub import Hub
from wslink.waiting import within
from wslink.wire.codec import V2_WITH_ARRAYS
from wslink.wire.v2_msgpack import Packed
from wslink.wire.value import Value


class Put(Protocol):
    """Queues a draft (cluster.outbox.Outbox.put)."""

    def __call__(self, draft: Draft, must: bool) -> None: ...


class RemoteCalls:
    """Calls between workers. Use it on the event loop's thread, except for `call`.

    Args:
        hub: this worker's hub.
        put: see Put.
    """

    def __init__(self, hub: Hub, put: Put) -> None:
        self._hub = hub
        self._put = put
        self._ids = itertools.count(1)
        self._pending: dict[int, tuple[str, asyncio.Future[Value]]] = {}
        self._serving: dict[tuple[str, int], asyncio.Task[None]] = {}

    async def call(
        self,
        client: RemoteClient,
        method: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        timeout: float | None,
    ) -> Value:
        """See Client.call. Await it in the server's event loop or the application's."""
        return await self._hub.on_loop_await(self._call(client, method, args, kwargs, timeout))

    async def _call(
        self,
        client: RemoteClient,
        method: str,
        args: Sequence[Value],
        kwargs: Mapping[str, Value],
        timeout: float | None,
    ) -> Value:
        heads, buffers = _packed([list(args), dict(kwargs)])
        id_, outcome = next(self._ids), asyncio.get_running_loop().create_future()
        self._put(Draft(kinds.CALL, [client.worker, id_, client.id, method, timeout, heads], buffers), must=False)
        self._pending[id_] = client.id, outcome
        try:
            return await within(outcome, timeout)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            self._put(Draft(kinds.CANCEL, [client.worker, id_]), must=True)
            raise
        finally:
            del self._pending[id_]

    def order(self, client: RemoteClient, what: str, argument: Value) -> None:
        """See remote.Order."""
        self._put(Draft(kinds.COMMAND, [client.worker, client.id, what, argument]), must=True)

    def obey(self, record: Record) -> None:
        """Execute another worker's command about a client of this one."""
        _, client_id, what, argument = record.fields
        client = self._hub.clients.get(str(client_id))  # it may have moved to yet another worker
        if client is not None:
            does: dict[str, Callable[[str], object]] = {
                "disconnect": client.disconnect, "join": client.join, "leave": client.leave,
            }  # fmt: skip
            does[what](str(argument))

    def look(self) -> None:
        """Fail the calls to clients that have gone."""
        for client_id, outcome in list(self._pending.values()):
            if client_id not in self._hub.community.remote and not outcome.done():
                outcome.set_exception(ClientGone(client_id))

    def respond(self, record: Record) -> None:
        """Another worker has responded to a call."""
        _, id_, error, heads = record.fields
        _, outcome = self._pending.get(id_, ("", None))
        if outcome is None or outcome.done():
            return
        value = V2_WITH_ARRAYS.unpack(Packed.restore(heads, record.payload))
        if error is None:
            outcome.set_result(value)
        else:
            outcome.set_exception(CallError(error[0], error[1], value) if error[0] else ClientGone(error[1]))

    def serve(self, record: Record) -> None:
        """Make a call for another worker."""
        _, id_, client_id, method, timeout, heads = record.fields
        args, kwargs = V2_WITH_ARRAYS.unpack(Packed.restore(heads, record.payload))
        key = record.origin, int(id_)
        task = self._hub.work.spawn(self._serve(key, str(client_id), str(method), args, kwargs, timeout))
        self._serving[key] = task
        task.add_done_callback(lambda _: self._serving.pop(key, None))

    def cancel(self, record: Record) -> None:
        """Another worker has given up a call."""
        task = self._serving.get((record.origin, record.fields[1]))
        if task is not None:
            task.cancel()

    async def _serve(
        self, key: tuple[str, int], client_id: str, method: str, args: list[Value], kwargs: dict[str, Value],
        timeout: float | None,
    ) -> None:  # fmt: skip
        error: list[Value] | None = None
        value: Value = None
        client = self._hub.clients.get(client_id)
        try:
            if client is None:
                raise ClientGone(client_id)
            value = await client.call(method, *args, timeout=timeout, **kwargs)
        except CallError as failure:
            error, value = [failure.code, failure.message], failure.data
        except ClientGone as failure:
            error = [0, failure.client_id]
        except (WslinkError, asyncio.TimeoutError) as failure:
            error = [CLIENT_ERROR, str(failure)]
        heads, buffers = _packed(value)
        self._put(Draft(kinds.RESULT, [key[0], key[1], error, heads], buffers), must=True)


def _packed(value: Value) -> tuple[list[Value], Sequence[bytes | bytearray | memoryview]]:
    return V2_WITH_ARRAYS.pack(value).flatten()
