"""The demo, examples/terrain, which prints when each light was set: its number and the time in seconds since 1970."""

from __future__ import annotations

import time

import common
from examples.terrain import server
from examples.terrain.renderer import Light

options = common.options()
turn = server.renderer.turn


def timed(azimuth: float, altitude: float) -> Light:
    light = turn(azimuth, altitude)
    print(light.number, time.time(), flush=True)
    return light


server.renderer.turn = timed  # type: ignore[method-assign]
server.app.run(content=str(server.WWW), host="127.0.0.1", port=options.port, ready_msg="", timeout=0)
