"""Makes the database follow the environment: what it says anew is set, what it no longer says goes, and nothing of an
operator's is touched. To be called inside a transaction: all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import ProtectedError
from msgspec import Struct, field

from accounts import keys
from accounts.models import ApiKey, Client
from gateway.seeds import Seeds
from proxyapp.config import declare
from proxyapp.config.dropin.memory import Remembering
from proxyapp.config.dropin.wish import Wish
from proxyapp.config.dropin.wishes import wish_for
from proxyapp.config.reading import DeclarationError
from proxyapp.models import ModelConfig, OAuthToken, ProxyPool, Upstream
from proxyapp.models.environment import ROW, AppliedEnvironment
from proxyapp.models.routes import names_taken

SECTIONS: dict[str, Any] = {"model": ModelConfig, "upstream": Upstream, "client": Client, "proxy pool": ProxyPool}
PARTS = {"keys": "key", "tokens": "token", "proxies": "proxy"}
"""Rows that belong to another row, and go with it; routes have no name of their own."""


class Followed(Struct):
    """What was done, without secrets."""

    changes: list[str] = field(default_factory=list)
    """`+ upstream env-openai`, `~ model gpt-4: max_output_tokens`, `- client env-proxy`"""
    told: list[str] = field(default_factory=list)
    """Sentences about what was left out, or is not as the environment says."""
    example: tuple[str, str] | None = None
    """Path and model of a request that the environment's models answer."""


def follow(seeds: Seeds, own_address: str, *, afresh: bool = False) -> Followed:
    """Raises ImproperlyConfigured with sentences that name variables."""
    wish = wish_for(seeds, own_address)
    memory = AppliedEnvironment.objects.filter(id=ROW).first() or AppliedEnvironment(id=ROW)
    if memory._state.adding and not wish.names():
        return Followed(told=wish.remarks)
    run = Remembering(applied=dict(memory.applied), salt=memory.salt, afresh=afresh, told=wish.remarks)
    gone = {section: [n for n in memory.rows.get(section, ()) if n not in wish.names(section)] for section in SECTIONS}
    try:
        _rename(run, memory.slots, wish, gone["model"])
        _let_go(run, "model", gone["model"])
        _leave_taken(run, wish)
        declare.apply(wish.document(), run=run)
        _tokens(run, wish)
        for section in ("upstream", "client", "proxy pool"):
            _let_go(run, section, gone[section])
    except DeclarationError as error:
        raise ImproperlyConfigured(_in_variables(error, wish)) from error
    _keep(memory, run, wish)
    return Followed(run.changes, run.told, wish.example)


def _keep(memory: AppliedEnvironment, run: Remembering, wish: Wish) -> None:
    now = (run.applied, {section: wish.names(section) for section in SECTIONS}, wish.slots)
    if (memory.applied, memory.rows, memory.slots) != now:
        memory.applied, memory.rows, memory.slots = now
        memory.save()


def _tokens(run: Remembering, wish: Wish) -> None:
    """The document has room for one token of an upstream; the environment may name several. Raises DeclarationError."""
    for name, tokens in wish.tokens.items():
        upstream, label = Upstream.objects.filter(name=name).first(), f"upstream {name}"
        if upstream is None or label not in run.applied:
            continue
        present = {token.name: token for token in upstream.tokens.all()}
        for number, (word, seed) in enumerate(tokens):
            row = present.pop(word, None) or OAuthToken(upstream=upstream, name=word)
            path = f"upstreams[{wish.names('upstream').index(name)}].tokens[{number}]"
            run.match(row, {"seed": seed}, path=path, label=f"{label} token {word}")
        run.remove(present.values(), lambda token: f"upstream {token.upstream.name} token {token.name}", "tokens")
    if run.problems:
        raise DeclarationError(run.problems)


# --- what the environment no longer says -----------------------------------------------------------------------------


def _rename(run: Remembering, slots: dict[str, str], wish: Wish, gone: list[str]) -> None:
    """A model whose name is a variable's value keeps what was done to it when the value changes."""
    for slot, name in wish.slots.items():
        before = slots.get(slot, name)
        row = ModelConfig.objects.filter(name=before).first()
        if row is None or before not in gone or ModelConfig.objects.filter(name=name).exists():
            continue
        row.name, row.aliases = name, [alias for alias in row.aliases if alias != name]
        row.save()
        gone.remove(before)
        run.changes.append(f"~ model {before}: is now {name}")
        old, new = f"model {before}", f"model {name}"
        for label in run.labels(old):
            run.applied[new + label.removeprefix(old)] = run.applied.pop(label)


def _let_go(run: Remembering, section: str, names: list[str]) -> None:
    """What the environment no longer names is removed while it is as it was made, else left to the operator."""
    for name in names:
        row, label = SECTIONS[section].objects.filter(name=name).first(), f"{section} {name}"
        if row is not None and label in run.applied:
            _remove(run, row, label)
        for known in run.labels(label):
            del run.applied[known]


def _remove(run: Remembering, row: Any, label: str) -> None:
    if not all(run.is_as_made(part, name) for part, name in [(row, label), *_parts(row, label)]):
        run.told.append(f"{label} is no longer in the environment; it was changed here, and is left to you")
        return
    try:
        row.delete()
    except ProtectedError:
        run.told.append(f"{label} is no longer in the environment; something here still uses it, and it is left to you")
    else:
        run.changes.append(f"- {label}")


def _parts(row: Any, label: str) -> Iterator[tuple[Any, str]]:
    """The rows that belong to a row, each with the label that `declare` gives it."""
    for name, word in PARTS.items():
        if hasattr(row, name):
            yield from ((part, f"{label} {word} {part.name}") for part in getattr(row, name).all())
    if isinstance(row, ModelConfig):
        for route in row.routes.select_related("upstream"):
            yield route, f"{label} route {route.upstream.name}/{route.upstream_model}"


# --- what is somebody else's -----------------------------------------------------------------------------------------


def _leave_taken(run: Remembering, wish: Wish) -> None:
    """Names and keys that belong to an operator's rows stay there: the environment goes without them."""
    for model in list(wish.models):
        others = list(ModelConfig.objects.exclude(name=model.name).values_list("name", "aliases"))
        others = [other for other in others if other[0] not in wish.names("model")]
        for name in [model.name, *model.aliases]:
            taken = names_taken([name], others)
            if taken is None:
                continue
            run.told.append(f"{wish.said[model.name]}: the name {name} already belongs to the model {taken[1]}")
            if name == model.name:
                wish.models.remove(model)
                break
            model.aliases = [alias for alias in model.aliases if alias != name]
    for client in wish.clients:
        for key in list(client.keys or []):
            other = ApiKey.objects.filter(digest=keys.digest(key.value or "")).exclude(client__name=client.name).first()
            if other is not None:
                client.keys = [spec for spec in client.keys or [] if spec is not key]
                run.told.append(f"{key.name} is already a key here: {other}")


def _in_variables(error: DeclarationError, wish: Wish) -> str:
    """The problems, each with the variable that it comes from in the place of a document's path."""
    sentences = []
    for problem in error.problems:
        path, _, words = problem.partition(": ")
        section, _, rest = path.partition("[")
        specs = getattr(wish.document(), section, None) or []
        place = rest.partition("]")[0]
        name = specs[int(place)].name if place.isdigit() and int(place) < len(specs) else ""
        sentences.append(f"{wish.said.get(name, 'The environment')} cannot be used. {words.rstrip('.')}.")
    return " ".join(sentences)
