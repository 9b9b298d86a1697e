"""Error responses: JSON for programs, a page for a person who followed a link."""

from __future__ import annotations

import html
from typing import Any

from aiohttp import web

from wslink.http.pages import HEADERS
from wslink.launcher.admin import PAGE


def refusal(request: web.Request, told: dict[str, Any], status: int) -> web.Response:
    """The answer.

    Args:
        request: what failed. A page is for who asks for one, as browsers do where a person follows a link.
        told: what programs get; `error` is the reason, which a page shows.
        status: of HTTP.
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
