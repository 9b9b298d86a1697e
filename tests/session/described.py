"""Methods of every kind, for tests of calls."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from wslink import App, Call, MethodError

HELLO = {"secret": "secret"}
both = pytest.mark.parametrize("generation", [1, 2])


@dataclasses.dataclass
class Light:
    azimuth: float
    altitude: float = 45.0


def describe(app: App) -> None:
    @app.method("test.light")
    def light(azimuth: float, altitude: float = 45.0, *, mode: str = "soft") -> dict[str, Any]:
        return {"azimuth": azimuth, "altitude": altitude, "mode": mode}

    @app.method("test.shape")
    async def shape(light: Light, points: list[tuple[float, float]]) -> list[Any]:
        return [type(light).__name__, light.altitude, type(points[0]).__name__]

    @app.method("test.echo")
    def echo(value: Any = None) -> Any:
        return value

    @app.method("test.who")
    def who(call: Call) -> list[Any]:
        return [call.client_id, call.method, call.app is app]

    @app.method("test.fail")
    def fail(how: str) -> None:
        raise {"value": ValueError("no"), "method": MethodError("too steep", {"max": 30}, code=7)}[how]

    @app.method("test.object")
    def an_object() -> object:
        return object()
