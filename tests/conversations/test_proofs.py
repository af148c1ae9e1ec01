"""Remembered reasoning in the database: for other workers, after a restart, until its time is over."""

from __future__ import annotations

import threading
from datetime import timedelta
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from proxyapp.conversations.desk import Away, Desk
from proxyapp.conversations.proofs import ProofShelf, digest
from proxyapp.conversations.prune import prune_kept
from proxyapp.engine.memory import Kept, Memory
from proxyapp.ir.parts import Reasoning
from proxyapp.models import RememberedProof

pytestmark = pytest.mark.django_db(transaction=True)


def a_proof(signature="c2ln", text="so"):
    meta = {"proof": {"group": "claude", "account": "12345678"}}
    return Kept(Reasoning(text=text, signature=signature, family="anthropic", meta=meta), is_near=True)


async def test_another_worker_finds_what_one_remembered(desk):
    one, other = Memory(ProofShelf(desk, 24)), Memory(ProofShelf(desk, 24))
    proof = a_proof(text="thoughts, ümläuts 🌍")
    await one.keep(7, {"toolu_1": [proof]}, lasting=True)
    assert await other.recall(7, ["toolu_1", "toolu_2"]) == {"toolu_1": [proof]}
    assert await Memory(ProofShelf(desk, 24)).recall(8, ["toolu_1"]) == {}


async def test_the_row_tells_neither_the_call_nor_the_thinking(desk):
    await Memory(ProofShelf(desk, 24)).keep(7, {"toolu_secret": [a_proof(text="a long thought " * 20)]}, lasting=True)
    row = await RememberedProof.objects.aget()
    assert row.digest == digest(7, "toolu_secret")
    assert len(bytes(row.proof)) < 200
    assert b"a long thought a long" not in bytes(row.proof)


async def test_the_same_call_twice_keeps_the_later_proof(desk):
    shelf = ProofShelf(desk, 24)
    await Memory(shelf).keep(7, {"call_1": [a_proof("first")]}, lasting=True)
    await Memory(shelf).keep(7, {"call_1": [a_proof("second")]}, lasting=True)
    found = await Memory(shelf).recall(7, ["call_1"])
    assert [kept.part.signature for kept in found["call_1"]] == ["second"]
    assert await RememberedProof.objects.acount() == 1


async def test_what_is_over_is_not_found_and_is_pruned(desk):
    await Memory(ProofShelf(desk, 24)).keep(7, {"old": [a_proof()], "new": [a_proof()]}, lasting=True)
    past = timezone.now() - timedelta(seconds=1)
    await RememberedProof.objects.filter(digest=digest(7, "old")).aupdate(expires_at=past)
    assert list(await Memory(ProofShelf(desk, 24)).recall(7, ["old", "new"])) == ["new"]
    printed = StringIO()
    await sync_to_async(call_command)("prune_history", stdout=printed)
    assert "Deleted 1 entries kept for callers" in printed.getvalue()
    assert await RememberedProof.objects.acount() == 1


async def test_a_thousand_calls_are_one_look(desk):
    await Memory(ProofShelf(desk, 24)).keep(7, {f"c{n}": [a_proof()] for n in range(1200)}, lasting=True)
    found = await Memory(ProofShelf(desk, 24)).recall(7, [f"c{n}" for n in range(1300)])
    assert len(found) == 1200


async def test_a_damaged_row_is_a_lost_proof_and_no_error(desk):
    await Memory(ProofShelf(desk, 24)).keep(7, {"bad": [a_proof()], "good": [a_proof()]}, lasting=True)
    await RememberedProof.objects.filter(digest=digest(7, "bad")).aupdate(proof=b"not what we wrote")
    assert list(await Memory(ProofShelf(desk, 24)).recall(7, ["bad", "good"])) == ["good"]


async def test_with_the_database_away_a_proof_is_lost_with_one_line_in_the_log(desk, caplog, monkeypatch):
    def locked(rows):
        raise OperationalError("database is locked")

    monkeypatch.setattr("proxyapp.conversations.proofs._save", locked)
    memory = Memory(ProofShelf(desk, 24))
    for number in range(3):
        await memory.keep(7, {f"c{number}": [a_proof()]}, lasting=True)
    lines = [record.message for record in caplog.records if record.name == "dragoman.conversations"]
    assert len(lines) == 1
    assert "database is locked" in lines[0]
    assert list(await memory.recall(7, ["c1"])) == ["c1"], "this worker still knows it"


async def test_a_database_that_does_not_answer_is_not_waited_for():
    desk = Desk(seconds=0.05)
    release = threading.Event()
    with pytest.raises(Away):
        await desk.run(release.wait)
    asked: list[int] = []
    with pytest.raises(Away, match="a moment ago"):
        await desk.run(lambda: asked.append(1))
    assert asked == [], "for a while nobody waits in vain"
    release.set()
    desk._rests_until = 0.0
    assert await desk.run(lambda: 7) == 7
    desk.close()
    with pytest.raises(Away):
        await desk.run(lambda: None)


def test_pruning_goes_in_batches(db):
    past = timezone.now() - timedelta(hours=1)
    RememberedProof.objects.bulk_create(
        RememberedProof(digest=f"{n:064x}", expires_at=past, proof=b"") for n in range(25)
    )
    pauses = []
    assert prune_kept(timezone.now(), batch=10, pause=pauses.append) == 25
    assert len(pauses) == 3
