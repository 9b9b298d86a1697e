"""The error message of commands that a server did not authenticate, with advice."""

from __future__ import annotations

from wslink.errors import AuthenticationError

WRONG = "the server refused the secret"
MISSING = "the server wants a secret"
CURE = (
    "start the server with a secret that you know (WSLINK_SECRET=... or --secret), and give the same here: "
    'WSLINK_SECRET, --secret, or ?secret=... in the URL. Where the line that the server prints, "serving on ...", has '
    "one in its URL, give that whole; where it has none, it is random, and only the server's own pages are told"
)


def explained(error: Exception) -> str:
    """The error message for users of a command line, who cannot write `connect(url, secret=...)`."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if not isinstance(error, AuthenticationError):
        return str(error)
    return f"{reason(error)}\n  cure: {CURE}"


def reason(error: AuthenticationError) -> str:
    return WRONG if WRONG in str(error) else MISSING
