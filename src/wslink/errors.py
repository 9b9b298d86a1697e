"""Every error of wslink, in one tree.

WslinkError
├── PeerError                the peer sent something this side refuses; becomes an error response
│   ├── ParseError           -32700  a frame or message cannot be decoded
│   ├── InvalidRequest       -32600  it decodes, but is not a message this side accepts
│   ├── MethodNotFound       -32601  no such method
│   ├── InvalidParams        -32602  arguments, a filter or a topic are refused
│   ├── AuthenticationError  -32000  wrong secret, or anything but hello before a good hello
│   ├── NotAuthorized        -32004  the application does not let this client do it
│   ├── LimitExceeded        -32003  a named limit was reached
│   └── Superseded           -32801  a newer call of a latest-wins method took the place of one that waited
├── MethodError              raised by a method to fail with a message and data of its own
├── NotSerializable          a value cannot be encoded; names its type
├── UsageError               this side called the library wrongly
│   └── ConfigurationError   a configuration file is wrong; names the file, line, key and what is allowed
├── BrokerError              the broker between workers cannot be reached, or has taken too little for too long
├── LaunchError              a launcher did not start a session; becomes the response to the request
│   ├── RequestRefused       4xx  the request is at fault
│   ├── NoResources          503  every port is taken
│   └── StartFailed          503  the process ended, or was not ready in time
├── ClientGone               a client that was called left for good before it responded
└── LinkError                what a caller sees
    ├── CallError            the other end responded with an error
    ├── ConnectionClosed     the connection ended, or could not be made
    └── SubscriptionOverflow a subscriber was too slow for its buffer

The codes are those of docs/protocol/messages.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
AUTHENTICATION_ERROR = -32000
EXCEPTION_ERROR = -32001
RESULT_SERIALIZE_ERROR = -32002
LIMIT_ERROR = -32003
NOT_AUTHORIZED = -32004
INTERRUPTED = -32005
CANCELLED = -32800
SUPERSEDED = -32801
INTERNAL_ERROR = -32603
CLIENT_ERROR = -32099


MAX_DETAIL = 4096
"""Characters of a raised exception's text that an error quotes."""


def as_code(code: object) -> int:
    """The code of an error as it is sent: an integer that JavaScript can hold; -32001 in place of anything else."""
    return code if type(code) is not bool and isinstance(code, int) and abs(code) < 2**53 else EXCEPTION_ERROR


class WslinkError(Exception):
    """Base of every error of this package."""


class PeerError(WslinkError):
    """The peer is at fault. Carries the error that is sent to it.

    Attributes:
        code: the code of the error response.
        message: its message.
        data: its data; None sends none.
        id: the id of the message at fault, where it could be read: the error responds to that call (ERR-5).
    """

    code = INVALID_REQUEST
    id: str | None = None

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class ParseError(PeerError):
    code = PARSE_ERROR


class InvalidRequest(PeerError):
    code = INVALID_REQUEST


class MethodNotFound(PeerError):
    code = METHOD_NOT_FOUND


class InvalidParams(PeerError):
    code = INVALID_PARAMS


class AuthenticationError(PeerError):
    code = AUTHENTICATION_ERROR


class NotAuthorized(PeerError):
    code = NOT_AUTHORIZED


class LimitExceeded(PeerError):
    code = LIMIT_ERROR


class Superseded(PeerError):
    code = SUPERSEDED


class MethodError(WslinkError):
    """Raise it in a method to choose the error that its caller gets (ERR-3).

    A subclass with a `code`, and an annotation of `data` where that has a type, is an error that a method can declare:
    `@app.method("a.b", errors=[TooSteep])`.

    Args:
        message: the message of the error.
        data: any value that can be encoded; None sends none.
        code: the error code, by default that of the class, which is -32001.
    """

    code: int = EXCEPTION_ERROR
    message: str
    data: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Defaults for a subclass whose `__init__` does not call this one."""
        error = super().__new__(cls, *args, **kwargs)
        error.message, error.data = cls.__name__, None
        return error

    def __init__(self, message: str, data: Any = None, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message if isinstance(message, str) else str(message)
        self.data = data
        if code is not None:
            self.code = code


class NotSerializable(WslinkError, TypeError):
    """A value cannot be encoded for the wire. The message names its type."""


class BrokerError(WslinkError):
    """The broker between workers cannot be reached, or too much waits for it. Raised to the publisher; the publication
    is then sent to no client."""


class UsageError(WslinkError, ValueError):
    """The library was called incorrectly. The message says what is allowed."""


class ConfigurationError(UsageError):
    """A configuration file is wrong.

    Attributes:
        problems: one sentence for each, with the file, the line, the key and what is allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)


class LaunchError(WslinkError):
    """A launcher did not start a session. The response to the client holds no command, secret or path of the launcher.

    Attributes:
        status: the HTTP status of the response.
        message: the message in the response.
    """

    status = 503

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestRefused(LaunchError):
    """The request is at fault. Its `status` is 400 unless given.

    Attributes:
        retry_after: seconds after which it may be tried again; 0 where waiting does not help.
    """

    def __init__(self, message: str, status: int = 400, retry_after: float = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class NoResources(LaunchError):
    """Every port is taken. Trying again later may help."""


class StartFailed(LaunchError):
    """The process ended, could not be started, or was not ready in time.

    Attributes:
        exit_code: how it ended; None where it did not end by itself.
        log: the end of its output, without secrets.
    """

    def __init__(self, message: str, exit_code: int | None = None, log: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.log = log


class ClientGone(WslinkError, ConnectionError):
    """A client that was called had left for good, or left before it responded.

    Attributes:
        client_id: the client's id.
    """

    def __init__(self, client_id: str) -> None:
        super().__init__(f"client {client_id} has gone")
        self.client_id = client_id


class LinkError(WslinkError):
    """Base of the errors that calls and links raise."""


class CallError(LinkError):
    """The other end responded to a call with an error.

    Attributes:
        code: the error code; see docs/protocol/messages.md.
        message: the error's message.
        data: the error's data, or None.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        detail: Any = data.get("exception") if isinstance(data, dict) else None
        detail = detail[:MAX_DETAIL] if isinstance(detail, str) else None
        super().__init__(f"{message}: {detail} ({code})" if isinstance(detail, str) else f"{message} ({code})")
        self.code = code
        self.message = message
        self.data: Any = data


class ConnectionClosed(LinkError, ConnectionError):
    """The connection ended, or could not be made.

    Attributes:
        code: the WebSocket close code, 1006 where none was received.
        reason: the other side's reason, or why it could not be reached.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"connection closed: {reason or 'no reason given'} ({code})")
        self.code = code
        self.reason = reason


class SubscriptionOverflow(LinkError):
    """A subscriber fell too far behind while its link had to read on; the subscription has ended."""


RAISED: tuple[type[BaseException], ...] = (Exception, SystemExit, KeyboardInterrupt)
"""What a function of the application may raise without an end to more than what it was called for: an event loop stops
at the latter two. A task that is cancelled still ends."""
