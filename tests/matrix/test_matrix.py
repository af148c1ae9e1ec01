"""docs/support-matrix.md says what the code does, and the matrix itself is whole."""

from __future__ import annotations

from proxyapp.dialects.registry import DIALECTS
from tests.corpus.exchanges import SPOKEN
from tests.matrix import answers, cells, operations, page
from tests.matrix.features import FEATURES


def test_the_page_is_up_to_date():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run `make matrix`"


def test_every_dialect_is_a_column():
    assert {column.dialect for column in cells.COLUMNS} == set(DIALECTS)


def test_every_feature_has_a_name_of_its_own():
    for table in (FEATURES, answers.ANSWERS):
        assert len(table) == len({row.name for row in table})


def test_nothing_is_refused_or_dropped_without_the_field_and_a_reason():
    for rows in cells.requests().values():
        for row in rows.values():
            for cell in row.values():
                if cell.word in ("refused", "dropped", "changed"):
                    assert all(note.path and note.sentence.endswith((".", "…")) for note in cell.notes)


def test_in_the_same_dialect_everything_passes():
    for caller, rows in cells.requests().items():
        own = [column.title for column in cells.COLUMNS if column.dialect == caller]
        assert {row[title].word for row in rows.values() for title in own} == {"="}


def test_what_everyone_needs_is_there_for_everyone():
    everyday = (
        "a stream",
        "system prompt",
        "several turns",
        "tools",
        "parallel calls and results",
        "image by its data",
    )
    for caller, rows in cells.requests().items():
        for name in everyday:
            for column in cells.COLUMNS:
                if column.dialect in SPOKEN:
                    assert rows[name][column.title].word in ("yes", "=", "changed"), (caller, name, column.title)


def test_text_calls_and_tokens_reach_every_caller():
    table = answers.table()
    for name in ("text", "parallel calls", "cut at the limit", "tokens read from a cache", "tokens of thinking"):
        assert set(table[name].values()) == {"yes"}, name


def test_what_is_beside_inference_is_offered_by_those_who_have_it():
    assert operations.offers("openai", "embeddings")
    assert operations.offers("anthropic", "messages/count_tokens")
    assert not operations.offers("anthropic", "embeddings")
    assert not any(operations.offers("coze", name) for name in ("embeddings", "completions", "countTokens"))
