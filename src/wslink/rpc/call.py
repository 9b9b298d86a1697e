"""A call under way."""

from __future__ import annotations

import contextvars
from typing import Any

import msgspec


class Call(msgspec.Struct, eq=False):
    """The call that a method is answering. A parameter annotated with this class receives it.

    Attributes:
        client_id: the caller's id, 32 hexadecimal digits.
        method: the method's name.
        app: the App (or the server protocol) that the caller is connected to.
    """

    client_id: str
    method: str
    app: Any
    id: str
    answered: bool = False

    def __repr__(self) -> str:
        return f"<Call {self.id} of {self.method}>"


current_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("wslink_current_call", default=None)
"""The call whose method is running in this context, or None."""
