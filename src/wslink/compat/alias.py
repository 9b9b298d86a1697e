"""The import paths of the released API. Each is the module of `wslink.compat` itself, so that applications can assign
to its names and patch them."""

from __future__ import annotations

import sys

from wslink.lazy import load


def alias(name: str, home: str) -> None:
    """Make `import name` return the module `home`. Called by the module `name`, which keeps its submodules."""
    module = load(home)
    path = getattr(sys.modules[name], "__path__", None)
    if path is not None:
        vars(module)["__path__"] = path
    sys.modules[name] = module
