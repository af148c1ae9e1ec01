"""A foreign file from text to rows: recognised by what is in it, converted, and applied as a declarative file is.

Converters know the foreign file, the declarative file's own checks know what may stand here. A document that is refused
has changed nothing; what was refused of it is taken out and told, until the rest can be applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Struct

from proxyapp.config.declare import Result, apply
from proxyapp.config.document import Document
from proxyapp.config.importing import droid2api, litellm, oneapi
from proxyapp.config.importing.findings import Finding, Imported, Sort, shown
from proxyapp.config.reading import DeclarationError, parse, unstorable
from proxyapp.config.wording import say

LARGEST = 16 * 2**20
"""Characters of a file; LiteLLM's and one-api's largest are far below."""


class Format(Struct, frozen=True):
    """A kind of file that is understood."""

    name: str
    is_one: Callable[[Any], bool]
    convert: Callable[[Any, Mapping[str, str]], Imported]
    """(the file as plain data, the environment that its references lead to)"""


FORMATS = (
    Format("droid2api", droid2api.is_one, lambda raw, environ: droid2api.convert(raw)),
    Format("litellm", litellm.is_one, litellm.convert),
    Format("new-api", oneapi.is_new, lambda raw, environ: oneapi.convert_new(raw)),
    Format("one-api", oneapi.is_one, lambda raw, environ: oneapi.convert_one(raw)),
)


class UnknownFile(Exception):
    """The message is a sentence that says what is wrong with the file."""


def load(text: str) -> Any:
    """JSON or YAML as plain data. Raises UnknownFile."""
    if len(text) > LARGEST:
        raise UnknownFile(f"The file is larger than {LARGEST // 2**20} MB.")
    try:
        rows = oneapi.rows_of(text)
        return parse(text) if rows is None else rows
    except ValueError as exc:
        raise UnknownFile(f"The table cannot be read ({exc}).")
    except DeclarationError as exc:
        raise UnknownFile(f"The file cannot be read. {exc.problems[0]}")
    except RecursionError:
        raise UnknownFile("The file is nested too deeply.")


def convert(raw: Any, environ: Mapping[str, str], name: str = "") -> tuple[str, Imported]:
    """(the format, what the file becomes). `name` says the format; "" tells it by the content. Raises UnknownFile."""
    for known in FORMATS:
        if known.name == name or (not name and known.is_one(raw)):
            try:
                return known.name, known.convert(raw, environ)
            except RecursionError:
                raise UnknownFile("The file is nested too deeply.")
    raise UnknownFile(
        "This is none of the files that are understood: droid2api's config.json, LiteLLM's config.yaml, or a list of "
        "channels from one-api or new-api. A file of our own is for apply_config."
    )


class Applied(Struct, frozen=True):
    """What became of a conversion."""

    result: Result
    findings: list[Finding]
    """The converter's and those about what was taken out again."""
    is_empty: bool
    """Nothing of the file could be taken."""


def apply_imported(imported: Imported, *, dry_run: bool = False) -> Applied:
    """Apply what can be applied, in one transaction. Raises DeclarationError for a problem that no part of the
    document is to blame for."""
    document, findings = imported.document, list(imported.findings)
    while True:
        try:
            problems = list(_wrong(document))
            if problems:
                raise DeclarationError(problems)
            result = apply(msgspec.convert(document, Document), dry_run=dry_run)
        except DeclarationError as exc:  # nothing was changed
            findings += _take_out(document, exc.problems)
        else:
            return Applied(result, findings, not any(document.values()))


def _wrong(document: dict[str, Any]) -> Iterator[str]:
    """What cannot be said in a declarative file at all: types, lengths, characters no database keeps."""
    for section, hint in get_type_hints(Document).items():
        shape = get_args(get_args(hint)[0])[0]
        for number, item in enumerate(document.get(section, ())):
            path = f"{section}[{number}]"
            if any(unstorable(item, path)):
                yield f"{path}: holds a character that no database keeps"
                continue
            try:
                msgspec.convert(item, shape)
            except msgspec.ValidationError as exc:
                yield say(exc, path)


# --- taking out what is refused --------------------------------------------------------------------------------------

_PATH = re.compile(r"(?P<section>\w+)\[(?P<number>\d+)\](?:\.(?P<part>\w+)\[(?P<place>\d+)\])?(?P<rest>[\w.\[\]-]*): ")


def _take_out(document: dict[str, Any], problems: list[str]) -> list[Finding]:
    """Remove the part or the object that each problem names, and what leads to it. Raises DeclarationError for
    problems that name nothing, because they would come again for ever."""
    out = _Out(document)
    for problem in problems:
        found = _PATH.match(problem)
        if not found or len(document.get(found["section"], ())) <= int(found["number"]):
            raise DeclarationError(problems)
        out.note(found, problem[found.end() :])
    return out.take()


class _Out:
    """What is to be taken out of a document: whole objects, parts of them, and aliases that others have."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.findings: list[Finding] = []
        self.whole: dict[str, set[int]] = {}
        self.parts: dict[tuple[str, int, str], set[int]] = {}

    def note(self, found: re.Match[str], sentence: str) -> None:
        section, number, part = found["section"], int(found["number"]), found["part"]
        item = self.document[section][number]
        self.findings.append(Finding(Sort.LEFT_OUT, _name(section, item), f"{sentence}."))
        if part and isinstance(item.get(part), list):
            self.parts.setdefault((section, number, part), set()).add(int(found["place"]))
        elif found["rest"] == ".aliases" and isinstance(item.get("aliases"), list):
            named = {place for place, alias in enumerate(item["aliases"]) if repr(alias) in sentence}
            self.parts.setdefault((section, number, "aliases"), set()).update(named or range(len(item["aliases"])))
        else:
            self.whole.setdefault(section, set()).add(number)

    def take(self) -> list[Finding]:
        for (section, number, part), places in self.parts.items():
            item = self.document[section][number]
            item[part] = [value for place, value in enumerate(item[part]) if place not in places]
            if part == "proxies" and not item[part]:
                self._tell(Sort.DECIDE, section, item, "none of its proxies could be taken.")
        gone: dict[str, set[str]] = {}
        for section, numbers in self.whole.items():
            gone[section] = {self.document[section][number].get("name") for number in numbers}
            self.document[section] = [
                item for number, item in enumerate(self.document[section]) if number not in numbers
            ]
        self._without_pools(gone.get("proxy_pools", set()))
        self._without_upstreams(gone.get("upstreams", set()))
        return self.findings

    def _without_pools(self, names: set[str]) -> None:
        """What was to go out by a proxy is not let out without it."""
        for upstream in self.document.get("upstreams", ()):
            if upstream.get("proxy_pool") in names:
                del upstream["proxy_pool"]
                upstream["enabled"] = False
                self._tell(Sort.DECIDE, "upstreams", upstream, "is off, because its proxies could not be taken.")

    def _without_upstreams(self, names: set[str]) -> None:
        kept = []
        for model in self.document.get("models", ()):
            had = model.get("routes") or []
            model["routes"] = [route for route in had if route.get("upstream") not in names]
            if had and not model["routes"]:
                self._tell(Sort.LEFT_OUT, "models", model, "none of its routes could be taken.")
            else:
                kept.append(model)
        if "models" in self.document:
            self.document["models"] = kept

    def _tell(self, sort: Sort, section: str, item: Any, sentence: str) -> None:
        self.findings.append(Finding(sort, _name(section, item), sentence))


def _name(section: str, item: Any) -> str:
    kind = section.rstrip("s").replace("_", " ")
    name = item.get("name") if isinstance(item, dict) else None
    return f"{kind} {shown(name)}" if isinstance(name, str) else kind
