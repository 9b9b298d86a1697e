"""Settings that claim one path are refused before the port is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.server.test_http import get
from wslink import App, UsageError
from wslink.compat.webapp import WebAppServer
from wslink.relay.options import Options
from wslink.relay.service import Relay
from wslink.websocket import ServerProtocol


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ws": "metrics", "metrics": True}, "metrics and ws both claim the path /metrics"),
        ({"ws": "/metrics/", "metrics": True}, "metrics and ws both claim the path /metrics"),
        ({"fs_endpoints": "metrics=.", "metrics": True}, "metrics and fs_endpoints both claim the path /metrics"),
        ({"fs_endpoints": "ws=."}, "ws and fs_endpoints both claim the path /ws"),
        ({"fs_endpoints": "a=.|b=.|/a/=."}, "fs_endpoints and fs_endpoints both claim the path /a"),
        ({"ws": "", "content": "."}, "ws and content both claim the path /:"),
        ({"fs_endpoints": "=."}, "'=.' has no route: what is served at / is content"),
        ({"fs_endpoints": "/=."}, "'/=.' has no route"),
        ({"fs_endpoints": "wslink=."}, "fs_endpoints: the path /wslink is that of the JavaScript client"),
        ({"fs_endpoints": "wslink/data=."}, "the path /wslink/data is that of the JavaScript client"),
        ({"ws": "wslink/client.js"}, "ws: the path /wslink/client.js is that of the JavaScript client"),
        ({"ws": "wslink/inspect", "inspector": True}, "ws: the path /wslink/inspect is that of the inspector"),
        ({"ws": "wslink/inspect/log", "inspector": True}, "the path /wslink/inspect/log is that of the inspector"),
        ({"fs_endpoints": "wslink/inspect=.", "inspector": True}, "/wslink/inspect is that of the inspector"),
    ],
)
async def test_two_settings_for_one_path_are_refused(app: App, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        await app.serve(port=0, handle_signals=False, ready_msg="", **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"ws": "metrics"},
        {"ws": "wslink/ws", "inspector": True},
        {"ws": "wslink", "metrics": True},
        {"ws": "", "metrics": True},
        {"ws": "data/live", "fs_endpoints": "data=.|data/more=."},
        {"ws": "health"},
    ],
)
async def test_paths_beside_each_other_are_taken(
    app: App, serve: Serve, peers: Open, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = await serve(app, **settings)
    await peers(url.removesuffix("ws") + settings["ws"], hello={})
    assert (await get(url, "/nowhere"))[0] == 404


async def test_the_more_specific_directory_is_served_whatever_the_order(app: App, serve: Serve, tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    url = await serve(app, fs_endpoints=f"a={tmp_path / 'outer'}|a/b={tmp_path / 'inner'}")
    assert (await get(url, "/a/"))[2] == "outer"
    assert (await get(url, "/a/b/"))[2] == "inner"


async def test_what_has_the_path_of_the_health_check_is_served_in_its_place(
    app: App, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("how are you")
    url = await serve(app, fs_endpoints=f"health={tmp_path}")
    assert (await get(url, "/health"))[2] == "how are you"


async def test_metrics_are_served_where_the_present_settings_say_so(app: App) -> None:
    settings: dict[str, Any] = {"port": 0, "handle_signals": False, "ready_msg": ""}
    for metrics, status in ((True, 200), (False, 404)):
        async with await app.serve(metrics=metrics, host="127.0.0.1", **settings) as server:
            assert (await get(f"ws://127.0.0.1:{server.port}/ws", "/metrics"))[0] == status


@pytest.mark.parametrize("options", [{"proxy_route": "/health"}, {"proxy_route": "/metrics", "metrics": True}])
def test_a_relay_refuses_a_route_that_something_else_has(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"the path {options['proxy_route']} is that of "):
        Relay(Options(**options)).application()


def test_a_relay_with_pages_refuses_their_root(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the path / is that of --www"):
        Relay(Options(proxy_route="/", www=str(tmp_path))).application()


async def test_the_released_api_refuses_them_before_it_listens(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="two protocols have the route /ws"):
        WebAppServer({"port": 0, "ws": {"ws": ServerProtocol(), "/ws": ServerProtocol()}})
    server = WebAppServer(
        {"port": 0, "ws": {"/": ServerProtocol()}, "static": {"/": str(tmp_path)}, "handle_signals": False}
    )
    with pytest.raises(RuntimeError, match="both claim the path /"):
        await server.start()
