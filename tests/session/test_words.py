"""What a client is told of a hello or a message of an extension that is malformed, to the letter, and what is read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgpack
import pytest

from wslink.errors import AuthenticationError, InvalidParams, InvalidRequest, PeerError
from wslink.session.cancelled import CancelledCalls
from wslink.session.features.acknowledgement import numbers_of, take_acknowledgement
from wslink.session.hello import FIRST, Hello, answer, parse_hello
from wslink.session.intake import is_extension, is_response
from wslink.session.resumption import Return
from wslink.session.tokens import MAX_VERDICTS, Tokens, digest
from wslink.version import __version__
from wslink.wire.chunks import HEADER
from wslink.wire.extensions import is_uncounted, number
from wslink.wire.messages import Request

MOST = 3
FEATURES = "wslink.hello: 'features' must be a list of strings"
TOKEN = "wslink.hello: the token of 'resume' must be a string of 32 hexadecimal digits"
NUMBERS = (
    "wslink.hello: 'received' and 'missing' of 'resume' must be an integer of 0 or more, and a list of at most 3 of "
    "these"
)
BEGUN = "wslink.hello: 'begun' of 'resume' must be a list of at most 3 pairs of a number and bytes"


def hello(*args: Any) -> Hello:
    return parse_hello(Request("wslink.hello", "system:c0:0", list(args)), MOST)


def resume(**given: Any) -> Any:
    return {"features": ["resume"], "resume": given}


@pytest.mark.parametrize(
    ("given", "kind", "why"),
    [
        ("secret", AuthenticationError, "Authentication failed"),
        ({"features": "resume"}, InvalidParams, FEATURES),
        ({"features": ["a", 1]}, InvalidParams, FEATURES),
        ({"features": ["resume"], "resume": 3}, InvalidParams, "wslink.hello: 'resume' must be a map"),
        (resume(token=3), InvalidParams, TOKEN),
        (resume(token="x" * 65), InvalidParams, TOKEN),
        (resume(received=-1), InvalidParams, NUMBERS),
        (resume(received=True), InvalidParams, NUMBERS),
        (resume(received=1.5), InvalidParams, NUMBERS),
        (resume(missing=3), InvalidParams, NUMBERS),
        (resume(missing=[1, -1]), InvalidParams, NUMBERS),
        (resume(missing=[1] * 4), InvalidParams, NUMBERS),
        (resume(begun=3), InvalidParams, BEGUN),
        (resume(begun=[3]), InvalidParams, BEGUN),
        (resume(begun=[[3]]), InvalidParams, BEGUN),
        (resume(begun=[[3, 0]]), InvalidParams, BEGUN),
        (resume(begun=[[0, 3]]), InvalidParams, BEGUN),
        (resume(begun=[[3, 3, 3]]), InvalidParams, BEGUN),
        (resume(begun=[[3, True]]), InvalidParams, BEGUN),
        (resume(begun=[[3, 3]] * 4), InvalidParams, BEGUN),
    ],
)
def test_a_malformed_hello_is_refused_in_a_sentence(given: Any, kind: type[PeerError], why: str) -> None:
    with pytest.raises(kind) as caught:
        hello(given)
    assert caught.value.message == why
    assert caught.value.data == (None if kind is AuthenticationError else "wslink.hello")


def test_what_a_hello_says() -> None:
    assert hello() == Hello(None, False, (), {}, FIRST)
    assert hello({"secret": None}) == Hello(None, True, (), {}, FIRST)
    assert hello({"secret": "s", "features": None, "client": 3}) == Hello("s", True, (), {}, FIRST)
    assert hello({"features": ["a"], "client": {"name": "n"}, "resume": 3}).back is FIRST  # not announced
    assert hello({"features": ["a"], "client": {"name": "n"}}) == Hello(None, False, ("a",), {"name": "n"}, FIRST)
    assert hello({"features": ["resume"], "resume": None}).back == Return()
    assert hello(resume()).back == Return("", 0, (), ())
    whole = resume(token="x" * 64, received=0, missing=[0, 1, 2], begun=[[1, 1], [2, 2], [3, 3]])
    assert hello(whole).back == Return("x" * 64, 0, (0, 1, 2), ((1, 1), (2, 2), (3, 3)))


def test_the_answer_to_a_hello() -> None:
    plain, modern = Hello(None, False), Hello(None, False, ("a", "b"))
    assert answer(plain, "c1", 1, 99, ()) == {"clientID": "c1"}
    assert answer(plain, "c1", 2, 99, ()) == {"clientID": "c1", "maxMsgSize": 99}
    server = {"name": "wslink", "version": __version__}
    assert answer(modern, "c1", 2, 99, ("a",)) == {
        "clientID": "c1",
        "maxMsgSize": 99,
        "features": ["a"],
        "server": server,
    }
    named = Hello(None, False, (), {"name": "n"})
    assert answer(named, "c1", 1, 99, ()) == {"clientID": "c1", "features": [], "server": server}


class Session:
    """What an acknowledgement reaches; `previous` is a token that counts until then."""

    def __init__(self, resumes: bool = False, flow: bool = True, previous: str = "") -> None:
        self.said: list[Any] = []
        acknowledge = lambda *given: self.said.append(("has", *given))  # noqa: E731
        self.resumption = SimpleNamespace(acknowledge=acknowledge, previous=previous) if resumes else None
        self.flow = SimpleNamespace(acknowledged=lambda *given: self.said.append(("flow", *given))) if flow else None
        self.acknowledgements = SimpleNamespace(send=lambda: self.said.append("send"))

    def void_previous_token(self) -> None:
        self.said.append("void")


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([1], "bytes received must be an integer of 0 or more, not None"),
        ([1, -1, 0], "bytes received must be an integer of 0 or more, not -1"),
        ([1, 5], "milliseconds held must be an integer of 0 or more, not None"),
        ([1, 5, "x" * 50], f"milliseconds held must be an integer of 0 or more, not {'x' * 40}"),
        ([1, 5, 0], "the number received must be an integer of 0 or more, not None"),
        ([1, 5, 0, 1, 3], "the numbers that are missing must be a list"),
        ([1, 5, 0, 1, [0] * 4097], "the numbers that are missing must be a list"),
        ([1, 5, 0, 1, [1, -1]], "a number must be an integer of 0 or more, not -1"),
        ([1, 5, 0, True, []], "the number received must be an integer of 0 or more, not True"),
    ],
)
def test_a_malformed_acknowledgement_is_refused_in_a_sentence(items: Any, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        take_acknowledgement(Session(True), items)  # type: ignore[arg-type]
    assert caught.value.message == why


def test_what_an_acknowledgement_says() -> None:
    for session, items, said in (
        (Session(), [1, 5, 2], [("flow", 5, 2)]),
        (Session(), [1, 0, 0, "ignored"], [("flow", 0, 0)]),
        (Session(True), [1, 5, 2, 7], [("has", 7, frozenset()), ("flow", 5, 2)]),
        (Session(True), [1, 5, 2, 7, [3, 4]], [("has", 7, frozenset((3, 4))), ("flow", 5, 2)]),
        (Session(True, False), [1, 5, 2, 7, [], True], [("has", 7, frozenset()), "send"]),
        (Session(True, False), [1, 5, 2, 7, [], 1], [("has", 7, frozenset())]),
        (Session(True, False, "token"), [1, 5, 2, 7], [("has", 7, frozenset()), "void"]),
        (Session(False, False), [1, 5, 2, 7, [], True], []),
    ):
        take_acknowledgement(session, items)  # type: ignore[arg-type]
        assert session.said == said
    assert numbers_of([1, 5, 0, 9, list(range(4096))]) == (9, frozenset(range(4096)))


def frame(value: Any, offset: int = 0, more: int = 0) -> bytes:
    text = msgpack.packb(value)
    return HEADER.pack(1, offset, len(text) + more) + text


def test_which_frames_pass_those_that_wait() -> None:
    passing = [[kind, 5] for kind in (1, 2, 5, 6)]
    assert [is_extension(frame(one)) for one in passing] == [True] * 4
    assert [is_extension(frame(one)) for one in ([3, 5], [4, 5], [7, 5], {}, [], [1] * 16, "x")] == [False] * 7
    long = [1, "x" * 495]
    assert (len(frame(long)), is_extension(frame(long))) == (512, True)
    assert not is_extension(frame([1, "x" * 496]))
    assert not is_extension(frame([1, 5], 1))
    assert not is_extension(frame([1, 5]).decode("latin"))
    assert not is_extension(frame([1, 5])[:13])
    assert is_response(frame({"id": "x", "result": 1}))
    assert is_response(memoryview(frame({"error": 1})))
    for other in ({"id": "x", "method": "a"}, {"id": "x"}, [1]):
        assert not is_response(frame(other))
    for value in (frame({"result": 1}, 1), frame({"result": 1}, 0, 1), "text"):
        assert not is_response(value)
    assert [is_uncounted(one) for one in ([1], [2], [5], [3], [6], [], [True], [1.0])] == [True] * 3 + [False] * 5
    assert number([1, 2], 1, "it") == 2


def test_calls_that_were_cancelled_while_they_waited() -> None:
    cancelled = CancelledCalls()
    assert not cancelled
    cancelled.add("a", 0, 3)  # in frames 0 to 2
    cancelled.add("b", 0, 3)
    assert cancelled
    assert not cancelled.take("other", 1)
    assert cancelled.take("a", 3)
    assert not cancelled.take("a", 3)
    assert not cancelled.take("b", 4)  # that frame came later
    assert not cancelled
    for n in range(4):
        cancelled.add(str(n), 0, 3)  # no more than frames
    assert [cancelled.take(str(n), 1) for n in range(4)] == [True, True, True, False]
    cancelled.add("a", 0, 1)
    cancelled.add("a", 5, 2)  # cancelled again, with what came since
    assert cancelled.take("a", 7)
    cancelled.add("a", 0, 1)
    cancelled.clear()
    assert not cancelled.take("a", 1)


def test_tokens_lead_to_their_sessions() -> None:
    """RES-7."""
    tokens: Tokens[Any] = Tokens()

    def holder(token: str, previous: str = "", *foreign: str) -> Any:
        return SimpleNamespace(
            resumption=SimpleNamespace(token=token, previous=previous, foreign=frozenset(map(digest, foreign)))
        )

    one, other = holder("a", "b"), holder("c", "", "d")
    for token, found in (("a", one), ("b", one), ("old", one), ("c", other)):
        tokens.add(token, found)
    tokens.adopt(digest("d"), other)
    assert (len(tokens), tokens.holder(digest("d")), tokens.holder(digest("x"))) == (5, other, None)
    assert [tokens.find(token) for token in ("a", "b", "c", "d", "old", "x", "\ud800")] == [
        one,
        one,
        other,
        other,
        "expired",
        "restarted",
        "restarted",
    ]
    tokens.void("")
    tokens.void("a")
    tokens.void("b", "overflow")
    tokens.void("x", "overflow")
    tokens.void_digest(digest("c"))
    assert [tokens.find(token) for token in "abcx"] == ["expired", "overflow", "expired", "restarted"]
    tokens.release([digest("d"), digest("x")])
    assert (tokens.find("d"), len(tokens)) == ("restarted", 1)
    gone = SimpleNamespace(resumption=None)
    tokens.add("gone", gone)
    assert tokens.find("gone") == "restarted"
    for n in range(MAX_VERDICTS):
        tokens.add(f"t{n}", one)
        tokens.void(f"t{n}", "refused")
    assert [tokens.find(token) for token in ("b", "t0", f"t{MAX_VERDICTS - 1}")] == ["restarted", "refused", "refused"]
