"""A session of an application, and its states."""

from __future__ import annotations

import asyncio
import enum
import hashlib
import secrets
import string
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from wslink.launcher.ports import Address
from wslink.launcher.spawners.base import Spawner
from wslink.proxy.fd_passing import handoff_path

_LETTERS = string.ascii_letters + string.digits


class State(str, enum.Enum):
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    ENDED = "ended"


MOVES: dict[State, set[State]] = {
    State.STARTING: {State.READY, State.STOPPING},
    State.READY: {State.STOPPING},
    State.STOPPING: {State.ENDED},
    State.ENDED: set(),
}
"""Which state may follow which."""


@dataclass
class Session:
    """A session of an application.

    Attributes:
        id: gives access to the session: it cannot be guessed.
        application: the application's name.
        client: who started it, as limits count clients.
        lease: the leased port.
        values: all variables that templates may use.
        public: what its client is told.
        created: seconds since the epoch, for display.
        began: the same by `time.monotonic`, which is not affected by changes of the clock.
        standby: whether it waits for a client, in the pool.
        connections: open connections through the launcher's own proxy.
        used: when it was last used, by `time.monotonic`.
        reason: why it ended, for the administrator.
        spawner: runs it.
        starting: the spawner's `start`.
    """

    id: str
    application: str
    client: str
    lease: Address
    values: dict[str, Any] = field(repr=False)
    public: dict[str, Any] = field(default_factory=dict, repr=False)
    created: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    state: State = State.STARTING
    standby: bool = False
    connections: int = 0
    used: float = field(default_factory=time.monotonic)
    reason: str = ""
    spawner: Spawner | None = field(default=None, repr=False)
    starting: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def age(self) -> float:
        """Seconds since it was created."""
        return time.monotonic() - self.began

    def begin(self, client: str) -> None:
        """It belongs to a client from now on."""
        self.client, self.created, self.began = client, time.time(), time.monotonic()
        self.used = self.began

    def move(self, state: State) -> bool:
        """Change the state. Returns False, without a change, if there is no such transition."""
        allowed = state in MOVES[self.state]
        if allowed:
            self.state = state
        return allowed

    @property
    def label(self) -> str:
        """Its name in logs: the beginning of its id, which gives no access."""
        return self.id[:8]

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self.spawner.address() if self.spawner is not None else self.lease

    @property
    def handoff_socket(self) -> str:
        """Where it accepts connections that are passed to it, if it does; "" if it certainly does not."""
        return handoff_path(self.spawner.handoff_directory(), self.address[1]) if self.spawner is not None else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log and no error may contain."""
        return self.values["secret"], self.values["token"]

    def record(self) -> dict[str, Any]:
        """What a restarted launcher needs to know about a session with a spawner; see `from_record`."""
        assert self.spawner is not None
        kind = type(self.spawner)
        return {
            "kind": f"{kind.__module__}:{kind.__qualname__}",
            "anywhere": kind.anywhere,
            "spec": self.spawner.spec.record(),
            "application": self.application,
            "client": self.client,
            "lease": list(self.lease),
            "values": self.values,
            "public": self.public,
            "created": self.created,
            "ready": self.state is State.READY,
            "standby": self.standby,
            "spawner": self.spawner.state(),
        }

    @classmethod
    def from_record(cls, session_id: str, record: dict[str, Any]) -> Session:
        """The session of a record, without its spawner."""
        host, port = record["lease"]
        created = record["created"]
        return cls(
            session_id,
            record["application"],
            record["client"],
            (host, port),
            record["values"],
            record["public"],
            created,
            time.monotonic() - max(time.time() - created, 0.0),
            State.READY if record["ready"] else State.STARTING,
            record["standby"],
        )


def new_id() -> str:
    """A session id of 122 random bits, in the format of released launchers."""
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def public_name(session_id: str) -> str:
    """A name for what other users of the machine can see of a session. It does not reveal the id."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:16]


def new_secret() -> str:
    """32 random letters and digits: 190 bits. No dash, so that no command takes it for an option."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


def new_token() -> str:
    """The token for the session proxy: 32 random lower-case letters and digits, 165 bits. No upper case, because
    trame's client converts the address that contains it to lower case."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(32))
