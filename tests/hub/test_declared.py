"""What topics declare and authorization decides, and who is in a group: each by itself, with every sentence."""

from __future__ import annotations

import dataclasses
import logging
import threading
from typing import Any, Literal, NamedTuple, TypedDict

import pytest

from wslink import App, Limits, NotAuthorized, UsageError
from wslink.hub.authorization import Authorization, Narrowed
from wslink.hub.filters import compile_filter, define
from wslink.hub.groups import Groups
from wslink.hub.publishing import slot_of
from wslink.hub.quality import QualityController
from wslink.hub.topic_types import TopicTypes
from wslink.rpc.json_schema import Schemas


class Tags(TypedDict, total=False):
    row: int
    kind: Literal["rock", "sand"]
    side: str | None


class Good(TypedDict, total=False):
    row: int
    kind: Literal["rock", "sand"]
    ratio: float | int
    on: bool


class Pair(NamedTuple):
    a: int


@dataclasses.dataclass
class Parts:
    parts: list[int]


class Handle:
    pass


NO_TAGS = "is not a TypedDict or dataclass with a field for each tag"


@pytest.mark.parametrize(
    ("payload", "tags", "why"),
    [
        (
            Handle,
            None,
            "its payload: Handle has no form that can be sent: make it a dataclass, or name what is sent in its place",
        ),
        (None, Parts, "tag 'parts': a tag is text, a number or a boolean"),
        (None, Tags, "tag 'side': a tag is text, a number or a boolean"),
        (None, dict[str, int], f"its tags: dict[str, int] {NO_TAGS}"),
        (None, int, f"its tags: <class 'int'> {NO_TAGS}"),
        (None, Pair, f"its tags: {Pair!r} {NO_TAGS}"),
    ],
)
def test_what_a_topic_cannot_declare(payload: Any, tags: Any, why: str) -> None:
    with pytest.raises((UsageError, AttributeError)) as caught:
        TopicTypes("a.b", payload, tags, "")
    assert str(caught.value) == f"topic 'a.b': {why}"


def test_a_publication_is_as_its_topic_says() -> None:
    types = TopicTypes("a.b", list[int], Good, "doc")
    types.check([1], {"row": 1, "kind": "rock", "ratio": 0.5, "on": True})
    types.check([1], None)
    types.check([], {})
    for payload, tags, why in (
        (["x"], None, "topic 'a.b' was given what its type does not allow: Expected `int`, got `str` - at `$[0]`"),
        (
            [1],
            {"row": "x"},
            "topic 'a.b' was given tags what its type does not allow: Expected `int`, got `str` - at `$.row`",
        ),
        ([1], {"z": 1, "y": 1}, "topic 'a.b' has no tag 'y'; its tags: kind, on, ratio, row"),
    ):
        with pytest.raises(UsageError) as caught:
            types.check(payload, tags)
        assert str(caught.value) == why
    TopicTypes("a.b", None, None, "").check(object(), {"anything": 1})
    TopicTypes("a.b", int, None, "").check(1, {"anything": 1})
    described = types.describe(Schemas())
    assert described["description"] == "doc"
    assert described["payload"] == {"type": "array", "items": {"type": "integer"}}
    assert list(described) == ["description", "payload", "tags"]
    assert TopicTypes("a.b", None, None, "").describe(Schemas()) == {}


def test_types_are_compared_by_what_they_say() -> None:
    one = TopicTypes("a.b", int, Good, "doc")
    assert one == TopicTypes("a.b", int, Good, "doc")
    assert hash(one) == hash(TopicTypes("a.b", int, Good, "doc"))
    for other in (
        TopicTypes("a.b", str, Good, "doc"),
        TopicTypes("a.b", int, None, "doc"),
        TopicTypes("a.b", int, Good, ""),
    ):
        assert one != other
    assert one != "doc"


def test_a_topic_stays_as_it_was_declared(app: App) -> None:
    topic = app.topic("a.b", payload=int, retain=True, priority="bulk")
    assert app.topic("a.b", retain=True) is topic
    for options, why in (
        ({"delivery": "latest"}, "exists with delivery 'reliable'"),
        ({"retain": False}, "exists with retain=True"),
        ({"priority": "urgent"}, "exists with another priority than 'urgent'"),
        ({"payload": str}, "exists with another payload, tags or doc"),
        ({"payload": int, "doc": "x"}, "exists with another payload, tags or doc"),
    ):
        with pytest.raises(UsageError) as caught:
            app.topic("a.b", **{"retain": True, **options})
        assert str(caught.value) == f"topic 'a.b' {why}"
    for name, options, why in (
        ("a b", {}, "topic name 'a b': dot-separated words of letters, digits and _"),
        ("a.c", {"delivery": "first"}, "delivery 'first': one of reliable, latest"),
        ("a.c", {"priority": "high"}, "topic 'a.c': priority is 'high'; one of urgent, normal, bulk"),
    ):
        with pytest.raises(UsageError) as caught:
            app.topic(name, **options)
        assert str(caught.value) == why
    assert app.topic("a.d").retained is None
    plain = app.topic("a.e")
    with pytest.raises(UsageError) as caught:
        plain.on_demand(lambda viewer: None)
    assert str(caught.value) == "topic 'a.e': on_demand needs delivery=\"latest\""


def test_what_a_publication_is_a_newer_version_of() -> None:
    assert slot_of("a", {"x": 1, "b": True}, None) == ("a", (("b", True, True), ("x", False, 1)))
    assert slot_of("a", {"x": 1}, None) != slot_of("a", {"x": True}, None)
    assert slot_of("a", {"x": 1}, "key") == ("a", "key")
    with pytest.raises(UsageError) as caught:
        slot_of("a", {}, [1])
    assert str(caught.value) == "key [1] is not hashable: use a string, a number or a tuple of these"


class Caller:
    id = "c1"


def decided(verdict: Any) -> Authorization:
    def decide(client: Any, action: str, name: str) -> Any:
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    authorization = Authorization()
    authorization.use(decide)
    return authorization


def test_an_application_decides(caplog: pytest.LogCaptureFixture) -> None:
    client: Any = Caller()
    nobody = Authorization()
    assert (nobody.active, nobody.refuse_call(client, "a.b")) == (False, None)
    narrowed = nobody.narrow(client, "a.b")
    assert narrowed is not None
    assert (narrowed[0], narrowed[1]({"x": 1})) == ({}, True)
    assert decided(True).active
    assert decided(True).refuse_call(client, "a.b") is None
    assert decided(True).narrow(client, "a.b") == narrowed
    for verdict in (False, None):
        refusal = decided(verdict).refuse_call(client, "a.b")
        assert isinstance(refusal, NotAuthorized)
        assert (refusal.message, refusal.data) == ("Not authorized", "a.b")
        assert decided(verdict).narrow(client, "a.b") is None
    assert caplog.records == []
    refusing = "which refuses it"
    for verdict, act, said in (
        (3, "call", f"authorize gave 3 for call 'a.b', {refusing}"),
        ({"x": 1}, "call", f"authorize gave {{'x': 1}} for call 'a.b', {refusing}"),
        (3, "subscribe", f"authorize gave 3 for subscribe 'a.b', {refusing}"),
        (ValueError("no"), "subscribe", "authorize raised for subscribe 'a.b' of client c1"),
        (
            {"x": {}},
            "subscribe",
            "authorize gave {'x': {}} for 'a.b': filter on 'x': {} must have one or more of gte, gt, lte, lt, ne, "
            "prefix, exists, and no other key",
        ),
    ):
        caplog.clear()
        with caplog.at_level(logging.ERROR, "wslink"):
            found = (
                decided(verdict).refuse_call(client, "a.b") if act == "call" else decided(verdict).narrow(client, "a.b")
            )
        assert (found is None) == (act != "call")
        assert [(one.levelname, one.getMessage()) for one in caplog.records] == [("ERROR", said)]
        assert (caplog.records[0].exc_info is not None) == isinstance(verdict, Exception)


def test_an_async_function_cannot_decide() -> None:
    async def decide(client: Any, action: str, name: str) -> bool:
        return True

    with pytest.raises(UsageError) as caught:
        Authorization().use(decide)  # type: ignore[arg-type]
    assert str(caught.value) == "authorize takes a function that is not async: look up what it needs in authenticate"


def test_a_filter_of_the_applications_is_compiled_once() -> None:
    client: Any = Caller()
    verdict: dict[str, Any] = {"x": {"gte": 2}}
    authorization = decided(verdict)
    first, again = authorization.narrow(client, "a"), authorization.narrow(client, "b")
    assert first is again
    assert first is not None
    assert (first[0], first[1]({"x": 2}), first[1]({"x": 1})) == (verdict, True, False)
    verdict["x"] = 5
    other = authorization.narrow(client, "a")
    assert other is not None
    assert (other[0], other[1]({"x": 5}), first[0]) == ({"x": 5}, True, {"x": {"gte": 2}})


def narrowed(own: Any, given: Any) -> Narrowed:
    limits = Limits()
    return Narrowed(define(own), compile_filter(own, limits)).within(given, compile_filter(given, limits))


def test_both_filters_count() -> None:
    """AUTH-3."""
    own = Narrowed(define({"a": 1}), lambda tags: True)
    assert own.within({}, lambda tags: False) is own
    assert own.within(None, lambda tags: False) is own
    for mine, given, definition in (
        ({"a": 1}, {"b": 1}, {"a": 1, "b": 1}),
        ({"a": 1}, {"a": {"gte": 1}}, {"and": [{"a": {"gte": 1}}, {"a": 1}]}),
        ({}, {"b": 1}, {"b": 1}),
    ):
        both = narrowed(mine, given)
        assert both.definition.unpack() == definition
        for tags in ({"a": 1, "b": 1}, {"a": 1}, {"b": 1}, {}):
            together = compile_filter(mine, Limits())(tags) and compile_filter(given, Limits())(tags)
            assert both.matches(tags) is together
            assert compile_filter(definition, Limits())(tags) is together


def test_who_is_in_which_group() -> None:
    groups, told = Groups(threading.RLock()), list[Any]()
    groups.changes.append(lambda *change: told.append(change))
    assert groups.members("g") == ()
    assert [groups.join("c1", "g"), groups.join("c2", "g"), groups.join("c1", "g"), groups.join("c1", "h")] == [
        True,
        True,
        False,
        True,
    ]
    assert (groups.members("g"), groups.of("c1"), groups.of("c3")) == (("c1", "c2"), ("g", "h"), ())
    assert [groups.leave("c1", "g"), groups.leave("c1", "g"), groups.leave("c3", "g")] == [True, False, False]
    assert (groups.members("g"), groups.of("c1")) == (("c2",), ("h",))
    groups.join("c1", "g")
    groups.leave_all("c1")
    assert (groups.members("g"), groups.members("h"), groups.of("c1")) == (("c2",), (), ())
    assert told == [
        ("c1", "g", True),
        ("c2", "g", True),
        ("c1", "h", True),
        ("c1", "g", False),
        ("c1", "g", True),
        ("c1", "h", False),
        ("c1", "g", False),
    ]
    for name in ("", 3, None):
        with pytest.raises(UsageError):
            groups.join("c1", name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("observed", "quality", "load"),
    [
        ((1.0, 0, 0.0, 0.0, 0.0), 1.0, 0.0),
        ((1.0, 1000, 0.3, 0.2, 0.0), 1 - 0.1 * 0.4, 1.0),  # 0.1 s over the line's own time: what may be
        ((1.0, 1000, 0.2, 0.2, 30_000.0), 1 - 0.1 * 0.4, 1.0),  # 30 of them fill the line
        ((1.0, 1000, 0.2, 0.2, 60_000.0), 1.0, 0.5),
        ((1.0, 2000, 0.2, 0.2, 30_000.0), 0.45, 2.0),  # far: all the way
        ((1.0, 20_000, 0.2, 0.2, 30_000.0), 0.25, 20.0),
        ((0.1, 20_000, 0.2, 0.2, 30_000.0), 0.05, 20.0),
        ((0.5, 1000, 0.2, 0.2, 45_000.0), 1 + (0.5 * 1.2 - 1) * 0.4, 2 / 3),
    ],
)
def test_what_one_frame_does_to_the_quality(observed: Any, quality: float, load: float) -> None:
    controller = QualityController()
    controller.observe(*observed)
    assert (controller.quality, controller.load) == (pytest.approx(quality), pytest.approx(load))


def test_a_frame_that_was_better_and_too_much_says_nothing_of_less() -> None:
    controller = QualityController(0.2, 10.0)
    controller.quality = 0.3
    controller.observe(1.0, 1000, 0.0, 0.0, 9000.0)
    assert (controller.quality, controller.load) == (0.3, pytest.approx(1000 * 10 / 9000))
    controller.observe(0.3, 1000, 0.5, 0.1, 0.0)
    assert controller.load == pytest.approx(2.0)
    assert controller.quality == pytest.approx(0.3 * 0.45)
