"""Hill-shading over one link: Python shades the tiles that a page looks at, in the light that the page asks for."""

from __future__ import annotations

import argparse
import asyncio
import math
from pathlib import Path
from typing import Any

from wslink import App, Call, MethodError, Subscription, Viewer

from . import shading
from .elevation import LEVELS, TILE, Elevation, Pyramid
from .renderer import Light, Renderer, View

WWW = Path(__file__).parent / "www"
SAMPLES = 512
"""Elevations in a profile."""
MOST_TILES = 200
"""A view of more than these is nobody's screen, and is not rendered."""

app = App()
surface = Elevation.jacksboro()
pyramid = Pyramid(surface)

# Rendered on demand: a page that draws more slowly than Python shades, or has a slow line, holds up itself alone.
tiles = app.topic("terrain.tile", delivery="latest")
lights = app.topic("terrain.light", delivery="latest")
viewers = app.topic("terrain.viewers", delivery="latest")


renderer = Renderer(pyramid, Light(0, azimuth=315.0, altitude=38.0))

# What is rendered: what a page looks at, when it can take another tile ------------


@tiles.on_demand
async def render(viewer: Viewer) -> dict[str, Any] | None:
    """The next tile for one page, with as many pixels as its line carries; all of them when nothing moves."""
    view = viewer.memory.setdefault("view", View())
    if viewer.memory.get("filter") is not viewer.filter:  # a page looks at a region, for the first time or after a move
        viewer.memory["filter"] = viewer.filter
        wanted = [tile for tile in pyramid.tiles if viewer.matches(tile._asdict())]
        view.look_at(wanted if len(wanted) <= MOST_TILES else ())
    picture = await asyncio.to_thread(renderer.render, view, viewer.quality, viewer.still)
    if picture is None:
        return None
    viewer.again(parts=len(view.tiles))
    tile, light, frame, step, size, pixels = picture
    shown = {"step": step, "size": size, "quality": viewer.quality, "lag": viewer.lag, "window": viewer.window}
    return {**tile._asdict(), **shown, "light": light.number, "frame": frame, "pixels": pixels}


@tiles.on_subscribe
@tiles.on_unsubscribe
def look(subscription: Subscription) -> None:
    tell_viewers()


# What all pages share: the light, and who looks where ---------------------------


@lights.on_subscribe
def show_light(subscription: Subscription) -> None:
    lights.publish(renderer.light._asdict(), to=subscription.client_id)


@viewers.on_subscribe
def show_viewers(subscription: Subscription) -> None:
    tell_viewers()


away: set[str] = set()  # pages that have gone, or whose line is broken: the server keeps their sessions for a while


@app.on_connect
@app.on_resume
@app.on_disconnect
def count(client_id: str) -> None:
    away.discard(client_id)
    tell_viewers()


@app.on_detach
def count_out(client_id: str) -> None:
    away.add(client_id)
    tell_viewers()


def tell_viewers() -> None:
    """Tell every page how many there are, and what each of them looks at."""
    views = [
        {"client": view.client_id, "filter": view.filter} for view in tiles.subscriptions if view.client_id not in away
    ]
    viewers.publish({"clients": len(app.clients) - len(away), "views": views})


# What pages call ----------------------------------------------------------------


@app.method("terrain.info")
def info() -> dict[str, Any]:
    """The land's extent in metres and degrees, its range of elevations, and its pyramid, the coarsest level first."""
    levels = [
        {"resolution": pyramid.resolution(level), "size": pyramid.size(level), "tiles": pyramid.counts(level)}
        for level in range(LEVELS)
    ]
    return {
        "name": "Jacksboro Fault",
        "width": surface.width,
        "height": surface.height,
        "northWest": surface.north_west,
        "southEast": surface.south_east,
        "elevation": [surface.lowest, surface.highest],
        "tile": TILE,
        "levels": levels,
        "ramp": shading.RAMP,
        "light": renderer.light._asdict(),
    }


@app.method("terrain.light")
def light(azimuth: float, altitude: float, call: Call) -> dict[str, Any]:
    """Turn the light, for everyone. Angles in degrees: azimuth clockwise from north, altitude above the horizon."""
    if not (math.isfinite(azimuth) and math.isfinite(altitude)):
        raise MethodError("azimuth and altitude must be finite")
    now = renderer.turn(azimuth % 360, min(max(altitude, 0.0), 90.0))._asdict()
    tiles.changed()
    lights.publish(now, exclude=call.client_id)
    return now


@app.method("terrain.profile")
def profile(points: list[tuple[float, float]]) -> dict[str, Any]:
    """Elevations at equal steps along the line through `points`: metres east and south of the north-west corner."""
    if not 2 <= len(points) <= 100:
        raise MethodError(f"a profile is along 2 to 100 points, not {len(points)}")
    elevation, length = surface.profile(points, SAMPLES)
    return {"elevation": elevation, "length": length}


def main() -> None:
    """Serve the viewer until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="localhost", help="interface to listen on; 0.0.0.0 for all")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on; 0 picks a free one")
    arguments = parser.parse_args()
    app.run(content=str(WWW), host=arguments.host, port=arguments.port)
