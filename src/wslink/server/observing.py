"""Metrics, traces, the recorder and the inspector of a server, as its settings enable them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from wslink.errors import UsageError
from wslink.http.monitoring import CONTENT_TYPE, METRICS, is_local_program
from wslink.hub.hub import Hub
from wslink.rpc.methods import Method
from wslink.server.holders import Holders
from wslink.server.options import Options

if TYPE_CHECKING:
    from aiohttp import web

    from wslink.observe.inspector import Inspector
    from wslink.observe.metrics import Metrics
    from wslink.observe.recorder import Recorder
    from wslink.observe.traces import Traces
    from wslink.server.inspecting import Inspecting

INSPECTOR = "/wslink/inspect"


class Observing:
    """The observers of the servers of one application.

    Args:
        hub: the application's.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._secret: Callable[[], str] = str
        self._holders = Holders(lambda: self._secret())
        self._recorder: Recorder | None = None
        self._metrics: Metrics | None = None
        self._tells_metrics = False  # with the current settings; counting never stops
        self._traces: Traces | None = None
        self._inspector: Inspector | None = None
        self._inspecting: Inspecting | None = None

    def record(self, recorder: Recorder, secret: Callable[[], str]) -> None:
        """Record with `recorder`, and offer the recording to holders of the secret. Raises UsageError."""
        from wslink.server.recording import METHOD, Fetching

        self._secret = secret
        recorder.attach(self._hub)
        self._recorder = recorder
        self._hub.service.methods.add(Method(METHOD, Fetching(recorder, self._holders).fetch, run="loop"))

    def configure(self, options: Options, secret: str) -> None:
        """Enable what the settings ask for.

        Raises:
            UsageError: prometheus-client is not installed for metrics, or opentelemetry-api for traces; or the server
                dials a relay and so cannot serve the inspector's page.
        """
        self._secret = lambda: secret
        if options.recorder and self._recorder is None:
            from wslink.observe.recorder import Recorder

            self.record(Recorder(options.recorder), self._secret)
        self._tells_metrics = options.metrics
        if options.metrics and self._metrics is None:
            from wslink.observe.metrics import Metrics

            try:
                self._metrics = Metrics(self._hub)
            except ImportError as error:
                raise UsageError(f"metrics need prometheus-client: pip install 'wslink[metrics]' ({error})") from error
        if options.inspector and options.reverse_url:
            raise UsageError("inspector: a server that dials a relay has no page")
        self._inspecting = self._inspect() if options.inspector else None
        if options.traces and self._traces is None:  # must be the outermost interceptor: it encodes what methods return
            self._traces = self._trace()

    def _trace(self) -> Traces:
        try:
            from wslink.observe.traces import Traces
        except ImportError as error:
            raise UsageError(f"traces need OpenTelemetry: pip install 'wslink[otel]' ({error})") from error
        return Traces(self._hub)

    def _inspect(self) -> Inspecting:
        from wslink.observe.inspector import Inspector
        from wslink.server.inspecting import Inspecting

        if self._inspector is None:
            self._inspector = Inspector(self._hub)
        return Inspecting(self._hub, self._inspector, self._holders, INSPECTOR)

    def address(self, url: str) -> str:
        """The inspector's URL for a server whose page is at `url`, including the secret; "" if there is no
        inspector."""
        if self._inspecting is None:
            return ""
        page = urlsplit(url)._replace(path=INSPECTOR, query="")
        return f"{page.geturl()}#secret={quote(self._secret(), safe='')}"  # browsers do not send the fragment

    def add_to(self, application: web.Application) -> None:
        """Add the routes of the enabled observers."""
        if self._tells_metrics:
            application.router.add_get(METRICS, self._tell_metrics)
        if self._inspecting is not None:
            self._inspecting.add_to(application)

    async def _tell_metrics(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        if self._metrics is None or not await self._may_watch(request):
            raise web.HTTPNotFound
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _may_watch(self, request: web.Request) -> bool:
        """Whether a request presents the secret, or presents none and comes directly from a program on this machine."""
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            return await self._holders.admit_request(request, "metrics")
        return is_local_program(request.headers, request.remote)
