"""Our server under `sys.setprofile`: counts the Python functions that its event loop's thread enters between "start"
and "stop" on standard input, and prints them as JSON."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import sys
from types import CodeType, FrameType

SECRET = "wslink-secret"
WATCHED = {"metrics": {"metrics": True}, "inspector": {"inspector": True}, "recorder": {"recorder": 2**22}}

counts: collections.Counter[CodeType] = collections.Counter()


def count(frame: FrameType, event: str, _: object) -> None:
    if event == "call":
        counts[frame.f_code] += 1


def name(code: CodeType) -> str:
    return f"{getattr(code, 'co_qualname', code.co_name)} {code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"


async def serve_app(**settings: object) -> int:
    from wslink import App

    app = App(secret=SECRET)

    @app.method("bench.add")
    def add(a: int, b: int, c: int) -> int:
        return a + b + c

    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="", **settings)
    return server.port


async def serve_compat() -> int:
    from wslink import register
    from wslink.backends import create_webserver
    from wslink.websocket import LinkProtocol, ServerProtocol

    class Bench(LinkProtocol):
        @register("bench.add")
        def add(self, a, b, c):
            return a + b + c

    protocol = ServerProtocol()
    protocol.registerLinkProtocol(Bench())
    protocol.updateSecret(SECRET)
    server = create_webserver({"host": "127.0.0.1", "port": 0, "ws": {"ws": protocol}, "handle_signals": False})
    port = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().serving = asyncio.ensure_future(server.start(port.set_result))  # somebody holds it
    return await port


async def main() -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    port = await (serve_compat() if sys.argv[1] == "compat" else serve_app(**WATCHED.get(sys.argv[1], {})))
    print(port, flush=True)

    def command() -> None:
        word = sys.stdin.readline().strip()
        if word == "start":
            print("counting", flush=True)
            counts.clear()
            sys.setprofile(count)
        elif word == "stop":
            sys.setprofile(None)
            named = {
                f"{getattr(code, 'co_qualname', code.co_name)} {code.co_filename.rpartition('/')[2]}": n
                for code, n in counts.items()
            }
            print(json.dumps(named), flush=True)
        else:
            ended.set()

    loop.add_reader(sys.stdin, command)
    await ended.wait()


os.environ["WSLINK_READY_MSG"] = ""
asyncio.run(main())
os._exit(0)
