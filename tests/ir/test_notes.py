"""The loss report stays small, whatever was asked."""

from __future__ import annotations

from proxyapp.ir.notes import MOST, Notes


def test_a_report_without_end_is_cut_and_says_so():
    """Each note is compared with those before it: a history of 20,000 foreign parts kept all other callers waiting."""
    notes = Notes()
    for number in range(5 * MOST):
        notes.add(f"messages.{number}", "The upstream has no such part.")
    assert len(notes.items) == MOST + 1
    assert "More was" in notes.items[-1].sentence
    assert [note.path for note in notes.items[:2]] == ["messages.0", "messages.1"]


def test_a_repeated_note_takes_no_place():
    notes = Notes()
    for number in range(5 * MOST):
        notes.add(f"messages.{number % 3}", "The upstream has no such part.")
    assert len(notes.items) == 3
