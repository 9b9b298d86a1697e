"""Objects that all users of an event loop share."""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def per_loop(make: Callable[P, T]) -> Callable[P, T]:
    """`functools.cache` for each event loop: call `make` once per running event loop and set of arguments.

    The results are dropped with their event loop.
    """
    caches: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = weakref.WeakKeyDictionary()
    last: tuple[Callable[[], object], Any] = lambda: None, None  # a reference to the event loop that asked last

    @functools.wraps(make)
    def cached(*args: P.args, **kwargs: P.kwargs) -> T:
        nonlocal last
        loop = asyncio.get_running_loop()
        known, cache = last
        if known() is not loop:
            cache = caches.get(loop)
            if cache is None:
                cache = caches[loop] = functools.cache(make)
            last = weakref.ref(loop), cache
        found: T = cache(*args, **kwargs)
        return found

    return cached
