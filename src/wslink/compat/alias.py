"""The import paths of the released API. Each is a module of `wslink.compat` itself, so that applications may assign and
patch what they find there."""

from __future__ import annotations

import sys

from wslink.lazy import load


def alias(name: str, home: str) -> None:
    """Let `import name` give the module `home`. To be called by the module `name`, whose submodules stay its own."""
    module = load(home)
    path = getattr(sys.modules[name], "__path__", None)
    if path is not None:
        vars(module)["__path__"] = path
    sys.modules[name] = module
