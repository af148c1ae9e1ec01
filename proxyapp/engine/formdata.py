"""A multipart body read just so far that its model can be told and changed; all other bytes stay as they are."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from proxyapp.errors import BadRequest

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'content-disposition:[^\r\n]*?;\s*name=(?:"([^"\r\n]*)"|([^\s;"]+))', re.IGNORECASE)
_SAID = re.compile(rb";\s*name\*?\s*=", re.IGNORECASE)
_FILE = re.compile(rb"content-disposition:[^\r\n]*?;\s*filename\*?=", re.IGNORECASE)
_MODEL = "model"
_MOST_PARTS = 1000
_LONGEST_HEAD = 16 * 1024


class Field(Struct, frozen=True):
    """One part: where its content stands in the body."""

    name: str
    start: int
    end: int
    is_file: bool


class FormData:
    """A body of type `multipart/form-data`."""

    def __init__(self, raw: bytes, content_type: str) -> None:
        """Raises BadRequest when it is none, was cut, or is one that another reader could take for another form: then
        the model that was checked would not be the one that answers."""
        found = _BOUNDARY.findall(content_type)
        if len(found) != 1:
            raise BadRequest("The content type must name one boundary of the form's parts.")
        self._raw = raw
        self._delimiter = b"--" + (found[0][0] or found[0][1]).encode("latin-1", "replace")
        self.fields = self._read()

    def text(self, name: str) -> str | None:
        """The first plain field of that name."""
        field = self._plain(name)
        return None if field is None else self._raw[field.start : field.end].decode("utf-8", "replace")

    def with_text(self, name: str, value: str) -> bytes:
        """The body with that field's content changed, or with the field put first when there was none."""
        field = self._plain(name)
        if field is not None:
            return self._raw[: field.start] + value.encode() + self._raw[field.end :]
        start = self._raw.index(self._delimiter)
        part = b'%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        return self._raw[:start] + part % (self._delimiter, name.encode(), value.encode()) + self._raw[start:]

    def described(self) -> dict[str, Any]:
        """What the history keeps: fields, and of files only their size."""
        return {
            "multipart": [
                {"name": field.name, "bytes": field.end - field.start}
                if field.is_file
                else {"name": field.name, "value": self._raw[field.start : field.end][:1000].decode("utf-8", "replace")}
                for field in self.fields
            ]
        }

    def _plain(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name and not field.is_file), None)

    def _read(self) -> list[Field]:
        fields: list[Field] = []
        at = 0 if self._raw.startswith(self._delimiter) else self._raw.find(b"\r\n" + self._delimiter) + 2
        if not self._raw.startswith(self._delimiter, at):
            raise BadRequest("The form's parts are not where its content type says.")
        while not self._raw.startswith(b"--", at + len(self._delimiter)):
            field, at = self._part(at + len(self._delimiter))
            fields.append(field)
            if len(fields) > _MOST_PARTS:
                raise BadRequest(f"The form has over {_MOST_PARTS} parts.")
        self._check_delimiters(at, len(fields))
        if sum(field.name == _MODEL for field in fields) > 1:
            raise BadRequest("The form names more than one model.", param=_MODEL)
        return fields

    def _check_delimiters(self, end: int, parts: int) -> None:
        """Some readers take a bare LF for a line's end, or read on behind what only looks like the last delimiter."""
        if self._raw.find(self._delimiter, end + len(self._delimiter)) >= 0:
            raise BadRequest("The form goes on behind its end.")
        lines = self._raw.count(b"\n" + self._delimiter) + self._raw.startswith(self._delimiter)
        if lines != parts + 1:
            raise BadRequest("The form's parts do not end as they should, with CR and LF.")

    def _part(self, at: int) -> tuple[Field, int]:
        """The part whose head begins behind the delimiter at `at`, and where the next delimiter stands."""
        blank = self._raw.find(b"\r\n\r\n", at, at + _LONGEST_HEAD)
        end = self._raw.find(b"\r\n" + self._delimiter, max(blank + 2, at))
        if blank < 0 or end < 0:
            raise BadRequest("The form ends in the middle of a part.")
        head = self._raw[at:blank]
        named = _NAME.search(head)
        raw = b"\\" if named is None else named[1] if named[1] is not None else named[2]
        if b"\\" in raw or len(_SAID.findall(head)) != 1:
            raise BadRequest("A part of the form does not say its name plainly, once.")
        name = raw.decode("utf-8", "replace")
        return Field(name, blank + 4, max(end, blank + 4), _FILE.search(head) is not None), end + 2
