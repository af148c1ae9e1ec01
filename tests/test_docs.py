"""The documents cannot rot: what the registries hold has its page or row, links lead somewhere, examples are true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from msgspec import Struct

from proxyapp import errors
from proxyapp.config.document import Document
from proxyapp.dialects.registry import DIALECTS
from proxyapp.upstreams.registry import KINDS

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "data"]
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))])
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    """The cells of every table row of a page."""
    lines = [line for line in page(name).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def first_cells(name: str) -> set[str]:
    return {word for row in rows(name) for word in re.findall(r"`([^`]+)`", row[0])}


# --- nothing is missing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_has_a_page_that_names_its_paths(name: str) -> None:
    text = page(f"docs/dialects/{name}.md")
    assert text.startswith(f"# `{name}`")
    assert "| Paths | " in text


def test_every_upstream_kind_has_a_row_with_its_dialect() -> None:
    table = {row[0].strip("`"): row[1] for row in rows("docs/upstreams.md") if len(row) > 4}
    from proxyapp.upstreams.contract import Upstream

    for name, kind in KINDS.items():
        dialect = kind.dialect(Upstream(name=name, kind=name), "a-model", "")
        assert f"`{dialect}`" in table[name]
    assert set(table) - {"kind", "---"} == set(KINDS)


def test_the_console_offers_every_kind() -> None:
    from proxyapp.models.upstreams import KINDS as OFFERED

    assert {kind for kind, _ in OFFERED} == set(KINDS)


def test_every_command_has_a_section() -> None:
    folder = ROOT / "proxyapp/management/commands"
    commands = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    sections = set(re.findall(r"^## `([a-z_]+)", page("docs/commands.md"), re.MULTILINE))
    assert sections == commands


def descendants(cls: type) -> Iterator[type]:
    for child in cls.__subclasses__():
        yield child
        yield from descendants(child)


def test_every_error_code_has_a_row_with_its_status() -> None:
    table = {row[0].strip("`"): row[1] for row in rows("docs/errors.md")}
    classes = [cls for cls in descendants(errors.GatewayError) if cls.__module__ == errors.__name__]
    for cls in classes:
        shown = table[cls.code]
        assert shown == str(cls.status) or cls is errors.UpstreamRefused, f"{cls.__name__} is {cls.status}"
    assert set(table) - {"code", "---"} == {cls.code for cls in classes}


def keys_of(shape: Any, path: str = "") -> Iterator[str]:
    """Every key of a part of the declarative file, as the documentation writes it."""
    for name, hint in get_type_hints(shape).items():
        options = [hint, *get_args(hint)]
        inner = next((o for option in options for o in (option, *get_args(option)) if is_struct(o)), None)
        many = any(getattr(option, "__origin__", None) is list for option in options)
        here = f"{path}{name}"
        if inner is None or many or inner.__name__ not in ("LimitsSpec", "TimeoutsSpec"):
            yield here
        if inner is not None:
            yield from keys_of(inner, f"{here}[]." if many else f"{here}.")


def is_struct(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, Struct)


@pytest.mark.parametrize("section", Document.__struct_fields__)
def test_every_key_of_the_declarative_file_has_a_row(section: str) -> None:
    shape = next(o for option in get_args(get_type_hints(Document)[section]) for o in get_args(option) if is_struct(o))
    text = page("docs/configuration.md").split(f"\n## `{section}`\n")[1].split("\n## ")[0]
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    assert {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)} == set(keys_of(shape))


def test_every_decision_is_listed() -> None:
    found = {path.name for path in (ROOT / "docs/decisions").glob("2*.md")}
    assert set(re.findall(r"\]\((2[^)]+\.md)\)", page("docs/decisions/README.md"))) == found


# --- nothing leads nowhere -------------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, place = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{target} leads nowhere"
        if place:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert place in {anchor(heading) for heading in headings}, f"{target} has no such heading"


def test_every_picture_is_there_and_shown_and_small() -> None:
    shown = set()
    for path, name in zip(PAGES, NAMES, strict=True):
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r'(?:src|srcset)="([^"]+)"|!\[[^\]]+\]\(([^)]+)\)', text):
            file = (path.parent / (target[0] or target[1])).resolve()
            assert file.is_file(), f"{name} shows {file.name}"
            shown.add(file)
    pictures = set((ROOT / "docs/images").glob("*.png"))
    assert pictures == shown
    for picture in pictures:
        head = picture.read_bytes()
        assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (1400, 900), picture.name
        assert len(head) <= 250_000, picture.name


def test_the_configuration_of_the_screenshots_can_be_read(tmp_path: Path) -> None:
    from docs.images.morning import configuration, morning
    from proxyapp.config import reading

    asks = morning()
    urls = dict.fromkeys({ask.upstream for ask in asks if ask.upstream}, "http://127.0.0.1:1")
    document = reading.read(json.dumps(configuration(urls)), environ={}, directory=tmp_path)
    assert {client.name for client in document.clients or []} == {ask.client for ask in asks}


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_no_page_holds_a_path_of_somebodys_machine(path: Path) -> None:
    found = re.findall(r"(?<![\w.~)])/(?:work|root|home|Users|tmp|opt|mnt)/\S*", path.read_text(encoding="utf-8"))
    assert not found, found


def test_paths_of_the_code_that_the_documents_name_exist() -> None:
    pattern = re.compile(r"`((?:proxyapp|accounts|gateway|tests|bench|docs)/[\w./-]*)`")
    for path, name in zip(PAGES, NAMES, strict=True):
        if name == "CHANGELOG.md" or "decisions/2" in name or name.startswith("tests/"):
            continue  # what was true then, and what comes with recorded data
        for mentioned in pattern.findall(path.read_text(encoding="utf-8")):
            is_made_up = "/example" in mentioned
            assert is_made_up or (ROOT / mentioned).exists(), f"{name} names {mentioned}"


# --- the examples are true -------------------------------------------------------------------------------------------

SETTINGS = "import json, gateway.settings as s; print(json.dumps([s.ENVIRONMENT.names, {n: repr(v) for n, v in vars(s)\
.items() if n.isupper() and n not in ('ENVIRONMENT', 'UNFOLD', 'SECRET_KEY', 'DRAGOMAN_ENCRYPTION_KEYS')}]))"


def settings_with(directory: Path, env_file: str) -> tuple[list[str], dict[str, str]]:
    """The names of all variables, and the settings in force with that file, as a fresh process reads them."""
    environment = {"PATH": os.environ["PATH"], "DRAGOMAN_ENV_FILE": env_file, "DRAGOMAN_DATA_DIR": str(directory)}
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    names, values = json.loads(done.stdout)
    return names, values


def test_the_example_environment_lists_every_variable_with_its_default(tmp_path: Path) -> None:
    lines = re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", page(".env.example"), re.MULTILINE)
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in lines if value))
    names, plain = settings_with(tmp_path, os.devnull)
    _, from_example = settings_with(tmp_path, str(file))
    assert sorted(name for name, _ in lines) == sorted(names)
    assert from_example == plain


def test_the_example_of_the_declarative_file_can_be_read(tmp_path: Path) -> None:
    from proxyapp.config import reading

    for text in re.findall(r"^```yaml\n(.*?)^```", page("docs/configuration.md"), re.MULTILINE | re.DOTALL):
        reading.read(text, environ={"ANTHROPIC_API_KEY": "x", "ALICE_KEY": "y"}, directory=tmp_path)


def test_make_targets_that_the_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", page("Makefile"), re.MULTILINE))
    for name in NAMES:
        named = set(re.findall(r"(?:^|`)(?:\w+=\S+ )*make ([a-z][a-z-]*)", page(name), re.MULTILINE))
        assert named <= targets, f"{name} names {named - targets}"


# --- the container, as far as it can be looked at without an engine --------------------------------------------------


def test_the_image_copies_only_what_is_in_the_repository() -> None:
    allowed = {line[1:] for line in page(".dockerignore").splitlines() if line.startswith("!")}
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", page("Dockerfile"), re.MULTILINE):
        copied |= set(line.split()[:-1])
    assert copied == allowed
    assert {"gateway", "accounts", "proxyapp", "templates"} <= copied, "what the server needs at run time"
    assert all((ROOT / name).exists() for name in copied)


def test_the_compose_file_is_sound() -> None:
    document = yaml.safe_load(page("compose.yaml"))
    services, volumes = document["services"], set(document["volumes"])
    assert "profiles" not in services["dragoman"]
    assert services["postgres"]["profiles"] == ["postgres"]
    for service in services.values():
        assert {mount.split(":")[0] for mount in service["volumes"]} <= volumes
        assert set(service.get("depends_on", {})) <= set(services)
