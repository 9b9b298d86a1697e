"""An application that plays a recording."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from wslink.errors import UsageError, WslinkError
from wslink.hub.clients import Client
from wslink.hub.publishing import Delivery
from wslink.hub.topics import Subscription
from wslink.observe.recorder import OWN
from wslink.replay.player import Pace, Player
from wslink.replay.tape import Asked, Tape
from wslink.rpc.call import current_call
from wslink.server.app import App
from wslink.wire.messages import is_method_name
from wslink.wire.value import Value

CONTROL = "wslink.replay"
"""What the names of methods begin with that step and pace a recording."""
PATIENCE = 60.0
"""Seconds that a page has to respond to a call."""


class Replay:
    """Serves a recording: to each client that subscribes, it is played from its beginning.

    Args:
        tape: the recording.
        speed: recorded seconds per second; `math.inf` for everything at once, 0 for single steps.
        loop: start again at its end.
        strict: respond only to calls with recorded arguments; otherwise others get the latest response of their method.
        secret: see App.

    Attributes:
        app: the application. In addition to the recorded methods it has `wslink.replay.step`, `.speed` and `.state`.

    Raises:
        UsageError: the speed is not valid.
    """

    def __init__(
        self, tape: Tape, *, speed: float = 1.0, loop: bool = False, strict: bool = False, secret: str | None = None
    ) -> None:
        _check_speed(speed)
        self.app: App = App(secret=secret, describe=False)
        self._tape = tape
        self._pace = Pace(speed, loop)
        self._strict = strict
        self._players: dict[str, Player] = {}
        self._calling: set[asyncio.Task[None]] = set()
        self._topics = {}
        for name, delivery in tape.topics.items():
            kind: Delivery = "latest" if delivery == "latest" else "reliable"
            self._topics[name] = topic = self.app.topic(name, delivery=kind)
            topic.on_subscribe(self._subscribed)
        for name in tape.methods:
            if is_method_name(name) and not name.startswith((OWN, "application.exit")):
                make = self._streaming if name in tape.streams else self._method
                self.app.method(name, run="loop")(make(name))
        self.app.on_disconnect(self._gone)
        self.app.method(f"{CONTROL}.step", run="loop")(self.step)
        self.app.method(f"{CONTROL}.speed", run="loop")(self.speed)
        self.app.method(f"{CONTROL}.state", run="loop")(self.state)

    def _player(self, client_id: str) -> Player:
        player = self._players.get(client_id)
        if player is None:
            player = Player(self._tape, self._topics, client_id, self._pace, self._strict, self._ask)
            self._players[client_id] = player
        return player

    def _subscribed(self, subscription: Subscription) -> None:
        self._player(subscription.client_id).subscribed(subscription)

    def _gone(self, client_id: str) -> None:
        player = self._players.pop(client_id, None)
        if player is not None:
            player.stop()

    def _method(self, name: str) -> Callable[..., Any]:
        def respond(*args: Any, **kwargs: Any) -> Any:
            call = current_call.get()
            assert call is not None
            return self._player(call.client_id).respond(name, list(args), kwargs)

        return respond

    def _streaming(self, name: str) -> Callable[..., Any]:
        async def stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            call = current_call.get()
            assert call is not None
            async for item in self._player(call.client_id).stream(name, list(args), kwargs):
                yield item

        return stream

    def _ask(self, client_id: str, asked: Asked) -> None:
        """Call a page like the server did. Its response is ignored."""
        client = self.app.clients.get(client_id)
        if client is not None:
            task = asyncio.get_running_loop().create_task(self._call(client, asked))
            self._calling.add(task)
            task.add_done_callback(self._calling.discard)

    async def _call(self, client: Client, asked: Asked) -> None:
        kwargs = {**asked.kwargs, "timeout": PATIENCE, "on_progress": None}  # these are not a page's
        with contextlib.suppress(WslinkError, TimeoutError, asyncio.TimeoutError):
            await client.call(asked.method, *asked.args, **kwargs)

    # Control --------------------------------------------------------------------

    def step(self, count: int = 1) -> dict[str, Value]:
        """Send every client the next publications at once; see `state`."""
        for player in self._players.values():
            player.step(count)
        return self.state()

    def speed(self, factor: float) -> dict[str, Value]:
        """Go on at another speed; 0 pauses. See `state`."""
        _check_speed(factor)
        before = self._pace.speed
        for player in self._players.values():
            self._pace.speed = before
            player.paced(factor)
        self._pace.speed = factor
        return self.state()

    def state(self) -> dict[str, Value]:
        """Where each client is: `clients` by id, each with `time` (seconds of the recording) and `position`
        (publications), of `publications` in all; and the `speed`."""
        players = {name: {"time": one.time, "position": one.position} for name, one in self._players.items()}
        return {"clients": players, "publications": len(self._tape.shown), "speed": self._pace.speed}


def _check_speed(speed: float) -> None:
    if not speed >= 0 or isinstance(speed, bool) or (speed < 1e-6 and speed != 0):
        raise UsageError(f"a speed is 0, to play in steps, or a number from 1e-6 on, not {speed!r}")
