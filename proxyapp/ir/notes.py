"""What a translation could not carry over: the loss report of one attempt."""

from __future__ import annotations

from msgspec import Struct, field

MOST = 200
"""Notes kept of one attempt; a last one says that there were more."""


class Note(Struct, frozen=True):
    """One loss or change. Shown in the request history; dropped request fields also in `x-dragoman-dropped`."""

    path: str
    """The field in the caller's own words, e.g. `seed` or `messages.2.content.0`."""
    sentence: str
    """Why, for a person."""
    dropped: bool = True
    """False: the field was sent in a weaker or changed form."""
    ours: bool = False
    """The operator's own settings changed it: for the history alone, since the upstream could have taken it."""


class Notes(Struct):
    """An ordered collection without repeats, of `MOST` notes and one more at most."""

    items: list[Note] = field(default_factory=list)

    def add(self, path: str, sentence: str, *, dropped: bool = True, ours: bool = False) -> None:
        if len(self.items) > MOST:
            return
        note = Note(path, sentence, dropped and not ours, ours)
        if note in self.items:
            return
        if len(self.items) == MOST:
            note = Note("...", "More was changed or left out than is listed here.")
        self.items.append(note)

    def header(self) -> str:
        """The value of `x-dragoman-dropped`: field paths, each once, in order; empty when nothing was lost."""
        return ",".join(dict.fromkeys(note.path for note in self.items if not note.ours))
