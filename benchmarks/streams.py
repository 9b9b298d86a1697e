"""Streams: the rate of items beside that of publications, and the memory of both ends of a large upload.

    scripts/streams                         the rates of 1 KiB items and publications, and their ratio
    scripts/streams --upload 10             10 GiB from the Python client, 1 MiB at a time
    scripts/streams --upload 1 --client js  from Node, out of a ReadableStream

Each end is a process of its own, on loopback. Needs Linux (it reads /proc) and scripts/setup. Exit code 1 where the
ratio is below 0.5, or an end has grown by more than 16 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgpack

import wslink
from wslink import App

MIB, GIB = 1 << 20, 1 << 30
ITEM = bytes(1024)
COUNT = 20_000
WINDOWS = 5
CREDIT = 256
MAX_GROWTH = 16
MIN_RATIO = 0.5
HEADER = struct.Struct("<III")
CLIENT = Path(__file__).parent.parent / "js" / "dist" / "index.js"
JAVASCRIPT = """
const { connect } = await import(process.argv[1]);
const link = await connect(process.argv[2], { secret: "s3cret", maxMessage: 2 ** 30 });
const [size, part] = [Number(process.argv[3]), new Uint8Array(2 ** 20)];
const source = (bytes) => {
  let left = bytes;
  const pull = (stream) => {
    if (left > 0) stream.enqueue(part);
    else stream.close();
    left -= part.length;
  };
  return new ReadableStream({ pull }, { highWaterMark: 0 });
};
await link.call("bench.take_stream", [source(64 * 2 ** 20)]);
console.log("ready");
await new Promise((resolve) => process.stdin.once("data", resolve));
console.log(await link.call("bench.take_stream", [source(size)], {}, { timeout: 0 }));
await link.close();
process.exit();
"""


# The server, a process of its own


async def serve() -> None:
    app = App(secret="s3cret")
    topic = app.topic("bench.topic")

    @app.method("bench.items")
    async def items(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield ITEM

    @app.method("bench.publish")
    async def publish(count: int) -> None:
        for n in range(count):
            topic.publish(ITEM)
            if not n % 32:
                await asyncio.sleep(0)

    @app.method("bench.take_stream")
    async def take_stream(data: AsyncIterator[bytes]) -> int:
        total = 0
        async for part in data:
            total += len(part)
        return total

    server = await app.serve(host="127.0.0.1", port=0, ready_msg="")
    print(server.port, flush=True)
    await server.wait_closed()


# Rates, as a client takes them that does nothing else


async def rates(url: str) -> tuple[float, float]:
    """Items and publications per second."""
    async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:

        async def send(message: object) -> None:
            text = msgpack.packb(message)
            await socket.send_bytes(HEADER.pack(1, 0, len(text)) + text)

        async def request(id_: str, method: str, *args: object, **more: object) -> None:
            await send({"wslink": "1.0", "id": id_, **more, "method": method, "args": args, "kwargs": {}})

        await request("system:c0:0", "wslink.hello", {"secret": "s3cret", "features": ["stream"]})
        await socket.receive_bytes()
        start = time.perf_counter()
        await request("rpc:c0:1", "bench.items", COUNT, stream=CREDIT)
        for n in range(1, COUNT + 1):
            await socket.receive_bytes()
            if not n % (CREDIT // 2):
                await send([5, "rpc:c0:1", n + CREDIT])
        await socket.receive_bytes()
        middle = time.perf_counter()
        await request("rpc:c0:2", "bench.publish", COUNT)
        for _ in range(COUNT + 1):
            await socket.receive_bytes()
        return COUNT / (middle - start), COUNT / (time.perf_counter() - middle)


def measure_rates(url: str) -> bool:
    windows = [asyncio.run(rates(url)) for _ in range(WINDOWS)]
    items, publications = max(w[0] for w in windows), max(w[1] for w in windows)
    ratio = items / publications
    print(
        f"items of 1 KiB: {items:,.0f} a second; publications: {publications:,.0f}; "
        f"ratio {ratio:.2f} (at least {MIN_RATIO})"
    )
    return ratio >= MIN_RATIO


# Uploads


async def parts(size: int) -> AsyncIterator[bytes]:
    part = bytes(MIB)
    for _ in range(size // MIB):
        yield part


async def upload(url: str, size: int) -> None:
    """The client of an upload, a process of its own. It begins with a small one, which loads what it needs."""
    async with wslink.connect(url, secret="s3cret") as link:
        await link.call("bench.take_stream", parts(64 * MIB))
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        print(await link.call("bench.take_stream", parts(size)), flush=True)


def memory(pid: int, field: str) -> float:
    """MiB of a process: VmRSS now, VmHWM at most."""
    found = re.search(rf"{field}:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def measure_upload(url: str, server: int, size: int, client: str) -> bool:
    ours = [sys.executable, "-m", "benchmarks.streams", "--uploader", url, str(size)]
    node = ["node", "--input-type=module", "-e", JAVASCRIPT, str(CLIENT), url, str(size)]
    with subprocess.Popen(
        ours if client == "python" else node, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        pids = {"server": server, "client": process.pid}
        for pid in pids.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew
        before = {name: memory(pid, "VmRSS") for name, pid in pids.items()}
        start = time.perf_counter()
        process.stdin.write("\n")
        process.stdin.flush()
        taken = int(process.stdout.readline())
        seconds = time.perf_counter() - start
        growth = {name: memory(pid, "VmHWM") - before[name] for name, pid in pids.items()}
        process.terminate()
    rate = size / MIB / seconds
    print(f"{size / GIB:g} GiB from {client}: {seconds:.1f} s, {rate:,.0f} MiB/s; memory grew by", end=" ")
    print(", ".join(f"{name} {more:.1f} MiB" for name, more in growth.items()), f"(at most {MAX_GROWTH} MiB)")
    # Node collects its garbage when it likes to, so that its growth says nothing of what is held.
    held = growth["server"] if client == "js" else max(growth.values())
    return taken == size and held <= MAX_GROWTH


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upload", type=float, metavar="GIB", help="GiB to upload, instead of the rates")
    parser.add_argument("--client", choices=("python", "js"), default="python")
    parser.add_argument("--server", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--uploader", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.server:
        asyncio.run(serve())
        return 0
    if chosen.uploader:
        asyncio.run(upload(chosen.uploader[0], int(chosen.uploader[1])))
        return 0
    command = [sys.executable, "-m", "benchmarks.streams", "--server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"ws://127.0.0.1:{int(server.stdout.readline())}/ws"
        try:
            if chosen.upload is None:
                good = measure_rates(url)
            else:
                good = measure_upload(url, server.pid, int(chosen.upload * GIB) // MIB * MIB, chosen.client)
        finally:
            server.terminate()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
