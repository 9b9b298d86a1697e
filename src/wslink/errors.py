"""Every error of wslink, in one tree.

WslinkError
├── PeerError                the peer sent something this side refuses; becomes a failure message
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
│   └── ConfigurationError   a configuration file is wrong; names file, line, key and what is allowed
├── BrokerError              the broker between workers cannot be reached, or has taken too little for too long
├── LaunchError              a launcher did not start a session; becomes the answer of the request
│   ├── RequestRefused       4xx  the request is at fault
│   ├── NoResources          503  every port is taken
│   └── StartFailed          503  the process ended, or was not ready in time
├── ClientGone               a client that was called left for good before it answered
└── LinkError                what a caller sees
    ├── CallError            the other end answered with a failure
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
    """The peer's fault. Carries what the peer is told.

    Attributes:
        code: the error code of the failure message.
        message: the sentence sent to the peer.
        data: sent beside it where it is not None.
        id: the id of the message at fault, where that could be read; its sender's call ends under it (ERR-5).
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
    """Raise it in a method to choose what its caller is told (ERR-3).

    A subclass with a `code`, and an annotation of `data` where that has a type, is an error that a method can declare:
    `@app.method("a.b", errors=[TooSteep])`.

    Args:
        message: the sentence that the caller reads.
        data: any encodable value beside it; None sends none.
        code: the error code; the class's unless given, which is -32001.
    """

    code: int = EXCEPTION_ERROR
    message: str
    data: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """What a subclass says whose `__init__` does not call this one."""
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
    """The broker between workers cannot be reached, or so much waits for it that no more is taken. Whoever publishes
    gets it, and nobody is sent anything then."""


class UsageError(WslinkError, ValueError):
    """This side used the library wrongly. The message says what is allowed."""


class ConfigurationError(UsageError):
    """A configuration file is wrong.

    Attributes:
        problems: one sentence each, that names the file, the line, the key and what is allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)


class LaunchError(WslinkError):
    """A launcher did not start a session. What the client is told holds no command, secret or path of ours.

    Attributes:
        status: the HTTP status of the answer.
        message: the sentence in the answer.
    """

    status = 503

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestRefused(LaunchError):
    """The request is at fault. Its `status` is 400 unless given.

    Attributes:
        retry_after: seconds after which it may be tried again; 0 where that changes nothing.
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
        log: the end of what it wrote, without secrets.
    """

    def __init__(self, message: str, exit_code: int | None = None, log: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.log = log


class ClientGone(WslinkError, ConnectionError):
    """A client that was called left for good before it answered, or had left.

    Attributes:
        client_id: the client's id.
    """

    def __init__(self, client_id: str) -> None:
        super().__init__(f"client {client_id} has gone")
        self.client_id = client_id


class LinkError(WslinkError):
    """Base of what a caller may see."""


class CallError(LinkError):
    """The other end answered a call with a failure.

    Attributes:
        code: see docs/protocol/messages.md.
        message: its sentence.
        data: what it sent beside that, or None.
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
        reason: what the other side said, or why it could not be reached.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"connection closed: {reason or 'no reason given'} ({code})")
        self.code = code
        self.reason = reason


class SubscriptionOverflow(LinkError):
    """A subscriber did not take its messages while its link had to go on; the subscription has ended."""


RAISED: tuple[type[BaseException], ...] = (Exception, SystemExit, KeyboardInterrupt)
"""What a function of the application may raise without an end to more than what it was called for: an event loop stops
at the latter two. A task that is cancelled still ends."""
