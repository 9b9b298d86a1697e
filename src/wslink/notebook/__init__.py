"""Pages of an application under a cell of a notebook: `show`. Needs anywidget, which the extra `notebook` brings."""

from __future__ import annotations

from pathlib import Path

from wslink.errors import UsageError
from wslink.server.app import App

__all__ = ["show"]


def show(app: App, content: str | Path = "www", *, height: int = 480) -> None:
    """Show an application's page below the cell that runs, in JupyterLab, Notebook 7, VS Code or behind JupyterHub.

    The page and its connection come over the channel of the notebook's kernel: no port is opened, and no proxy needed.
    It is let in without a secret: who can run cells can do all that the application can. `@app.authenticate` is asked.
    See docs/notebooks.md.

    Args:
        app: the application. It may be served on a port as well, but not with `application_thread=True`.
        content: the directory of the page, with its `index.html`.
        height: of the page, in pixels of CSS.

    Raises:
        UsageError: outside a notebook, without anywidget, and where `content` is not a directory.
    """
    try:
        from wslink.notebook.widget import Page
    except ImportError as error:
        raise UsageError(f"notebooks need anywidget: pip install 'wslink[notebook]' ({error})") from error
    Page(app, content, height).display()
