"""Limits on everything that a peer can make grow, numbered as in docs/protocol/limits.md."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

from wslink.errors import UsageError

MIB = 1024 * 1024

EARLY_ELEMENTS = 1024
"""LIM-13: values in a message before a good hello."""
MIN_MSG_SIZE = 64
"""Bytes that `max_msg_size` has at least."""
LARGEST = 2**60
"""What every limit is below: libraries that are given sums of these count in 64 bits."""


@dataclass(frozen=True)
class Limits:
    """The named limits of one server or client. Sizes are in bytes, times in seconds.

    Raises:
        UsageError: a limit is not a number, negative or not finite. The message names it.
    """

    max_msg_size: int = 4 * MIB
    """LIM-1: with `msg_overhead`, the largest frame received; it also bounds those sent, see `max_sent_frame`."""
    msg_overhead: int = 4096
    """LIM-1: allowance over `max_msg_size` in a received frame."""
    auth_msg_size: int = 65536
    """LIM-2: largest message before a good hello."""
    max_message: int = 1040 * MIB
    """LIM-3: largest message, and the most that all partial messages of a connection hold together: an array of 1 GiB,
    and what comes beside it."""
    max_partial: int = 64
    """LIM-4: messages under way in chunks per connection."""
    max_elements: int = 1_000_000
    """LIM-13: values in one message; an array or a binary value counts as one."""
    max_attachments: int = 1024
    """LIM-5: attachments that wait for their message per connection."""
    max_attachment_bytes: int = 1024 * MIB
    """LIM-5: their bytes."""
    max_outbox: int = 16 * MIB
    """LIM-6: bytes that wait for one client above which no calls are taken from it."""
    max_server_outbox: int = 32 * MIB
    """LIM-6: bytes that wait for all clients, what waits for several counted once, above which no calls are taken from
    those for which more than their share of it waits."""
    max_backlog: int = 512 * MIB
    """LIM-6: bytes that wait for one client above which it is disconnected."""
    max_server_backlog: int = 2048 * MIB
    """LIM-6: bytes that wait for all clients, what waits for several counted once, above which the client for which
    most waits is disconnected."""
    stall_timeout: float = 10.0
    """LIM-6: time in which a client has to take some of what waits for it; 0 for ever."""
    max_subscriptions: int = 1024
    """LIM-7: subscriptions per client."""
    max_patterns: int = 32
    """LIM-7: of these, those to patterns, each of which counts for every topic that it stands for."""
    max_filter_conditions: int = 32
    """LIM-7: conditions in a filter, those of the filters in it included."""
    max_filter_depth: int = 8
    """LIM-7: levels of `and`, `or` and `not` in a filter."""
    max_filter_values: int = 4096
    """LIM-7: values in a list of a filter."""
    max_filter_text: int = 1024
    """LIM-7: characters of a name or a string in a filter, and of the name of a topic that is not declared."""
    max_filter_size: int = MIB
    """LIM-7: what all filters of a client count: 64 bytes for each condition and value, and their characters."""
    max_server_filter_size: int = 32 * MIB
    """LIM-7: what the subscriptions of all clients count, 1,024 bytes for each topic of each and their filters, above
    which those are refused by which a client has more than its share."""
    hello_timeout: float = 10.0
    """LIM-8: time from the connection to a good hello."""
    max_hellos: int = 10
    """LIM-8: hellos per connection that are refused."""
    max_malformed: int = 100
    """LIM-9: malformed messages per connection."""
    max_calls: int = 1024
    """LIM-10: calls under way per client above which no further ones are taken from it for a while. LIM-20: calls of
    the server that a client has not answered above which further ones fail."""
    max_server_calls: int = 4096
    """LIM-10: calls under way on the server above which none are taken from clients that have their share of them."""
    max_mailbox: int = 65_536
    """LIM-10: what waits for an application's own thread above which the server takes no further connections."""
    max_held: int = 16 * MIB
    """LIM-16: bytes of calls that wait to be taken, where the transport cannot hold up its client."""
    max_retained: int = 1024
    """LIM-17: keys of a topic whose newest values are kept for subscribers that come later; the newest are."""
    resume_window: float = 60.0
    """LIM-18: time for which a session whose connection was lost is kept (RES-6)."""
    max_resume: int = 64 * MIB
    """LIM-18: bytes of a session, sent and not acknowledged or waiting, above which it cannot be resumed (RES-4)."""
    max_server_resume: int = 512 * MIB
    """LIM-18: bytes of all sessions, sent and not acknowledged or waiting, above which those that have more than their
    share cannot be resumed (RES-4)."""
    max_begun: int = 64 * MIB
    """LIM-18: bytes of messages that had arrived in part, kept for all clients that are away; the oldest are forgotten
    beyond (RES-13)."""
    max_stream_window: int = 1024
    """LIM-19: items of a stream that its reader may let come before it has taken them."""
    max_client_calls: int = 64
    """LIM-20: calls of the server that a client runs at a time."""
    max_broker_backlog: int = 64 * MIB
    """LIM-21: bytes that wait for the broker between workers above which publications fail."""
    max_shared: int = 256 * MIB
    """LIM-24: bytes of large publications in the memory that workers of one host share, for each that publishes, above
    which they go through the broker; 0 for none."""
    max_clients: int = 10_000
    """LIM-11: connections per server."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value: object = getattr(self, one.name)
            kind: type = type(one.default)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or (kind is int and type(value) is float):
                noun = "an integer" if kind is int else "a number"
                raise UsageError(f"Limits: {one.name} must be {noun}, not {value!r:.100}")
            least = MIN_MSG_SIZE if one.name == "max_msg_size" else 0
            if not least <= value < LARGEST:
                raise UsageError(f"Limits: {one.name} must be at least {least}, and finite, not {value!r}")

    @property
    def max_frame(self) -> int:
        """The largest accepted WebSocket frame, in bytes (LIM-1)."""
        return self.max_msg_size + self.msg_overhead

    @cached_property
    def max_sent_frame(self) -> int:
        """The largest frame that is sent, including the chunk header, in bytes (G2-5). However large `max_msg_size` is,
        peers with the default settings of their WebSocket library refuse frames of 4 MiB."""
        return min(self.max_msg_size, 4 * MIB - 4096)
