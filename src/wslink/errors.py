"""All exceptions of wslink, in one tree.

WslinkError
├── PeerError                the peer sent something that this side refuses; sent back as an error response
│   ├── ParseError           -32700  a frame or message cannot be decoded
│   ├── InvalidRequest       -32600  a message was decoded, but is not one that this side accepts
│   ├── MethodNotFound       -32601  there is no such method
│   ├── InvalidParams        -32602  the arguments, a filter or a topic are refused
│   ├── AuthenticationError  -32000  the secret is wrong, or a message came before a successful hello
│   ├── NotAuthorized        -32004  the application does not allow this client to do it
│   ├── LimitExceeded        -32003  a named limit was reached
│   └── Superseded           -32801  a newer call of a latest-wins method replaced one that was waiting
├── MethodError              raised by a method to fail with its own message and data
├── NotSerializable          a value cannot be encoded; names its type
├── UsageError               the application misused this library
│   └── ConfigurationError   a configuration file is invalid; names the file, line, key and allowed values
├── BrokerError              the broker between workers cannot be reached, or accepts too little
├── LaunchError              a launcher did not start a session; sent as the response to the request
│   ├── RequestRefused       4xx  the request is at fault
│   ├── NoResources          503  all ports are in use
│   └── StartFailed          503  the process exited, or was not ready in time
├── ClientGone               a client that was called left for good before it responded
└── LinkError                what callers of a link see
    ├── CallError            the other end responded with an error
    ├── ConnectionClosed     the connection ended, or could not be established
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
"""Characters of an exception's text that an error response quotes."""


def as_code(code: object) -> int:
    """Return an error code as it is sent: an integer that JavaScript can represent, or -32001 instead of anything
    else."""
    return code if type(code) is not bool and isinstance(code, int) and abs(code) < 2**53 else EXCEPTION_ERROR


class WslinkError(Exception):
    """Base class of all exceptions of this package."""


class PeerError(WslinkError):
    """The peer is at fault. Carries the error response that is sent to it.

    Attributes:
        code: the error code.
        message: the error message.
        data: the error data; None if there is none.
        id: the id of the message at fault, if it could be read: the error is the response to that call (ERR-5).
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
    """Raised by methods to choose the error that the caller receives (ERR-3).

    A subclass with a `code` is an error that methods can declare, as in `@app.method("a.b", errors=[TooSteep])`. It may
    annotate `data` with a type.

    Args:
        message: the error message.
        data: any value that can be encoded; None if there is none.
        code: the error code; by default that of the class, which is -32001.
    """

    code: int = EXCEPTION_ERROR
    message: str
    data: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Set defaults, for subclasses whose `__init__` does not call this class's."""
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
    """The broker between workers cannot be reached, or too much is already waiting for it.

    It is raised to the publisher. The publication is then not sent to any client.
    """


class UsageError(WslinkError, ValueError):
    """The library was called incorrectly. The message says what is allowed."""


class ConfigurationError(UsageError):
    """A configuration file is invalid.

    Attributes:
        problems: one sentence for each problem, with the file, the line, the key and what is allowed.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)


class LaunchError(WslinkError):
    """A launcher did not start a session. The response to the client contains no command, secret or path of the
    launcher.

    Attributes:
        status: the HTTP status of the response.
        message: the message in the response.
    """

    status = 503

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestRefused(LaunchError):
    """The request is at fault. Its `status` is 400 unless specified.

    Attributes:
        retry_after: seconds after which the client may retry; 0 if retrying does not help.
    """

    def __init__(self, message: str, status: int = 400, retry_after: float = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class NoResources(LaunchError):
    """All ports are in use. Retrying later may help."""


class StartFailed(LaunchError):
    """The process exited, could not be started, or was not ready in time.

    Attributes:
        exit_code: the exit code; None if the process did not exit by itself.
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
    """Base class of the exceptions that calls and links raise."""


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
    """The connection ended, or could not be established.

    Attributes:
        code: the WebSocket close code; 1006 if none was received.
        reason: the other side's reason, or why it could not be reached.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"connection closed: {reason or 'no reason given'} ({code})")
        self.code = code
        self.reason = reason


class SubscriptionOverflow(LinkError):
    """A subscriber fell too far behind while its link had to keep reading. The subscription has ended."""


RAISED: tuple[type[BaseException], ...] = (Exception, SystemExit, KeyboardInterrupt)
"""What a function of the application may raise without affecting anything but its own call. Event loops stop at the
latter two. CancelledError is not included: a cancelled task ends."""
