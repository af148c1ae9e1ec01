"""The declarative file from text to a `Document`: YAML or JSON, unknown words, types, references. No database.

Every error names the path of what is wrong (`models[0].routes[1].upstream: …`) and never the value of a secret.
"""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml
from msgspec import Struct

from proxyapp.config.document import Document
from proxyapp.config.wording import say

REFERENCE_FIELDS = frozenset({"value", "url", "base_url", "system_prompt", "refresh_token", "client_id", "token_url"})
"""Where `env:NAME` and `file:PATH` are references; below `headers` every value may be one."""
ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)\Z")
FILE = re.compile(r"file:(\S.*)\Z")
LITERAL = "literal:"
"""Before a text that is meant as it stands although it looks like a reference."""
MOST_VALUES = 2_000_000
"""In one file. Even an operator with ten thousand models has fewer."""
UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")
"""NUL, which PostgreSQL takes in no text, and halves of surrogate pairs, which are no characters."""


class DeclarationError(Exception):
    """The file cannot be applied. `problems` are sentences that begin with a path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read(text: str, *, environ: Mapping[str, str], directory: Path) -> Document:
    """The document in `text`. `directory` is where relative `file:` paths begin. Raises DeclarationError."""
    try:
        return _read(text, environ, directory)
    except RecursionError:
        raise DeclarationError(["The file is nested too deeply, or refers to itself."])


def _read(text: str, environ: Mapping[str, str], directory: Path) -> Document:
    raw = parse(text)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise DeclarationError([f"The file must be an object with {_listed(Document.__struct_fields__)}."])
    problems = [*_unknown_words(raw, Document, ""), *unstorable(raw, "")]
    raw = _Resolver(environ, directory, problems).resolve(raw, "")
    problems += () if problems else _wrong_types(raw)
    if problems:
        raise DeclarationError(problems)
    return msgspec.convert(raw, Document)


def parse(text: str) -> Any:
    """JSON or YAML as plain data. Raises DeclarationError with the line of a mistake.

    JSON is read as JSON: tabs, surrogate pairs and 1e9 are not to YAML what they are there.
    """
    try:
        return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once, parse_constant=_no_number)
    except ValueError:
        return _parse_yaml(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise DeclarationError([f"{name!r} is given twice in one object."])
        found[name] = value
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _parse_yaml(text: str) -> Any:
    try:
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DeclarationError([f"{where}{exc.problem or exc.context or 'cannot be read'}"])
    except yaml.YAMLError as exc:
        raise DeclarationError([f"The file cannot be read: {type(exc).__name__}."])
    except (ValueError, AttributeError, TypeError):  # PyYAML, for a tag that does not fit its text, such as !!int x
        raise DeclarationError(["The file cannot be read: a tag or a number in it makes no sense."])
    if _written_out(raw, {}) > MOST_VALUES:
        sentence = f"With its references (*name) written out, the file holds over {MOST_VALUES:,} values."
        raise DeclarationError([sentence])
    return raw


def _written_out(raw: Any, counted: dict[int, int]) -> int:
    """How many values there are when every reference is written out. Each part is looked at once: ten lines of
    references to references may stand for a thousand million values."""
    if not isinstance(raw, dict | list):
        return 1
    if id(raw) not in counted:
        inside = raw.values() if isinstance(raw, dict) else raw
        counted[id(raw)] = 1 + sum(_written_out(value, counted) for value in inside)
    return counted[id(raw)]


class _Loader(yaml.SafeLoader):
    """YAML whose plain words stay words: `reasoning: off` is no boolean and a date is no object. A key that is given
    twice is a mistake."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> Any:
        r"""Joins "\ud83d\udc09", as JSON writes what is one character."""
        value = super().construct_scalar(node)
        if isinstance(value, str) and UNSTORABLE.search(value):
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return value


_WORDS = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in _WORDS]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


# --- unknown words ---------------------------------------------------------------------------------------------------


def _unknown_words(raw: Any, shape: Any, path: str) -> Iterator[str]:
    """Sentences for every key that `shape` does not have and every word it does not know, as deep as it goes."""
    struct, is_list = _struct_of(shape)
    if struct is None:
        return
    if is_list:
        for number, item in enumerate(raw if isinstance(raw, list) else ()):
            yield from _unknown_words(item, struct, f"{path}[{number}]")
        return
    hints = get_type_hints(struct)
    for name, value in raw.items() if isinstance(raw, dict) else ():
        here = f"{path}.{name}" if path else str(name)
        if name not in hints:
            yield f"{here}: unknown; {nearest(str(name), hints)}"
        elif get_origin(hints[name]) is Literal:
            if isinstance(value, str) and value not in get_args(hints[name]):
                yield f"{here}: must be one of {_listed(get_args(hints[name]))}, not {value!r}"
        else:
            yield from _unknown_words(value, hints[name], here)


def unstorable(raw: Any, path: str) -> Iterator[str]:
    """Sentences for every text, keys too, that no database could keep."""
    if isinstance(raw, dict):
        for name, value in raw.items():
            yield from unstorable(name, path)
            yield from unstorable(value, f"{path}.{name}" if path else str(name))
    elif isinstance(raw, list):
        for number, item in enumerate(raw):
            yield from unstorable(item, f"{path}[{number}]")
    elif isinstance(raw, str) and (found := UNSTORABLE.search(raw)):
        yield f"{UNSTORABLE.sub('?', path)}: holds U+{ord(found[0]):04X}, which is no character of a text"


def _wrong_types(raw: dict[str, Any]) -> Iterator[str]:
    """The first wrong type of every object of every section."""
    hints = get_type_hints(Document)
    for section, items in raw.items():
        struct, _ = _struct_of(hints[section])
        listed = isinstance(items, list)
        parts = [(f"{section}[{number}]", item, struct) for number, item in enumerate(items)] if listed else []
        for path, value, shape in parts or [(section, items, hints[section])]:
            try:
                msgspec.convert(value, shape)
            except msgspec.ValidationError as exc:
                yield say(exc, path)


def _struct_of(shape: Any) -> tuple[type[Struct] | None, bool]:
    """(the Struct in a type such as `list[Struct] | None`, whether it is a list of them)."""
    if get_origin(shape) in (Union, types.UnionType):
        shape = next((option for option in get_args(shape) if option is not type(None)), None)
    if get_origin(shape) is list:
        inner, _ = _struct_of(get_args(shape)[0])
        return inner, True
    is_struct = isinstance(shape, type) and issubclass(shape, Struct)
    return (shape if is_struct else None), False


def nearest(word: str, known: Iterable[str]) -> str:
    """What was probably meant, as half a sentence."""
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known here: {_listed(known)}"


def _listed(names: Any) -> str:
    return ", ".join(names)


# --- references ------------------------------------------------------------------------------------------------------


def literally(text: str) -> str:
    """The text as a declarative file must hold it where references are taken, to mean itself."""
    return LITERAL + text if text.startswith(("env:", "file:", LITERAL)) else text


class _Resolver:
    """Puts what `env:NAME` and `file:PATH` stand for in their place; collects what is missing."""

    def __init__(self, environ: Mapping[str, str], directory: Path, problems: list[str]) -> None:
        self.environ = environ
        self.directory = directory
        self.problems = problems

    def resolve(self, raw: Any, path: str, name: str = "", below_headers: bool = False) -> Any:
        if isinstance(raw, dict):
            inside = below_headers or name == "headers"
            return {
                key: self.resolve(value, f"{path}.{key}" if path else str(key), str(key), inside)
                for key, value in raw.items()
            }
        if isinstance(raw, list):
            return [self.resolve(item, f"{path}[{number}]", name, below_headers) for number, item in enumerate(raw)]
        if isinstance(raw, str) and (below_headers or name in REFERENCE_FIELDS):
            return self._value(raw, path, may_be_prose=name == "system_prompt")
        return raw

    def _value(self, text: str, path: str, *, may_be_prose: bool) -> str:
        if text.startswith(LITERAL):
            return text.removeprefix(LITERAL)
        if found := ENV.match(text):
            value = self.environ.get(found[1], "")
            if not value:
                self.problems.append(f"{path}: the environment variable {found[1]} is not set")
            return value
        if found := FILE.match(text):
            return self._file(found[1], path)
        if text.startswith(("env:", "file:")) and not may_be_prose:
            self.problems.append(f"{path}: a reference is env:NAME or file:PATH, without a space")
        return text

    def _file(self, name: str, path: str) -> str:
        try:
            return (self.directory / name).read_text(encoding="utf-8").strip()
        except OSError as exc:
            self.problems.append(f"{path}: the file {name} cannot be read ({exc.strerror})")
        except UnicodeDecodeError:
            self.problems.append(f"{path}: the file {name} is not text in UTF-8")
        return ""
