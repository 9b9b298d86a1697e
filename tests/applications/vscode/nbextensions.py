"""An extension of Jupyter's server that serves /nbextensions, as nbclassic's does."""

from __future__ import annotations

from typing import Any

from jupyter_core.paths import jupyter_path
from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.utils import url_path_join


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "nbextensions"}]


def _load_jupyter_server_extension(server: Any) -> None:
    path = url_path_join(server.web_app.settings["base_url"], r"/nbextensions/(.*)")
    options = {"path": jupyter_path("nbextensions"), "no_cache_paths": ["/"]}
    server.web_app.add_handlers(".*$", [(path, FileFindHandler, options)])
