"""docs/support-matrix.md, made by doing everything that it says: `make matrix` writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from tests.corpus.exchanges import SPOKEN
from tests.corpus.table import NAME
from tests.matrix import answers, cells, operations

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "support-matrix.md"
WORDS = {"unsaid": "–", "refused": "400"}
"""How a cell is written, where not as it is called."""

HEAD = """# What is supported, and what is lost

Made by `make matrix`, which does everything that stands here: each field is sent from each kind of caller to each kind
of upstream, each answer comes back, and a plain reader looks at what arrived. A test fails when this page is out of
date. How it is told at run time: [behaviour](behaviour.md); how whole recorded conversations fare: [corpus](corpus.md).

Callers speak one of these dialects; an upstream's models are called in the dialect of its [kind](upstreams.md).
`azure` is as OpenAI, `demo` as Anthropic. What the gateway itself does for all of them does not stand here: [kept
Responses](behaviour.md#kept-responses), [thinking over several turns](behaviour.md#thinking-over-several-turns).

## What callers ask for

| cell | |
| --- | --- |
| `=` | Same dialect: the body goes on as it is, with fields that nobody here has heard of. |
| yes | Said in the upstream's own words. |
| changed | Said in a weaker or another form; a Note in `x-dragoman-dropped` and in the history names the field. |
| dropped | Left out, with a Note in the same places. |
| 400 | Refused: without it the answer would mean something else. A `lenient` model drops most of these, with a Note. |
| – | Left out without a Note: it has no effect on the answer. |

The upstream's model is a current one that can do most. What single models cannot do (sampling settings, mostly) is
dropped with a Note in the same way.
"""


def page() -> str:
    parts = [HEAD.rstrip(), ""]
    for caller, rows in cells.requests().items():
        parts += [f"### From callers of {NAME[caller]} (`{caller}`)", "", *_table(rows), "", *_losses(rows), ""]
    return "\n".join([*parts, *_answers(), "", *_operations(), ""])


def _table(rows: dict[str, dict[str, cells.Cell]]) -> list[str]:
    titles = [column.title for column in cells.COLUMNS]
    lines = [f"| | {' | '.join(titles)} |", "| --- |" + " --- |" * len(titles)]
    for name, row in rows.items():
        words = (row[title].word for title in titles)
        lines.append(f"| {name} | {' | '.join(_word(word) for word in words)} |")
    return lines


def _word(word: str) -> str:
    return f"`{word}`" if word == "=" else WORDS.get(word, word)


def _losses(rows: dict[str, dict[str, cells.Cell]]) -> list[str]:
    """One line for what is said of the same field in the same words, with all its upstreams."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for name, row in rows.items():
        for title, cell in row.items():
            for note in cell.notes:
                found.setdefault((name, note.path, cell.word, note.sentence), []).append(title)
    lines = ["| asked | named as | to | | why |", "| --- | --- | --- | --- | --- |"]
    for (name, path, word, sentence), titles in found.items():
        lines.append(f"| {name} | `{path}` | {', '.join(titles)} | {_word(word)} | {sentence.replace('|', '/')} |")
    return lines


ANSWERS = """## What upstreams answer

Rows are upstreams by the dialect they speak, columns callers. `yes`: the caller's own dialect tells it, in a whole
answer and in a stream. `whole` or `stream`: only there. `no`: the caller's dialect has no place for it; the rest of
the answer arrives. `error`: the caller gets an error in words. In the same dialect all of it passes as it is.
"""


def _answers() -> list[str]:
    lines = [ANSWERS.rstrip(), "", *_header("the upstream answers", ["from", *(f"to {NAME[name]}" for name in SPOKEN)])]
    for row, ways in answers.table().items():
        for upstream in SPOKEN:
            words = [ways.get((upstream, caller), "`=`" if caller == upstream else "") for caller in SPOKEN]
            if any(word for word in words if word != "`=`"):
                lines.append(f"| {row} | {NAME[upstream]} | {' | '.join(words)} |")
    return lines


OPERATIONS = """## Beside inference

By kind of upstream, as far as its service has it at all. An estimate says so in `x-dragoman-estimated`; what is passed
on goes and comes as it is; conversations of Responses are kept by the gateway, so that they work over every upstream.
"""


def _operations() -> list[str]:
    lines = [OPERATIONS.rstrip(), "", *_header("", [f"`{name}`" for name in operations.KIND_NAMES])]
    return lines + [f"| {row} | {' | '.join(words)} |" for row, words in operations.table().items()]


def _header(first: str, titles: Iterable[str]) -> list[str]:
    titles = list(titles)
    return [f"| {first} | {' | '.join(titles)} |", "| --- |" + " --- |" * len(titles)]


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
