"""IR turns as the upstream's `messages`: roles, order, and the pairing of calls with results.

Rules: reference/translation.md 2.2 and 2.3 "Target M". The same history always gives the same messages: proofs and
prompt caches are bound to the bytes before them.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Struct, field

from proxyapp.dialects import naming
from proxyapp.dialects.anthropic.content import Block, Renderer
from proxyapp.dialects.anthropic.tables import CALL_ID_LIMIT, NAME
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request, Turn

# Visible on purpose: blank text is refused, and invisible characters confuse models (corner cases 14 and 17).
EMPTY = "(empty message)"
OPENING = "(The conversation begins with the assistant.)"
CONTINUE = "Continue."
NO_RESULT = "No result was recorded for this call."
OPERATOR = "Instruction from the operator of this application, not from the user:"

Message = dict[str, Any]


class _Call(Struct):
    """A call of the last assistant message that waits for its result."""

    id: str
    wire_id: str
    path: str
    result: Block | None = None


class _UserSide(Struct):
    """What was said since the last assistant message, in order: blocks, and system turns between them."""

    items: list[list[Block] | Turn] = field(default_factory=list)
    is_blank: bool = False
    """A user turn without anything to send was among it."""
    path: str = ""


class Conversation:
    """Builds the messages of one request."""

    def __init__(self, request: Request, side: UpstreamSide, renderer: Renderer) -> None:
        self.request = request
        self.side = side
        self.renderer = renderer
        self.messages: list[Message] = []
        self._calls: list[_Call] = []
        self._waiting: dict[str, deque[_Call]] = {}
        """Those of them without a result, by id: a turn may hold thousands."""
        self._is_answered = False
        """One of them has its result."""
        self._ids: dict[str, int] = {}
        """The wire ids that are taken -> how often each came."""
        self._user = _UserSide()

    def build(self) -> list[Message]:
        """Raises Unsupported for parts the wire has not."""
        for turn in self.request.turns:
            if turn.role != "system" and turn.meta.get(NAME):
                self.side.drop(turn.path, f"Beside role and content only: {', '.join(turn.meta[NAME])} was left out.")
            if turn.role == "assistant":
                self._assistant(turn)
            elif turn.role == "user":
                self._user_turn(turn)
            else:
                self._user.items.append(turn)
        self._end_user_side()
        self._open_with_user()
        return self.messages

    # --- the user's side

    def _user_turn(self, turn: Turn) -> None:
        blocks: list[Block] = []
        for index, part in enumerate(turn.parts):
            path = f"{turn.path}.content.{index}"
            if isinstance(part, p.ToolResult):
                blocks += self._result(part, path)
            else:
                blocks += self.renderer.blocks(part, path, role="user")
        _name(turn, blocks, self.side)
        self._user.path = turn.path
        if blocks:
            self._user.items.append(blocks)
        elif not any(isinstance(part, p.ToolResult) for part in turn.parts):
            self._user.is_blank = True

    def _result(self, part: p.ToolResult, path: str) -> list[Block]:
        """Hands a result to its call; one without a call becomes text (2.3 rule 4)."""
        if waiting := self._waiting.get(part.call_id):
            call = waiting.popleft()
            call.result = self.renderer.result(part, call.wire_id, path)
            self._is_answered = True
            return []
        self.side.drop(path, "A tool result without its call was sent as text.", dropped=False)
        content = self.renderer.result_content(part, path)
        return [{"type": "text", "text": f"Result of an earlier tool call ({part.call_id}):"}, *content]

    def _end_user_side(self) -> None:
        """Closes what stands between two assistant messages; does nothing when there is nothing."""
        user, self._user = self._user, _UserSide()
        if not user.items and not user.is_blank and not self._calls:
            return
        late: list[Turn] = []
        while user.items and isinstance(user.items[-1], Turn):
            late.insert(0, user.items.pop())  # type: ignore[arg-type]  # the condition has just said so
        blocks = self._results()
        for item in user.items:
            blocks += self._noted(item) if isinstance(item, Turn) else item
        if not blocks and user.is_blank:
            self.side.drop(user.path, "An empty message was sent as a placeholder.", dropped=False)
            blocks = [{"type": "text", "text": EMPTY}]
        if blocks:
            self.messages.append({"role": "user", "content": blocks})
        self._late_systems(late)

    def _results(self) -> list[Block]:
        """All results of the last assistant message, in the order of its calls; what is missing is said to be."""
        calls, self._calls = self._calls, []
        self._waiting, self._is_answered = {}, False
        blocks = []
        for call in calls:
            if call.result is None:
                self.side.drop(call.path, "The call has no result; one that says so was put in.", dropped=False)
                call.result = {
                    "type": "tool_result", "tool_use_id": call.wire_id, "content": NO_RESULT, "is_error": True,
                }  # fmt: skip
            blocks.append(call.result)
        return blocks

    # --- system turns in the middle

    def _late_systems(self, turns: list[Turn]) -> None:
        """System turns at the end of the user's side: the only legal place for them (2.2)."""
        if not turns:
            return
        after_user = bool(self.messages) and self.messages[-1]["role"] == "user"
        if self.side.profile.mid_system and after_user:
            content = [block for turn in turns for block in self._system_blocks(turn)]
            kept = {key: value for turn in turns for key, value in turn.meta.get(NAME, {}).items()}
            if content or kept:
                self.messages.append({"role": "system", **({"content": content} if content else {}), **kept})
            return
        blocks = [block for turn in turns for block in self._noted(turn)]
        if blocks and after_user:
            self.messages[-1]["content"] += blocks
        elif blocks:
            self.messages.append({"role": "user", "content": blocks})

    def _system_blocks(self, turn: Turn) -> list[Block]:
        """Text, and what this dialect's own callers may put there; nothing else is legal."""
        blocks: list[Block] = []
        for index, part in enumerate(turn.parts):
            if isinstance(part, p.Text | p.Refusal | p.Opaque):
                blocks += self.renderer.blocks(part, f"{turn.path}.content.{index}", role="system")
        return blocks

    def _noted(self, turn: Turn) -> list[Block]:
        blocks = [block for block in self._system_blocks(turn) if block["type"] == "text"]
        if turn.meta.get(NAME) or not all(isinstance(part, p.Text) for part in turn.parts):
            self.side.drop(turn.path, "This model takes only text of a system message in the middle.")
        if not blocks:
            return []
        self.side.drop(turn.path, "A system message in the middle was sent as a marked user text.", dropped=False)
        first = {**blocks[0], "text": f"{OPERATOR}\n\n{blocks[0]['text']}"}
        return [first, *blocks[1:]]

    # --- the assistant's side

    def _assistant(self, turn: Turn) -> None:
        blocks: list[Block] = []
        calls: list[_Call] = []
        pictures: list[Block] = []
        for index, part in enumerate(self._ordered(turn.parts)):
            path = f"{turn.path}.content.{index}"
            if isinstance(part, p.ToolCall):
                calls.append(_Call(part.id, self._wire_id(part.id), path))
                blocks.append(self.renderer.call(part, calls[-1].wire_id, path))
            elif isinstance(part, p.Image | p.Document) and not self.renderer.own:
                pictures += self._moved(part, path)
            else:
                blocks += self.renderer.blocks(part, path, role="assistant")
        _name(turn, blocks, self.side)
        if blocks:
            self._say(blocks, calls)
        if pictures:
            self._user.items.append(pictures)

    def _say(self, blocks: list[Block], calls: list[_Call]) -> None:
        user_spoke = bool(self._user.items) or self._user.is_blank or self._is_answered
        if user_spoke:
            self._end_user_side()
        if self.messages and self.messages[-1]["role"] == "assistant":
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": "assistant", "content": blocks})
        self._calls += calls
        for call in calls:
            self._waiting.setdefault(call.id, deque()).append(call)

    def _ordered(self, parts: list[p.Part]) -> list[p.Part]:
        """Thinking first (2.3 rule 6). This dialect's own callers send the order in which it was made: that stays."""
        if self.renderer.own:
            return parts
        return sorted(parts, key=lambda part: not isinstance(part, p.Reasoning))

    def _moved(self, part: p.Image | p.Document, path: str) -> list[Block]:
        """8 rule 11: an assistant message holds no media here."""
        self.side.drop(path, "Media of the assistant were moved to the following user message.", dropped=False)
        label = {"type": "text", "text": "The assistant's message above came with this:"}
        return [label, *self.renderer.blocks(part, path, role="user")]

    def _wire_id(self, call_id: str) -> str:
        """A legal id that no other call of this request has: many servers begin to count anew in each turn."""
        first = wire = naming.wire_id(call_id or "call", limit=CALL_ID_LIMIT)
        count = self._ids.get(first, 1)  # not from the start: a history may hold thousands of the same id
        while wire in self._ids:
            count += 1
            wire = f"{first[: CALL_ID_LIMIT - 8]}_{count}"
        self._ids[wire] = 1
        self._ids[first] = count
        return wire

    def _open_with_user(self) -> None:
        if self.messages and self.messages[0]["role"] == "user":
            return
        if self.messages:
            sentence = "The first message must be the user's; a placeholder was put before it."
            self.side.drop("messages.0", sentence, dropped=False)
        opening = OPENING if self.messages else EMPTY
        self.messages.insert(0, {"role": "user", "content": [{"type": "text", "text": opening}]})


def _name(turn: Turn, blocks: list[Block], side: UpstreamSide) -> None:
    """A participant's name, which this wire has not, goes before the text (2.2)."""
    if not turn.name or turn.name == turn.role:
        return
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            side.drop(f"{turn.path}.name", "The participant's name was put before the text.", dropped=False)
            blocks[index] = {**block, "text": f"{turn.name}: {block['text']}"}
            return


# --- looking at the finished messages


def lacks_thinking(messages: list[Message]) -> bool:
    """Does the last assistant message call tools without beginning with thinking? Budget models refuse that (6.3)."""
    last = next((message for message in reversed(messages) if message["role"] == "assistant"), None)
    if last is None or not any(block["type"] == "tool_use" for block in last["content"]):
        return False
    return last["content"][0]["type"] not in ("thinking", "redacted_thinking")


def is_begun(messages: list[Message]) -> bool:
    """Does the conversation end in the middle of the assistant's words?"""
    last = messages[-1]
    return last["role"] == "assistant" and bool(last["content"][-1]["type"] == "text")


def finish_prefill(messages: list[Message], side: UpstreamSide, *, allowed: bool) -> None:
    """A conversation that ends with the assistant: kept as a prefill where allowed, else the user says to go on.

    One that ends in a hosted tool's block is no prefill: it resumes a paused turn (`pause_turn`) and stays.
    """
    last = messages[-1]
    if last["role"] != "assistant" or last["content"][-1]["type"] not in ("text", "thinking", "redacted_thinking"):
        return
    if allowed and last["content"][-1]["type"] == "text":
        _trim(messages, last)
        return
    path = f"messages.{len(messages) - 1}"
    side.drop(path, "This model does not continue an assistant message; the user asks it to go on.", dropped=False)
    messages.append({"role": "user", "content": [{"type": "text", "text": CONTINUE}]})


def _trim(messages: list[Message], last: Message) -> None:
    """2.3 rule 8: a prefill may not end in white space."""
    text = last["content"][-1]["text"].rstrip()
    if text:
        last["content"][-1] = {**last["content"][-1], "text": text}
        return
    last["content"].pop()
    if not last["content"]:
        messages.pop()
