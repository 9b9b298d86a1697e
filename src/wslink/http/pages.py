"""The pages of this package: the administrator's, the list of applications, the inspector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

STYLE = "base.css"
"""The style sheet that all of them begin with, by the name under which each has it beside its own."""
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
)
"""Of a page and its files: it runs its own script, asks its own server, and stands in no frame."""
PRIVATE: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
"""Of answers that not everybody may have."""

_HERE = Path(__file__).parent / "page"


def page_file(directory: Path, name: str) -> web.FileResponse:
    """Return a file of a page.

    Args:
        directory: the page's directory.
        name: the name of a file there, or STYLE.
    """
    return web.FileResponse((_HERE if name == STYLE else directory) / name, headers=HEADERS)
