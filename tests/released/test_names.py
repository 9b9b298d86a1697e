"""Every name that a module of the released packages has is here as well, or is left out for a reason."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from .package import RELEASED

NAMES = Path(__file__).parent / "names"
RELEASES = {path.stem: json.loads(path.read_text()) for path in NAMES.glob("[0-9]*.json")}
ABSENT = json.loads((NAMES / "absent.json").read_text())

#: Imported for a module's own use, from the standard library and from dependencies; nobody's to import from there.
BORROWED = {
    *sys.stdlib_module_names,
    "Path",
    "TypedDict",
    "aiohttp",
    "choice",
    "msgpack",
    "partial",
    "suppress",
    "tornado",
}
NEEDS = {"wslink.backends.tornado": "tornado", "wslink.backends.jupyter": "IPython"}


@pytest.mark.skipif(RELEASED, reason="the lists are of the released packages")
@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("module", sorted({name for names in RELEASES.values() for name in names}))
def test_a_name_is_there_or_left_out_for_a_reason(release, module):
    for prefix, needed in NEEDS.items():
        if module.startswith(prefix):
            pytest.importorskip(needed)
    ours = importlib.import_module(module)
    names = set(RELEASES[release].get(module, ())) - BORROWED
    missing = {name for name in names if not hasattr(ours, name)}
    assert missing <= set(ABSENT.get(module, ())), module


@pytest.mark.skipif(RELEASED, reason="the lists are of the released packages")
def test_no_reason_is_given_for_a_name_that_is_there():
    for module, names in ABSENT.items():
        ours = importlib.import_module(module)
        assert not [name for name in names if name != "core" and hasattr(ours, name)], module


@pytest.mark.skipif(RELEASED, reason="1.x has them, 2.x does not")
def test_accessors_of_1_x():
    from wslink.server import create_webserver

    config = {"port": 0, "timeout": 7}
    server = create_webserver(config)
    assert server.get_config() is config
    assert server.get_last_active_client_id() is None
    server.set_config({"port": 0})
    assert server.timeout == 0


def test_register_by_its_older_name():
    from wslink import register, websocket

    if hasattr(websocket, "exportRpc"):
        assert websocket.exportRpc is register
