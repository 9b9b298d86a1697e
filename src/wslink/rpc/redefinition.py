"""Redefinition of functions: running a cell of a notebook again replaces what it defined before."""

from __future__ import annotations

import builtins
import sys
from typing import Any


def may_replace(function: Any) -> bool:
    """Whether `function` may replace another one with the same name: it was defined in a notebook or an interactive
    session."""
    return getattr(function, "__module__", None) == "__main__" and is_interactive()


def add_handler(handlers: list[Any], handler: Any) -> None:
    """Append `handler`, or replace the one that it redefines."""
    name = getattr(handler, "__qualname__", "<lambda>")
    if may_replace(handler) and not name.endswith("<lambda>"):
        for index, known in enumerate(handlers):
            if getattr(known, "__qualname__", None) == name and getattr(known, "__module__", None) == "__main__":
                handlers[index] = handler
                return
    handlers.append(handler)


def is_interactive() -> bool:
    """Whether a person types what is run: in a notebook or at a prompt."""
    return hasattr(sys, "ps1") or hasattr(builtins, "__IPYTHON__")
