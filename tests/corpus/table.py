"""Counts of the recorded traffic by group, as docs/corpus.md: `make corpus` writes and prints it."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.corpus import endpoints, losses, schemas
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES, SPOKEN, agents, exchanges
from tests.corpus.groups import GROUPS, Case
from tests.corpus.house import House
from tests.fakes.upstream import ScriptedUpstream

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "corpus.md"
NAME = {CHAT: "Chat", RESPONSES: "Responses", MESSAGES: "Messages", GEMINI: "Gemini"}
OTHER_NAMES = {"openai-embeddings": "Embeddings", "openai-completions": "Completions"}
FORMS = ("whole", "stream", "error", "recorded", "agent")


@dataclass
class Counts:
    """Of one line of the table."""

    passed: int = 0
    lossy: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass
class Results:
    """Of a whole run."""

    lines: dict[tuple[str, str, str, str], Counts] = field(default_factory=dict)
    """(group, caller, upstream, form) -> counts"""
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(group, sentence) -> exchanges"""


async def run(house: House) -> Results:
    """Every case of every group."""
    results = Results()
    for group in GROUPS:
        for case in group.cases():
            key = (group.title, case.caller, case.upstream, case.form)
            await _count(case, house, results.lines.setdefault(key, Counts()), results, group.title)
    return results


async def _count(case: Case, house: House, counts: Counts, results: Results, group: str) -> None:
    try:
        lost = case.run(house)
        lost = await lost if inspect.isawaitable(lost) else lost
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 -- of whatever kind, it is this case's failure
        counts.failed.append(f"{case}: {type(error).__name__}: {error}")
        return
    counts.lossy += bool(lost)
    counts.passed += not lost
    results.reasons.update((group, reason) for reason in lost)


def measured() -> Results:
    """A run with an upstream of its own."""
    upstream = ScriptedUpstream()
    try:
        return asyncio.run(run(House(upstream)))
    finally:
        upstream.close()


def page(results: Results) -> str:
    """docs/corpus.md."""
    return "\n".join([*_head(), *_table(results), *_losses(results), *_strict(), ""])


def _head() -> list[str]:
    left_out = "; ".join(f"`{name}`: {why}" for name, why in endpoints.NOT_HELD.items())
    counted = ", ".join(f"{len(exchanges(name))} of {NAME[name]}" for name in SPOKEN)
    return [
        "# Recorded traffic, counted",
        "",
        "Made by `make corpus`; a test fails when it is out of date. What is held and how: `tests/corpus/`; where the",
        f"recordings come from: `tests/fixtures/corpus/README.md`. Exchanges: {counted}; and {len(agents())}",
        "requests of Claude Code, Codex, aider and opencode.",
        "",
        "- **Unchanged**: the upstream got the recorded request but for the model and the documented patches; the",
        "  caller got the recorded answer, streams byte for byte, errors with their status and message.",
        "- **The same meaning**: plain readers, independent of the gateway's code, find the same text, tool calls with",
        "  parsed arguments, reasoning, refusal, sources, stop class and token counts on both sides. What we write",
        "  validates against the services' specifications, and their official SDKs read the same meaning from it.",
        "- **Passed on**: embeddings and old completions go and come unchanged but for the model's name; the question",
        "  how many tokens a prompt has is answered with a number, counted by the upstream or estimated here.",
        "- **With a named loss**: one of the losses below, for which the target has no words; all else was compared.",
        "",
        f"Recorded and not played: {left_out}.",
        "",
    ]


def _table(results: Results) -> list[str]:
    lines = [
        "| what is held | caller | upstream | form | exact | with a named loss | failed |",
        "| --- | --- | --- | --- | ---: | ---: | ---: |",
    ]
    total = Counts()
    for (group, caller, upstream, form), counts in sorted(results.lines.items(), key=_order):
        names = NAME | OTHER_NAMES
        cells = (group, names[caller], names[upstream], form, counts.passed, counts.lossy, len(counts.failed))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
        total.passed += counts.passed
        total.lossy += counts.lossy
        total.failed += counts.failed
    lines.append(f"| **all** | | | | {total.passed} | {total.lossy} | {len(total.failed)} |")
    return [*lines, ""]


def _order(line: tuple[tuple[str, str, str, str], Counts]) -> tuple[int, str, str, int]:
    group, caller, upstream, form = line[0]
    return [each.title for each in GROUPS].index(group), upstream, caller, FORMS.index(form)


def _losses(results: Results) -> list[str]:
    lines = [
        "## Named losses",
        "",
        "Numbers in brackets are sections of the translation reference that the code names too.",
        "",
        "| where | exchanges | why |",
        "| --- | ---: | --- |",
    ]
    order = [group.title for group in GROUPS]
    found = sorted(results.reasons.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1]))
    lines += [f"| {group.partition(':')[0]} | {count} | {reason} |" for (group, reason), count in found]
    return [*lines, ""]


def _strict() -> list[str]:
    lines = [
        "## Where a specification is stricter than its service",
        "",
        "| dialect | at | what | why it is let through |",
        "| --- | --- | --- | --- |",
    ]
    for (dialect, at, what), why in sorted(lenient().items()):
        lines.append(f"| {NAME[dialect]} | {at or 'the body'} | `{what}` | {why} |")
    return lines


def lenient() -> dict[tuple[str, str, str], str]:
    """(dialect, place, word) -> why it is let through: what we write, and what callers write in their own dialect."""
    own = schemas.FOREIGN_FIELDS.items()
    return {
        **schemas.OVER_STRICT,
        **{(dialect, "", name): f"{why}; passed on as it is" for (dialect, name), why in own},
    }


def reasons_in_tables() -> set[str]:
    """Every sentence that allows a loss."""
    plain = [losses.ANSWERS, losses.ALIKE, losses.NO_ANSWER, losses.BYTES]
    sentences = {sentence for table in plain for sentence in table.values()}
    return sentences | {pair[0] for pair in losses.REQUESTS.values()} | {pair[1] for pair in losses.REFUSED.values()}


async def _one(name: str, house: House) -> None:
    """The cases whose name holds `name`, with the traceback of the first that fails."""
    for group in GROUPS:
        for case in group.cases():
            if name in str(case):
                lost = case.run(house)
                lost = await lost if inspect.isawaitable(lost) else lost
                sys.stdout.write(f"{group.title}: {case}: {lost or 'exact'}\n")


def main() -> int:
    if len(sys.argv) > 1:
        upstream = ScriptedUpstream()
        asyncio.run(_one(sys.argv[1], House(upstream)))
        return 0
    results = measured()
    PAGE.write_text(page(results))
    sys.stdout.write("\n".join(_table(results)))
    failed = [failure for counts in results.lines.values() for failure in counts.failed]
    sys.stdout.write("".join(f"\nFAILED {failure}" for failure in failed) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
