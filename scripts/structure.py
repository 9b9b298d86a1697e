"""Check the structure of the package as ARCHITECTURE.md describes it; print what does not hold.

Import-linter checks the direction of imports. This checks the rest: circles, sizes, private names, `Any`, shims, and
that each rule of the protocol has a test.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "wslink"
MAX_MODULE, MAX_CLASS, MAX_FUNCTION, MAX_SHIM = 400, 250, 40, 5
"""Lines."""
MAX_ANY = 15.0
"""Uses of `Any` per 1,000 lines of code outside `compat`."""
SHIMS = (
    *(["core", "emitter", "websocket", "protocol", "publish", "chunking", "uri", "ssl_context"]),
    *(f"backends/{name}" for name in ["__init__", "aiohttp/__init__", "aiohttp/relay", "aiohttp/launcher"]),
    *(f"backends/{name}/{module}" for name in ("generic", "jupyter", "tornado") for module in ("__init__", "core")),
    *(f"{name}/__init__" for name in ("server", "launcher", "relay")),
)
"""Modules at import paths of the released API."""
DOCUMENTED = ("_replace", "_asdict", "_fields", "_field_defaults", "_make", "_current_frames")
"""Names that Python documents as public: of named tuples, and of sys."""
PRIVATE = PACKAGE / "transport" / "private.py"
"""The one module that may use names which dependencies do not promise."""
FOREIGN = {
    "wire": ("asyncio", "socket", "logging", "aiohttp", "time"),
    "rpc": ("aiohttp", "picows", "socket", "ssl"),
    "session": ("aiohttp", "picows", "socket", "ssl"),
    "hub": ("aiohttp", "picows", "socket", "ssl"),
}
"""What a layer must not import."""
RULE = re.compile(r"\b[A-Z]+\d?-\d+\b")
DEFINITION = re.compile(r"^(?:[-|]\s*)?\**([A-Z]+\d?-\d+)\b", re.MULTILINE)


def main() -> int:
    found = [
        *sizes(), *shims(), *private_names(), *uses_of_any(), *circles(), *foreign_imports(), *imports_of_compat(),
        *rules_without_a_test(),
    ]  # fmt: skip
    for complaint in found:
        print(complaint)
    return 1 if found else 0


def modules() -> Iterator[tuple[Path, str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        yield path, text, ast.parse(text)


def sizes() -> Iterator[str]:
    """Modules, classes and functions that are too long."""
    for path, text, tree in modules():
        if (lines := text.count("\n")) > MAX_MODULE:
            yield f"{_name(path)}: {lines} lines, over {MAX_MODULE}"
        for node in ast.walk(tree):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                limit = MAX_CLASS if isinstance(node, ast.ClassDef) else MAX_FUNCTION
                if lines > limit:
                    yield f"{_name(path)}:{node.lineno}: {node.name} has {lines} lines, over {limit}"
    for path in sorted(PACKAGE.rglob("page/*.js")):  # those of the client are eslint's
        if (lines := path.read_text().count("\n")) > MAX_MODULE:
            yield f"{_name(path)}: {lines} lines, over {MAX_MODULE}"


def shims() -> Iterator[str]:
    """Shims that do more than to lead somewhere."""
    for shim in SHIMS:
        path = PACKAGE / f"{shim}.py"
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        if len(lines) > MAX_SHIM:
            yield f"{_name(path)}: {len(lines)} lines, over {MAX_SHIM}: a shim only leads to wslink.compat"


def private_names() -> Iterator[str]:
    """Accesses to names with an underscore in front of objects other than the module's own."""
    for path, _, tree in modules():
        if path == PRIVATE:
            continue
        own = set(_defined(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if _is_private(alias.name):
                        yield f"{_name(path)}:{node.lineno}: imports {alias.name} of {node.module}"
            elif (
                isinstance(node, ast.Attribute)
                and _is_private(node.attr)
                and node.attr not in own
                and not _is_own(node.value)
            ):
                yield f"{_name(path)}:{node.lineno}: uses {ast.unparse(node)}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in DOCUMENTED


def _is_own(node: ast.expr) -> bool:
    """Whether `node` is `self`, `cls` or `super()`."""
    if isinstance(node, ast.Call):
        node = node.func
    return isinstance(node, ast.Name) and node.id in ("self", "cls", "super")


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names that a module defines: functions, classes, attributes that it stores, fields and slots."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def uses_of_any() -> Iterator[str]:
    """Whether `Any` is used too often."""
    uses = lines = 0
    for path, text, tree in modules():
        if path.is_relative_to(PACKAGE / "compat"):
            continue
        lines += text.count("\n")
        uses += sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(tree))
    if 1000 * uses / lines > MAX_ANY:
        yield f"{1000 * uses / lines:.1f} uses of Any per 1,000 lines, over {MAX_ANY}"


def circles() -> Iterator[str]:
    """Modules that import each other, imports for type checkers included."""
    import grimp

    graph = grimp.build_graph("wslink", exclude_type_checking_imports=False)
    remaining = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while leaves := {module for module, imported in remaining.items() if not imported & remaining.keys()}:
        remaining = {module: imported for module, imported in remaining.items() if module not in leaves}
    while roots := set(remaining) - set().union(*remaining.values()):
        remaining = {module: imported for module, imported in remaining.items() if module not in roots}
    for module, imported in sorted(remaining.items()):
        yield f"{module} is part of a circle: it imports {', '.join(sorted(imported & remaining.keys()))}"


def foreign_imports() -> Iterator[str]:
    """Imports of what a layer must not know: the wire layer does no I/O, and nothing above it but transports knows an
    engine."""
    for path, _, tree in modules():
        layer = path.relative_to(PACKAGE).parts[0]
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if name.partition(".")[0] in FOREIGN.get(layer, ()):
                    yield f"{_name(path)}:{node.lineno}: imports {name}, which {layer} must not know"


def imports_of_compat() -> Iterator[str]:
    """Whether a program that makes an App alone loads the compatibility API."""
    program = "import sys, wslink; wslink.App(); print(*[name for name in sys.modules if 'wslink.compat' in name])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    if loaded:
        yield f"a program that makes an App loads {', '.join(loaded)}"


def rules_without_a_test() -> Iterator[str]:
    """Numbered rules that no test of either language cites."""
    pages = (ROOT / "docs" / "protocol").glob("*.md")
    rules = {rule for page in pages for rule in DEFINITION.findall(page.read_text())}
    tests = [
        test
        for directory, kinds in ((ROOT / "tests", ("py", "json")), (ROOT / "js" / "tests", ("ts",)))
        for kind in kinds
        for test in directory.rglob(f"*.{kind}")
        if "node_modules" not in test.parts
    ]
    cited = {rule for test in tests for rule in RULE.findall(test.read_text())}
    for rule in sorted(rules - cited):
        yield f"docs/protocol: {rule} is cited by no test"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
