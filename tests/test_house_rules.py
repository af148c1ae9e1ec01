"""The house keeps its shape: who may import whom, how large things may grow, inner rings without Django."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gateway", "accounts", "proxyapp")
MAX_MODULE, MAX_FUNCTION = 400, 50

INNER = ("proxyapp.ir", "proxyapp.errors", "proxyapp.dialects", "proxyapp.upstreams", "proxyapp.engine")
OUTSIDE = ("django", "rest_framework", "environ", "accounts", "gateway")
CLIENTS = (
    *("httpx", "httpx2", "aiohttp", "httpx_aiohttp", "aiohttp_socks", "python_socks"),
    *("requests", "urllib3", "urllib.request", "http.client"),
)
SHARED = (
    "contract",
    "sse",
    "jsonio",
    "signatures",
    "naming",
    "proofs",
    "arguments",
    "waiting",
    "leveling",
    "cleaning",
    "openai",
)
DIALECT_SHARED = {f"proxyapp.dialects.{name}" for name in SHARED}

# package -> what of ours it may import (prefixes). What is not listed here is not restricted.
MAY_IMPORT = {
    "proxyapp.ir": ("proxyapp.ir", "proxyapp.errors"),
    "proxyapp.errors": (),
    "proxyapp.upstreams": ("proxyapp.ir", "proxyapp.errors", "proxyapp.upstreams"),
    "proxyapp.engine": INNER,
    "accounts": ("accounts",),
    "proxyapp.models": ("accounts", "proxyapp.models", "proxyapp.errors", "proxyapp.fields"),
    "proxyapp.api": ("accounts", "proxyapp"),
}
NEVER = {
    "proxyapp.models": ("proxyapp.engine", "proxyapp.dialects"),
    "proxyapp.config": ("proxyapp.api", "proxyapp.admin", "proxyapp.console"),
    "proxyapp.history": ("proxyapp.api", "proxyapp.admin", "proxyapp.console"),
    "proxyapp.metrics": ("proxyapp.api", "proxyapp.admin", "proxyapp.console"),
    "proxyapp.conversations": ("proxyapp.api", "proxyapp.admin", "proxyapp.console"),
    "proxyapp.health": ("proxyapp.api", "proxyapp.admin", "proxyapp.console"),
    "proxyapp.tokens": ("proxyapp.api", "proxyapp.admin", "proxyapp.console"),
    "proxyapp.api": ("proxyapp.admin", "proxyapp.console"),
    "proxyapp.admin": ("proxyapp.api", "proxyapp.console"),
}


def modules() -> list[tuple[str, Path]]:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found.append((dotted.removesuffix(".__init__"), path))
    return found


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def imports(path: Path) -> set[str]:
    """Every absolute name imported by the module, functions included."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def under(name: str, prefixes: tuple[str, ...] | set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


ALL = modules()
IDS = [name for name, _ in ALL]


@pytest.mark.parametrize(("name", "path"), ALL, ids=IDS)
def test_modules_import_only_what_their_layer_may(name: str, path: Path) -> None:
    found = imports(path)
    ours = {imported for imported in found if under(imported, PACKAGES)}
    for package, allowed in MAY_IMPORT.items():
        if under(name, (package,)):
            strangers = {imported for imported in ours if imported != "proxyapp" and not under(imported, allowed)}
            assert not strangers, f"{name} may not import {sorted(strangers)}"
    for package, forbidden in NEVER.items():
        if under(name, (package,)):
            assert not {imported for imported in ours if under(imported, forbidden)}, name
    if under(name, INNER):
        assert not {imported for imported in found if under(imported, OUTSIDE)}, (
            f"{name} reaches out of the inner rings"
        )


@pytest.mark.parametrize(("name", "path"), [m for m in ALL if under(m[0], ("proxyapp.dialects",))])
def test_no_dialect_knows_another(name: str, path: Path) -> None:
    parts = name.split(".")
    if len(parts) < 3 or under(name, DIALECT_SHARED) or name == "proxyapp.dialects.registry":
        return
    own = ".".join(parts[:3])
    for imported in imports(path):
        if under(imported, ("proxyapp.dialects",)) and imported != "proxyapp.dialects":
            assert under(imported, {own} | DIALECT_SHARED), f"{name} imports {imported}"
        assert not under(imported, ("asyncio",)), f"{name} does I/O"


@pytest.mark.parametrize(("name", "path"), ALL, ids=IDS)
def test_only_the_transport_knows_an_http_client(name: str, path: Path) -> None:
    if name not in ("proxyapp.engine.transport", "proxyapp.engine.connections"):
        assert not {imported for imported in imports(path) if under(imported, CLIENTS)}, name


@pytest.mark.parametrize(("name", "path"), ALL, ids=IDS)
def test_nothing_outgrows_its_place(name: str, path: Path) -> None:
    text = path.read_text()
    if path.name != "tables.py":
        assert len(text.splitlines()) <= MAX_MODULE, f"{name} has {len(text.splitlines())} lines"
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{name}.{node.name} has {length} lines"


@pytest.mark.parametrize(("name", "path"), ALL, ids=IDS)
def test_every_module_says_what_it_is_for(name: str, path: Path) -> None:
    tree = parsed(path)
    if tree.body:
        assert ast.get_docstring(tree), f"{name} has no docstring"


def test_settings_alone_reads_the_environment() -> None:
    # The two commands: the references of a declarative file (`env:NAME`, contract 4) and of LiteLLM's.
    commands = {f"proxyapp.management.commands.{name}_config" for name in ("apply", "import")}
    allowed = {"gateway.environment", "gateway.settings", "gateway.asgi", *commands}
    for name, path in ALL:
        text = path.read_text()
        if name not in allowed:
            # `os.environ/NAME` is how LiteLLM's file refers to a variable.
            assert not re.search(r"os\.environ(?!/)", text), name
            assert "getenv" not in text, name


def test_the_engine_runs_without_django() -> None:
    code = "import sys, proxyapp.engine.serve; sys.exit('django' in sys.modules or 'rest_framework' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
