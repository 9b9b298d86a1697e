"""A room of viewers who see each other's names and cursors, whichever worker serves them."""

from __future__ import annotations

import os

from wslink import App, Call, Credentials, Identity

app = App(broker=os.environ.get("ROOM_BROKER", "redis://localhost:6379?name=room"))
app.presence("room.presence", group="room")
cursors = app.topic("room.cursor", delivery="latest")


@app.authenticate
def who(credentials: Credentials) -> Identity:
    """Anybody may come in, under the name in the URL."""
    return Identity(credentials.query.get("name", "")[:40] or "somebody")


@app.method("room.enter")
def enter(call: Call) -> int:
    """Enter the room; the process that serves this client."""
    app.clients[call.client_id].join("room")
    return os.getpid()


@app.method("room.point")
def point(x: float, y: float, call: Call) -> None:
    """Show the others where this client points."""
    at = {"id": call.client_id, "x": x, "y": y}
    cursors.publish(at, key=call.client_id, to=app.group("room"), exclude=call.client_id)
