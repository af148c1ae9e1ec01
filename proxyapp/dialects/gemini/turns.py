"""IR turns as the upstream's `contents`: roles in turn, calls paired with results, proofs at their parts.

Rules: reference/translation.md 2.2, 2.3 "Target G" and 6.3. A pure function of the history.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Struct, field

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini import fields
from proxyapp.dialects.gemini.parts import UNKNOWN_TOOL, Renderer
from proxyapp.dialects.gemini.tables import NAME, SENTINEL
from proxyapp.dialects.gemini.toolset import qualified
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request, Turn

EMPTY = "(empty message)"
OPENING = "(The conversation begins with the assistant.)"
NO_RESULT = "No result was recorded for this call."
OPERATOR = "Instruction from the operator of this application, not from the user:"

Part = dict[str, Any]
Content = dict[str, Any]


class _Call(Struct):
    """A call of the last model content that waits for its result."""

    id: str
    wire_name: str
    path: str
    result: Part | None = None
    beside: list[Part] = field(default_factory=list)


class Conversation:
    """Builds the contents of one request."""

    def __init__(self, request: Request, side: UpstreamSide, names: dict[str, str]) -> None:
        self.request = request
        self.side = side
        self.names = names
        self.renderer = Renderer(side, names)
        self.contents: list[Content] = []
        self._calls: list[_Call] = []
        self._waiting: dict[str, deque[_Call]] = {}
        """Those of them without a result, by id: a turn may hold thousands."""
        self._is_answered = False
        """One of them has its result."""
        self._said: list[Part] = []
        """What the user's side said since the last model content, but for results of calls."""

    def build(self) -> list[Content]:
        """Raises Unsupported for parts that cannot be sent."""
        for turn in self.request.turns:
            for dialect, rest in turn.meta.items():
                for name in rest if dialect != NAME else ():
                    self.side.drop(f"{turn.path}.{name}", "The upstream's contents have no such field.")
            if turn.role == "assistant":
                self._model(turn)
            elif turn.role == "user":
                self._user(turn)
            else:
                self._system(turn)
        self._end_user_side()
        self._strip_end()
        self._open_with_user()
        if self.side.profile.signed_calls:
            put_sentinels(self.contents, self.side, self.request.word("reasoning"))
        return self.contents

    # --- the user's side

    def _user(self, turn: Turn) -> None:
        said: list[Part] = []
        for index, part in enumerate(turn.parts):
            path = f"{turn.path}.content.{index}"
            if isinstance(part, p.ToolResult):
                said += self._result(part, path)
            else:
                said += self.renderer.parts(part, path, role="user")
        if turn.name and turn.name != turn.role:
            self._name(turn, said)
        self._said += said

    def _name(self, turn: Turn, said: list[Part]) -> None:
        for index, part in enumerate(said):
            if list(part) == ["text"]:
                said[index] = {"text": f"{turn.name}: {part['text']}"}
                self.side.drop(f"{turn.path}.name", "The participant's name was put before the text.", dropped=False)
                return

    def _result(self, part: p.ToolResult, path: str) -> list[Part]:
        """Hands a result to its call; one without a call becomes text (it would be refused)."""
        if waiting := self._waiting.get(part.call_id):
            call = waiting.popleft()
            call.result, call.beside = self.renderer.result(part, call.wire_name, path)
            self._is_answered = True
            return []
        self.side.drop(path, "A tool result without its call was sent as text.", dropped=False)
        name = part.name or UNKNOWN_TOOL
        inner = [piece for each in part.parts for piece in self.renderer.parts(each, path, role="user")]
        return [{"text": f"Result of an earlier call of `{name}` ({part.call_id}):"}, *inner]

    def _system(self, turn: Turn) -> None:
        """A system turn in the middle: there is none here, so it becomes a marked user text in its place."""
        texts = [part.text for part in turn.parts if isinstance(part, p.Text) and part.text]
        if not texts:
            return
        self.side.drop(turn.path, "A system message in the middle was sent as a marked user text.", dropped=False)
        self._said += [{"text": f"{OPERATOR}\n\n{texts[0]}"}, *({"text": text} for text in texts[1:])]

    def _end_user_side(self) -> None:
        """All results in the order of their calls, in one content, then the rest (corner cases 11 and 12)."""
        calls, said = self._calls, self._said
        self._calls, self._said = [], []
        self._waiting, self._is_answered = {}, False
        for call in calls:
            if call.result is None:
                self.side.drop(call.path, "The call has no result; one that says so was put in.", dropped=False)
                response = {"id": call.id, "name": call.wire_name, "response": {"error": NO_RESULT}}
                call.result = {"functionResponse": {key: value for key, value in response.items() if value}}
        parts = [call.result for call in calls if call.result] + [piece for call in calls for piece in call.beside]
        if parts or said:
            self._put("user", [*parts, *said])

    # --- the model's side

    def _model(self, turn: Turn) -> None:
        parts: list[Part] = []
        calls: list[_Call] = []
        signed = _Signatures(turn.parts, self.renderer)
        for index, part in enumerate(turn.parts):
            path = f"{turn.path}.content.{index}"
            if isinstance(part, p.ToolCall):
                calls.append(_Call(part.id, self.names[qualified(part.name, part.namespace)], path))
                found = [self.renderer.call(part, path)]
            else:
                found = self.renderer.parts(part, path, role="model")
            parts += signed.put(index, found)
        if not parts:
            return
        if self._said or self._is_answered:
            self._end_user_side()
        self._put("model", parts)
        self._calls += calls
        for call in calls:
            self._waiting.setdefault(call.id, deque()).append(call)

    def _put(self, role: str, parts: list[Part]) -> None:
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})

    # --- both ends

    def _strip_end(self) -> None:
        """An answer that is to be continued is nothing this upstream knows (corner case 20)."""
        if self.contents and self.contents[-1]["role"] == "model":
            self.contents.pop()
            path = self.request.turns[-1].path
            self.side.drop(path, "This model does not continue an assistant message; the last one was left out.")

    def _open_with_user(self) -> None:
        if self.contents and self.contents[0]["role"] == "user":
            return
        if self.contents:
            self.side.drop("messages", "A placeholder was put before the first message, which must be the user's.")
        self.contents.insert(0, {"role": "user", "parts": [{"text": OPENING if self.contents else EMPTY}]})


class _Signatures:
    """Which part of a model's turn gets which proof: the one that follows its reasoning.

    Callers of Chat send reasoning apart from the calls, in front: where the first call is left without a proof, the
    last one before it is its (Gemini signs the first call of a step and needs it back there).
    """

    def __init__(self, parts: list[p.Part], renderer: Renderer) -> None:
        self._of: dict[int, str] = {}
        """Index of a part -> proof to put onto it. Of a reasoning part: it stands alone."""
        proofs = {i: renderer.proof(part) for i, part in enumerate(parts) if isinstance(part, p.Reasoning)}
        given = {index: proof for index, proof in proofs.items() if proof}
        first = next((index for index, part in enumerate(parts) if isinstance(part, p.ToolCall)), None)
        if first is not None and given and first - 1 not in given:
            before = [index for index in given if index < first]
            if before:
                self._of[first] = given.pop(before[-1])
        for index, proof in given.items():
            follows = parts[index + 1] if index + 1 < len(parts) else None
            takes = isinstance(follows, p.ToolCall) or (isinstance(follows, p.Text) and bool(follows.text))
            self._of[index + 1 if takes else index] = proof

    def put(self, index: int, parts: list[Part]) -> list[Part]:
        proof = self._of.get(index)
        if proof is None:
            return parts
        if not parts or parts[-1].get("thought"):
            return [*parts, {"text": "", "thoughtSignature": proof}]
        return [{**parts[0], "thoughtSignature": proof}, *parts[1:]]


def put_sentinels(contents: list[Content], side: UpstreamSide, path: str) -> None:
    """6.3: within the current turn the first call of each step must bear a proof; where it has none, Google's own
    stand-in goes there. Other calls of a step bear none. A turn begins where the user speaks and answers no call."""
    begins = 0
    for index, content in enumerate(contents):
        if content.get("role") != "model" and not any(_holds(part, "functionResponse") for part in content["parts"]):
            begins = index
    is_first = True
    for content in contents[begins:]:
        if content.get("role") != "model":
            is_first = True  # what follows is another step
            continue
        for part in content["parts"]:
            if is_first and _holds(part, "functionCall"):
                is_first = False
                _stand_in(part, side, path)


def _holds(part: Part, name: str) -> bool:
    return fields.pick(part, name) is not None


def _stand_in(call: Part, side: UpstreamSide, path: str) -> None:
    if not fields.pick(call, "thoughtSignature"):
        call["thoughtSignature"] = SENTINEL
        sentence = "The proof of earlier thinking is not to be had; Google's stand-in was sent in its place."
        side.drop(path, sentence, dropped=False)
