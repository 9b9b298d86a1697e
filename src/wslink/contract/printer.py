"""Layout of code as Prettier has it: what fits a line stands on it, and is broken from the outside in otherwise.

After P. Wadler, "A prettier printer", which Prettier implements too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 80


@dataclass(frozen=True)
class Line:
    """A place where a line may be broken; `flat` stands there otherwise."""

    flat: str = " "


@dataclass(frozen=True)
class Broken:
    """Text that stands only where its group is broken."""

    text: str


@dataclass(frozen=True)
class Indent:
    """Two more spaces before each broken line."""

    inner: Doc


@dataclass(frozen=True)
class Group:
    """Text on one line, or broken at each of its Lines."""

    inner: Doc
    breaks: bool = False


Doc = str | Line | Broken | Indent | Group | tuple["Doc", ...]
LINE, SOFT = Line(), Line("")


def joined(separator: Doc, parts: Iterable[Doc]) -> Doc:
    """`parts` with `separator` between them."""
    found: list[Doc] = []
    for part in parts:
        found += [separator, part] if found else [part]
    return tuple(found)


def layout(doc: Doc, indent: int = 0) -> str:
    """The text of `doc`, whose first line stands `indent` columns in."""
    text, column = [], indent
    stack: list[tuple[int, bool, Doc]] = [(indent, True, doc)]
    while stack:
        depth, broken, one = stack.pop()
        if isinstance(one, str):
            text.append(one)
            column += len(one)
        elif isinstance(one, tuple):
            stack += [(depth, broken, part) for part in reversed(one)]
        elif isinstance(one, Indent):
            stack.append((depth + 2, broken, one.inner))
        elif isinstance(one, Group):
            stays = not one.breaks and _fits(one.inner, WIDTH - column - _rest(stack))
            stack.append((depth, not stays, one.inner))
        elif isinstance(one, Broken):
            stack.append((depth, broken, one.text if broken else ""))
        elif broken:
            text.append("\n" + " " * depth)
            column = depth
        else:
            stack.append((depth, False, one.flat))
    return "".join(text)


def _rest(stack: list[tuple[int, bool, Doc]]) -> int:
    """Columns of what follows up to the next place where the line may be broken."""
    columns = 0
    for _, broken, doc in reversed(stack):
        width, ended = _width(doc, broken)
        columns += width
        if ended:
            break
    return columns


def _width(doc: Doc, broken: bool) -> tuple[int, bool]:
    """Columns up to the first Line that is broken, and whether there is one."""
    if isinstance(doc, str):
        return len(doc), False
    if isinstance(doc, Broken):
        return len(doc.text) if broken else 0, False
    if isinstance(doc, Line):
        return (0, True) if broken else (len(doc.flat), False)
    if isinstance(doc, (Indent, Group)):
        return _width(doc.inner, broken if isinstance(doc, Indent) else doc.breaks)
    columns = 0
    for part in doc:
        width, ended = _width(part, broken)
        columns += width
        if ended:
            return columns, True
    return columns, False


def _fits(doc: Doc, room: int) -> bool:
    return _width(doc, False)[0] <= room and not _must_break(doc)


def _must_break(doc: Doc) -> bool:
    if isinstance(doc, Group):
        return doc.breaks or _must_break(doc.inner)
    if isinstance(doc, Indent):
        return _must_break(doc.inner)
    return isinstance(doc, tuple) and any(map(_must_break, doc))
