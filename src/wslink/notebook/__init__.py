"""Pages of an application under a cell of a notebook: `show`. Needs anywidget, which the extra `notebook` brings."""

from __future__ import annotations

from pathlib import Path

from wslink.errors import UsageError
from wslink.server.app import App

__all__ = ["show"]


def show(app: App, content: str | Path = "www", *, height: int = 480) -> None:
    """Show an application's page below the current cell, in JupyterLab, Notebook 7, VS Code or behind JupyterHub.

    The page and its connection use the channel of the notebook's kernel: no port is opened, and no proxy is needed. No
    secret is required, since anyone who can run cells can do everything that the application can; `@app.authenticate`
    still applies. See docs/notebooks.md.

    Args:
        app: the application. It may be served on a port as well, but not with `application_thread=True`.
        content: the directory of the page, with its `index.html`.
        height: the height of the page, in CSS pixels.

    Raises:
        UsageError: it is not called in a notebook, anywidget is not installed, or `content` is not a directory.
    """
    try:
        from wslink.notebook.widget import Page
    except ImportError as error:
        raise UsageError(f"notebooks need anywidget: pip install 'wslink[notebook]' ({error})") from error
    Page(app, content, height).display()
