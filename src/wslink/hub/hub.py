"""All sessions of one server: who is connected, who may come in, what they may call and what they are sent."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from wslink.errors import InvalidParams, LimitExceeded, UsageError
from wslink.hub.filters import compile_filter
from wslink.hub.pool import DaemonPool, default_threads
from wslink.hub.topics import IMPLIED, Delivery, Handler, Subscription, Topic
from wslink.rpc.call import current_call
from wslink.rpc.methods import Methods
from wslink.rpc.ordering import AnswerFirst
from wslink.session.hello import Hello
from wslink.session.ports import Watch
from wslink.session.session import Session
from wslink.settings import STOP_TIMEOUT
from wslink.wire.limits import Limits
from wslink.wire.messages import is_topic

logger = logging.getLogger("wslink")

STOPS = "the server stops"
GRACE = 1.0
"""Seconds that calls under way have to end by themselves when their server stops, before they are cancelled."""

SessionHandler = Callable[[Session], None]
Authenticator = Callable[[Hello, Session], "bool | Awaitable[bool]"]
ClientHandler = Callable[[str], "Awaitable[None] | None"]


class Hub:
    """The part of a server that does no I/O.

    Args:
        owner: what `Call.app` is.
        authenticate: decides on each hello.
        limits: see Limits.
        debug: whether failures carry stack traces (ERR-2).
        open_topics: whether clients may subscribe to any topic, for software that publishes without declaring (SUB-7).
        watch: is told of messages; see Watch.
    """

    def __init__(
        self,
        owner: Any,
        authenticate: Authenticator,
        limits: Limits,
        *,
        debug: bool = False,
        open_topics: bool = False,
        watch: Watch | None = None,
    ) -> None:
        self.owner = owner
        self.limits = limits
        self.debug = debug
        self.open_topics = open_topics
        self.watch = watch
        self.methods = Methods()
        self.calls = 0
        self.topics: dict[str, Topic] = {}
        self.ordering = AnswerFirst()
        self.sessions: dict[str, Session] = {}
        """Sessions that have authenticated, by client id."""
        self.connected: set[Session] = set()
        """All that have a connection, authenticated or not."""
        self.on_open: list[Callable[[Session, Any], None]] = []
        """Called with what opened a connection when it is open, before hello. One that raises ends the connection."""
        self.wants_requests: Callable[[], bool] = lambda: bool(self.on_open)
        """Whether any of them looks at what it is given."""
        self.on_close: list[SessionHandler] = []
        """Called when a connection has ended, whether or not its client had authenticated. They must not raise."""
        self.on_connect: list[ClientHandler] = []
        self.on_disconnect: list[ClientHandler] = []
        self._authenticate = authenticate
        # By the client's number; those that a released client has by implication, by the topic's name.
        self._subscriptions: dict[Session, dict[int | str, Subscription]] = {}
        # Publishers of other threads make topics, too.
        self.lock = threading.RLock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._stopping = False
        self.threads = 0
        """Threads for methods that block; 0 for `default_threads`."""
        self._pool: DaemonPool | None = None

    # Life -------------------------------------------------------------------

    def start(self) -> None:
        """Bind to the running event loop and its thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.reopen()

    def reopen(self) -> None:
        """Let clients in again after a stop: another server begins to serve this hub."""
        self._stopping = False

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Close every session with 1001, also those that come in until another server begins.

        Calls under way have GRACE seconds to end, and are cancelled then. Those that have not ended after `timeout`
        seconds are left alone, and so are functions that run in threads.
        """
        self._stopping = True
        for session in list(self.connected):
            session.close(1001, STOPS)
        tasks = {task for task in self._tasks if task is not asyncio.current_task()}
        pool, self._pool = self._pool, None
        await end_tasks(tasks, min(GRACE, timeout), timeout)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    # Host of sessions (session.session.Host) ----------------------------------

    def authenticate(self, hello: Hello, session: Session) -> bool | Awaitable[bool]:
        return self._authenticate(hello, session)

    def opened(self, session: Session, request: Any) -> None:
        if self._loop is not asyncio.get_running_loop():
            self.start()
        self.connected.add(session)
        try:
            for handler in self.on_open:
                handler(session, request)
        except Exception:
            logger.exception("client %s: what handles new connections raised", session.client_id)
            session.close(1011, "the server failed to take the connection")

    def welcome(self, session: Session) -> None:
        if self._stopping:
            session.close(1001, STOPS)
            return
        with self.lock:
            self.sessions[session.client_id] = session
            self._subscriptions[session] = {}
            if not session.subscribing:
                for topic in self.topics.values():
                    self._imply(session, topic)
        logger.info("client %s connected", session.client_id)
        self._tell(self.on_connect, session)
        if not session.subscribing:
            for subscription in list(self._subscriptions.get(session, {}).values()):  # a handler may end the session
                subscription.topic.announce(subscription)

    def farewell(self, session: Session) -> None:
        self.connected.discard(session)
        if session in self._subscriptions:
            self._part(session)
        for handler in self.on_close:
            handler(session)

    def _part(self, session: Session) -> None:
        with self.lock:
            subscriptions = self._subscriptions.pop(session)
            del self.sessions[session.client_id]
        logger.info("client %s disconnected", session.client_id)
        for subscription in subscriptions.values():
            self._remove(subscription)
        self._tell(self.on_disconnect, session)

    def subscribe(self, session: Session, id_: Any, topic: Any, definition: Any) -> Callable[[], None]:
        id_ = _subscription_id(id_)
        matches = compile_filter(definition, self.limits)
        mine = self._subscriptions[session]
        old = mine.get(id_)
        if old is not None and old.topic.name != topic:
            raise InvalidParams(f"subscription {id_} is to topic '{old.topic.name}', and cannot change to '{topic}'")
        if old is None and len(mine) >= self.limits.max_subscriptions:
            raise LimitExceeded(f"over max_subscriptions ({self.limits.max_subscriptions}) subscriptions")
        with self.lock:
            found = self._find_topic(topic)
            mine[id_] = new = Subscription(id_, session, found, dict(definition or {}), matches)
            if old is not None:
                old.active = False
            found.add(new, replaces=old)
        return lambda: found.announce(new)

    def unsubscribe(self, session: Session, id_: Any) -> None:
        subscription = self._subscriptions[session].pop(_subscription_id(id_), None)
        if subscription is None:
            raise InvalidParams(f"there is no subscription {id_}")
        self._remove(subscription)

    def delivery(self, topic: str) -> str:
        return self.topics[topic].delivery

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def run_in_thread(self, function: Callable[[], Any]) -> Awaitable[Any]:
        if self._pool is None:
            self._pool = DaemonPool(self.threads or default_threads())
        context = contextvars.copy_context()
        return asyncio.get_running_loop().run_in_executor(self._pool, context.run, function)

    # Topics, and host of topics (hub.topics.TopicHost) ------------------------

    def topic(self, name: str, delivery: Delivery = "reliable") -> Topic:
        """The topic `name`, made if there is none. From any thread.

        Raises:
            UsageError: if it exists with another delivery.
        """
        with self.lock:
            topic = self._make_topic(name, delivery)
            if not topic.declared:
                topic.declared, topic.delivery = True, delivery
        if topic.delivery != delivery:
            raise UsageError(f"topic {name!r} exists with delivery {topic.delivery!r}")
        return topic

    def open_topic(self, name: str) -> Topic:
        """The topic `name`, of any delivery, made if there is none. From any thread."""
        topic = self.topics.get(name)
        if topic is not None and topic.declared:
            return topic
        return self.topic(name)

    def _make_topic(self, name: str, delivery: Delivery) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, delivery, self)
            for session in self.sessions.values():
                if not session.subscribing:
                    self._imply(session, topic)
        return topic

    def _remove(self, subscription: Subscription) -> None:
        """End a subscription, and its topic if nobody but subscribers ever named it."""
        topic = subscription.topic
        with self.lock:
            topic.remove(subscription)
            if not topic.declared and all(other.id == IMPLIED for other in topic.subscriptions):
                for other in topic.subscriptions:
                    self._subscriptions[other.session].pop(topic.name, None)
                self.topics.pop(topic.name, None)
        topic.announce_end(subscription)

    @property
    def max_frame(self) -> int:
        return self.limits.max_sent_frame

    @property
    def on_its_thread(self) -> bool:
        """Whether the caller runs on the event loop's thread."""
        return threading.get_ident() == self._thread

    def submit(self, deliver: Callable[[], None]) -> None:
        if self.on_its_thread:
            self.ordering.submit(deliver)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self.ordering.submit, deliver, context=contextvars.Context())

    def run_handler(self, handler: Handler, subscription: Subscription) -> None:
        self._run(handler, subscription)

    # Parts --------------------------------------------------------------------

    def _run(self, handler: Callable[[Any], Awaitable[None] | None], argument: Any) -> None:
        """Run an application's handler, sync or async; what it raises is logged, and nobody else's concern."""
        token = current_call.set(None)
        try:
            outcome = handler(argument)
            if outcome is not None and inspect.isawaitable(outcome):
                self.spawn(self._await(outcome, handler))
        except Exception:
            logger.exception("%r raised", handler)
        finally:
            current_call.reset(token)

    async def _await(self, outcome: Awaitable[None], handler: object) -> None:
        try:
            await outcome
        except Exception:
            logger.exception("%r raised", handler)

    def _imply(self, session: Session, topic: Topic) -> None:
        """Subscribe a released client, which cannot do so itself, to all of a topic (ORD-4)."""
        subscription = Subscription(IMPLIED, session, topic, {}, lambda tags: True)
        self._subscriptions[session][topic.name] = subscription
        topic.add(subscription)

    def _find_topic(self, name: Any) -> Topic:
        if isinstance(name, str) and name in self.topics:
            return self.topics[name]
        if self.open_topics and isinstance(name, str) and is_topic(name):
            return self._make_topic(name, "reliable")
        known = ", ".join(sorted(self.topics)[:20]) or "none"
        raise InvalidParams(f"there is no topic {name!r}; topics: {known}")

    def _tell(self, handlers: list[ClientHandler], session: Session) -> None:
        for handler in handlers:
            self._run(handler, session.client_id)


abandoned: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
"""Tasks that were cancelled, went on, and are not waited for."""


async def end_tasks(tasks: set[asyncio.Task[Any]], grace: float, timeout: float) -> None:
    """Wait `grace` seconds for `tasks`, cancel those that go on, and wait until `timeout` seconds have passed."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=grace)
    for task in late:
        task.cancel()
    if late:
        _, stuck = await asyncio.wait(late, timeout=max(timeout - grace, 0.1))
        abandoned.update(stuck)
        for task in stuck:
            logger.warning("not waited for any longer, although it goes on after it was cancelled: %r", task)


def _subscription_id(id_: Any) -> int:
    if type(id_) is not int or not 0 < id_ < 2**32:
        raise InvalidParams(f"a subscription's id must be an integer from 1 to 2^32-1, not {id_!r}")
    return id_
