"""`scripts/cuts --memory`: what a server holds for clients that are away, beside what it may keep for them."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

from tests.session.returning import Returning
from wslink import App, Limits

CLIENTS = 16
MAX_RESUME = 4 * 1024 * 1024
SIZES = (10, 1_000, 20_000, 500_000)
FLOWS = (["subscribe", "resume"], ["subscribe", "resume", "flow"])
ALLOWED = 64 * 1024


def _held() -> int:
    """Bytes that Python has allocated: what a process is given by the kernel depends on what it had before."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def measure(size: int, features: list[str], sent: bool) -> tuple[int, int]:
    """Bytes that were allocated for each client, and messages that were kept for it.

    Args:
        size: of a payload.
        features: that the clients have.
        sent: whether the messages have been sent and are not acknowledged; else they wait.
    """
    app = App(secret="secret", limits=Limits(max_resume=MAX_RESUME))
    topic = app.topic("test.topic")
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="")
    clients = [Returning(f"ws://127.0.0.1:{server.port}/ws", features) for _ in range(CLIENTS)]
    for client in clients:
        await client.connect()
        await client.subscribe(1, "test.topic")
        if not sent:
            await client.cut()
    await asyncio.sleep(0.2)
    before, messages = _held(), 0
    room = MAX_RESUME
    while room > (size + 1500):
        for client in clients:
            topic.publish(bytes(size), to=client.client_id)
        messages += 1
        room -= size + 1024 + 100
        if sent and messages % 20 == 0:
            await asyncio.sleep(0)
    if sent:
        await asyncio.sleep(1)
        for client in clients:
            client.publications.clear()
            await client.cut()
        await asyncio.sleep(0.2)
    grown = (_held() - before) // CLIENTS
    kept = len(app.clients)
    for client in clients:
        await client.close()
    await server.stop()
    assert kept == CLIENTS, "too much was published"
    return grown, messages


def main() -> int:
    worst = 0
    tracemalloc.start()
    for features in FLOWS:
        for size in SIZES:
            for sent in (False, True):
                grown, messages = asyncio.run(measure(size, features, sent))
                worst = max(worst, grown)
                kind = "sent" if sent else "waiting"
                print(f"{messages} messages of {size} bytes {kind}, {features[-1]}: {grown:,} bytes", flush=True)
    allowed = MAX_RESUME + ALLOWED
    print(f"a client that is away: at most {worst:,} bytes; allowed are {allowed:,}: max_resume and 64 KiB")
    return worst > allowed
