"""Error responses: JSON for programs, a page for people who followed a link."""

from __future__ import annotations

import html
from typing import Any

from aiohttp import web

from wslink.http.pages import HEADERS
from wslink.launcher.admin import PAGE


def refusal(request: web.Request, told: dict[str, Any], status: int) -> web.Response:
    """Create the response.

    Args:
        request: the failed request. Browsers ask for a page when a person follows a link.
        told: the JSON for programs; `error` is the reason, which a page shows.
        status: the HTTP status.
    """
    if request.method != "GET" or "text/html" not in request.headers.get("Accept", ""):
        return web.json_response(told, status=status)
    page = (PAGE / "refusal.html").read_text(encoding="utf-8")
    # Relative, so that it holds below any path that a proxy puts before it.
    page = page.replace("HOME", "../" * (request.raw_path.partition("?")[0].count("/") - 1) or "./")
    page = page.replace("REASON", html.escape(str(told["error"])))
    return web.Response(
        text=page, content_type="text/html", status=status, headers={**HEADERS, "Cache-Control": "no-store"}
    )
