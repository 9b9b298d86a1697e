"""Features of the protocol are registered, negotiated and used without a change anywhere else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.conftest import Open, Serve
from wslink import App, UsageError
from wslink.errors import InvalidParams
from wslink.session.features import Feature, Features, Handler
from wslink.session.features.arrays import Arrays
from wslink.session.view import SessionView
from wslink.wire.messages import Request


class Notes(Feature):
    """Clients leave notes, and read those of their own connection."""

    name = "notes"

    def __init__(self) -> None:
        self._notes: dict[str, list[object]] = {}

    @property
    def methods(self) -> Mapping[str, Handler]:
        return {"notes.add": self._add, "notes.read": self._read}

    def accept(self, session: SessionView) -> None:
        self._notes[session.client_id] = []

    def _add(self, session: SessionView, request: Request) -> None:
        if not request.args:
            raise InvalidParams("notes.add takes a note", request.method)
        self._notes[session.client_id].extend(request.args)
        session.result(request.id, len(self._notes[session.client_id]))

    def _read(self, session: SessionView, request: Request) -> None:
        session.result(request.id, self._notes[session.client_id])


@pytest.mark.parametrize("version", [1, 2])
async def test_a_feature_of_an_application_is_negotiated_and_used(serve: Serve, peers: Open, version: int) -> None:
    url = await serve(App(secret="secret", features=[Notes()]))
    peer = await peers(url, version)
    assert (await peer.hello(features=["notes", "unknown"]))["result"]["features"] == ["notes"]  # EXT-2
    other = await peers(url, version)
    await other.hello(features=["notes"])
    assert (await peer.system("notes.add", "a note"))["result"] == 1
    assert (await peer.system("notes.read", None))["result"] == ["a note"]
    assert (await other.system("notes.read", None))["result"] == []
    plain = await peers(url, version, hello={"secret": "secret"})
    assert (await plain.system("notes.read", None))["error"]["code"] == -32601


def test_names_and_methods_are_taken_once() -> None:
    features = Features([Notes()])
    with pytest.raises(UsageError, match="'notes' is registered already"):
        features.register(Notes())

    class Other(Notes):
        name = "other"

    with pytest.raises(UsageError, match=r"notes\.add"):
        features.register(Other())


def test_a_feature_exists_in_its_versions_alone() -> None:
    features = Features([Arrays(), Notes()])
    announced = ("arrays", "notes", "arrays", "unknown")
    assert (features.granted(announced, 1), features.granted(announced, 2)) == (("notes",), ("arrays", "notes"))
