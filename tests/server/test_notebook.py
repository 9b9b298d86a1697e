"""An App in a notebook: cells are run again, and an event loop runs already."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wslink import App, UsageError

CELL = """
tiles = app.topic("demo.tile")

@app.method("demo.one")
def one(): return VALUE

@app.on_connect
def connected(client): pass

@tiles.on_subscribe
async def subscribed(subscription): pass

@dataclasses.dataclass
class Tile:
    row: int

app.topic("demo.typed", payload=Tile, doc="VALUE")
app.presence("demo.who", "all")

@link.handle("page.one")
def page(): return VALUE

@link.on_statechange
def state(new): pass

app.method("demo.two")(lambda: VALUE)
_ = tiles.on_unsubscribe(lambda _: None)
"""

NOTEBOOK = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
cell = {CELL!r}
def run(code):
    shell.run_cell(code).raise_error()
run("import dataclasses; from wslink import App, Limits; from wslink.client.link import Link; app = App()")
run("link = Link(app.connect()._dialing, Limits())")
run(cell.replace("VALUE", "1"))
run(cell.replace("VALUE", "2"))
run("print([app._hub.service.methods[name].function() for name in ('demo.one', 'demo.two')])")
run("print(len(app._hub.on_connect), len(tiles._on_subscribe), len(tiles._on_unsubscribe), len(link._events.state))")
run("print(app.topic('demo.typed').types.payload is Tile, app.describe()['topics']['demo.typed']['description'])")
run("print(link._handlers._service.methods['page.one'].function())")
"""


def test_a_cell_that_is_run_again_replaces_what_it_defined() -> None:
    pytest.importorskip("IPython")
    done = subprocess.run([sys.executable, "-W", "ignore", "-"], input=NOTEBOOK, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[2, 2]", "1 1 2 1", "True 2", "2"], done.stderr


def test_in_a_program_a_name_is_taken_once(app: App) -> None:
    app.method("demo.one")(lambda: 1)
    with pytest.raises(UsageError, match="registered already"):
        app.method("demo.one")(lambda: 2)
    script = "from wslink import App; app = App(); [app.method('demo.one')(lambda: 1) for _ in range(2)]"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "registered already" in done.stderr


async def test_run_names_what_to_do_where_a_loop_runs(app: App) -> None:
    with pytest.raises(UsageError, match=r"await app\.serve"):
        app.run(port=0)


@pytest.mark.parametrize("function", [lambda __x: 1, lambda a, *, __b=1: 1])
def test_a_parameter_that_cannot_be_served_is_named(app: App, function: object) -> None:
    with pytest.raises(UsageError, match=r"method 'demo.one': parameter '__\w' begins with two underscores"):
        app.method("demo.one")(function)  # type: ignore[type-var]
