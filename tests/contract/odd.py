"""An application whose names mean something else elsewhere: in TypeScript, in Python, or to objects of JavaScript."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import uuid
from collections.abc import AsyncIterator
from typing import Any, Generic, Literal, Optional, TypedDict, TypeVar

from typing_extensions import Unpack

from wslink import App, Int64, MethodError

app = App(secret="secret")
WORDS = ("await", "class", "constructor", "default", "delete", "function", "import", "new", "readonly", "static",
         "then_", "to_string", "with")  # fmt: skip
"""Methods that give their own names."""
T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Endless(enum.Enum):
    MOST = math.inf


@dataclasses.dataclass
class Given:
    """Named as what each module declares for itself."""

    a: int = 0


@dataclasses.dataclass
class Partial:
    b: bytes | None = None


@dataclasses.dataclass
class URL:
    path: str = "/"


@dataclasses.dataclass
class TypeAlias:
    of: str = ""


@dataclasses.dataclass
class ViewFilter:
    kind: Literal[Color.RED] = Color.RED


@dataclasses.dataclass
class Größe:
    größe: float = 0


@dataclasses.dataclass
class Gräße:
    name: str = ""


@dataclasses.dataclass
class Tree:
    name: str
    inner: list[Tree] = dataclasses.field(default_factory=list)
    up: Optional[Tree] = None  # noqa: UP045 - what is met


@dataclasses.dataclass
class Box(Generic[T]):
    value: T
    others: Optional[list[Optional[T]]] = None  # noqa: UP045


def twin(module: str) -> type:
    made = dataclasses.make_dataclass("Twin", [(module, int)])
    made.__module__ = module
    return made


First, Second = twin("first"), twin("second")
Options = TypedDict(
    "Options", {"class": int, "default": str, "from": float, "a b": bool, "__proto__": int}, total=False
)
Tags = TypedDict("Tags", {"class": int, "row": int})


class call(MethodError):
    code = 1


class function(MethodError):
    code = 2


def named(word: str) -> None:
    @app.method(word)
    def give() -> str:
        return word


for _word in WORDS:
    named(_word)


@app.method("job")
def job() -> str:
    return "job"


for _word in ("job.name", "job.length", "job.name.first", "job.then", "job.prototype"):
    named(_word)


@app.method("files.list")
def list_files() -> list[str]:
    return ["a"]


@app.method("files.dict")
def dict_files(list: list[str], str: str = "x") -> dict[str, int]:
    return dict.fromkeys([*list, str], 1)


@app.method("files.uuid")
def find(uuid: uuid.UUID) -> uuid.UUID:
    return uuid


@app.method("files.when")
def when(datetime: datetime.datetime, uuid: uuid.UUID | None = None) -> datetime.datetime:
    return datetime


@app.method("files.items")
async def items(items: int, item: str = "i") -> AsyncIterator[str]:
    for _ in range(items):
        yield item


@app.method("files.result")
def result(self: int, result: bytes | None = None) -> bytes | None:
    return result


@app.method("options", errors=[call, function])
def options(**options: Unpack[Options]) -> dict[str, Any]:
    if not options:
        raise call("none")
    return dict(options)


@app.method("wide")
def wide() -> dict[str, Int64]:
    return {"a": 2**60}


Wide = TypedDict("Wide", {"__proto__": Int64, "toString": Int64}, total=False)


@app.method("wide_names")
def wide_names() -> Wide:
    return {}


@app.method("classes")
def classes(
    given: Given,
    partial: Partial | None = None,
    url: URL | None = None,
    alias: TypeAlias | None = None,
    größe: Größe | None = None,
    gräße: Gräße | None = None,
    first: First | None = None,  # type: ignore[valid-type]
    second: Second | None = None,  # type: ignore[valid-type]
    tree: Tree | None = None,
    box: Box[int] | None = None,
    boxes: Box[list[Tree]] | None = None,
    filter: ViewFilter | None = None,
) -> Given:
    return given


@app.method("endless")
def endless() -> Endless:
    return Endless.MOST


@app.method("defaults")
def defaults(
    a: float = math.nan,
    b: float = -math.inf,
    c: int = 2**70,
    d: datetime.date = datetime.date(2024, 1, 2),
    e: frozenset[str] = frozenset("hgfedcba"),
    f: tuple[float, float] = (0, math.inf),
    g: tuple[bytes, ...] = (b"x",),
    i: Color = Color.BLUE,
) -> None: ...


TOPICS = ("__proto__", "toString", "hasOwnProperty", "1d.slice", "2", "_link", "__x", "job.name.changed", "class.name")
topics = {name: app.topic(name, payload=str) for name in TOPICS}
for _name in ("view", "a.b", "a_b"):
    app.topic(_name, payload=Given, tags=Tags)


@app.method("say")
def say(topic: str) -> int:
    return topics[topic].publish(topic)
