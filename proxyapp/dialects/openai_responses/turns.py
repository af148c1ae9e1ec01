"""System texts and turns as `instructions` and `input` of an upstream's request. Order: reference/translation.md 2.3.

A pure function of the history: the same turns always give the same items, so that proofs and prompt caches hold.
"""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import proofs
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.naming import wire_id
from proxyapp.dialects.openai.custom import wrapped
from proxyapp.dialects.openai.tables import MOST_BREAKPOINTS
from proxyapp.dialects.openai_responses import ids, reasoning
from proxyapp.dialects.openai_responses.render_parts import Content, PartRenderer, text_content
from proxyapp.dialects.openai_responses.render_tools import name_of
from proxyapp.dialects.openai_responses.tables import FAMILY, NAME
from proxyapp.ir import parts as p
from proxyapp.ir import prompts
from proxyapp.ir.request import Request, Turn

Item = dict[str, Any]

CALL_ID_LIMIT = 64
NO_RESULT = "No result was recorded."


class TurnRenderer:
    """Writes the items of one request. `names`: the caller's tool names -> wire names. Raises Unsupported."""

    def __init__(self, request: Request, side: UpstreamSide, names: dict[str, str]) -> None:
        self._request, self._side, self._names = request, side, names
        self._is_own = request.client_dialect == NAME
        self._parts = PartRenderer(side=side, is_own=self._is_own)
        self._kinds: dict[str, str] = {}
        """Call ids that were seen -> function or custom."""
        self._answered = {
            part.call_id for turn in request.turns for part in turn.parts if isinstance(part, p.ToolResult)
        }
        self.instructions = ""
        self.items: list[Item] = []

    def render(self, lines: list[str]) -> None:
        """Fills `instructions` and `items`. `lines` are the gateway's own, put after the caller's system texts."""
        self._system([*self._request.system, *(p.Text(text=line) for line in lines)])
        for turn in self._request.turns:
            self._note_fields(turn)
            if turn.role == "assistant":
                self._assistant(turn)
            elif turn.role == "user":
                self._user(turn)
            else:
                self._add_system(turn.author or "developer", [part for part in turn.parts if isinstance(part, p.Text)])
        self.items = ids.followed(self.items)
        self._limit_breakpoints()

    def _note_fields(self, turn: Turn) -> None:
        """Fields that another dialect has beside a message's content."""
        for dialect, fields in turn.meta.items():
            for name in fields if dialect != NAME else ():
                self._side.drop(f"{turn.path}.{name}", "The upstream's messages have no such field.")

    # --- system

    def _system(self, texts: list[p.Text]) -> None:
        """`instructions` holds them up to the first that is a developer's message or bears a cache point; from there
        on each is a message, so that their order stays."""
        marked = self._side.profile.cache_points
        first = next(
            (
                index
                for index, part in enumerate(texts)
                if part.meta.get("author") == "developer" or (part.cache and marked)
            ),
            len(texts),
        )
        self.instructions = prompts.together([part.text for part in texts[:first]], self._side.system_prompt)
        for part in texts[first:]:
            self._add_system("developer" if part.meta.get("author") == "developer" else "system", [part])

    def _add_system(self, role: str, texts: list[p.Text]) -> None:
        content = [made for part in texts for made in self._parts.content(part, "system")]
        if content:
            self.items.append({"type": "message", "role": role, "content": content})

    # --- the user's side

    def _user(self, turn: Turn) -> None:
        content: list[Content] = []
        for index, part in enumerate(turn.parts):
            path = f"{turn.path}.content.{index}"
            if not isinstance(part, p.ToolResult):
                content += self._parts.content(part, path)
            elif part.call_id in self._kinds:
                self._output(part, path)
            else:
                content += self._orphan(part, path)
        if turn.name and turn.name != turn.role and content and content[0]["type"] == "input_text":
            self._side.drop(f"{turn.path}.name", "The participant's name was put before the text.", dropped=False)
            content[0] = {**content[0], "text": f"{turn.name}: {content[0]['text']}"}
        if content or not turn.parts:
            self.items.append({"type": "message", "role": "user", "content": content or [text_content("")]})

    def _orphan(self, part: p.ToolResult, path: str) -> list[Content]:
        self._side.drop(path, "A tool result without its call was sent as text.", dropped=False)
        inner = [made for each in part.parts for made in self._parts.content(each, path)]
        return [text_content(f"Result of tool call {part.call_id}:"), *inner]

    def _output(self, part: p.ToolResult, path: str) -> None:
        own = part.meta.get(NAME, {}).get("item")
        if self._is_own and isinstance(own, dict):
            self.items.append(ids.with_legal_id(own))
            return
        content = [made for each in part.parts for made in self._parts.content(each, path)]
        if part.is_error:
            first = content[0] if content and content[0]["type"] == "input_text" else None
            told = text_content(f"Error: {first['text'] if first else ''}")
            content = [told, *(content[1:] if first else content)]
        if part.cache and content:
            self._parts.mark(content[-1], part.cache)
        kind = "custom_tool_call_output" if self._kinds[part.call_id] == "custom" else "function_call_output"
        output = _plain(content)
        self.items.append({"type": kind, "call_id": self._id(part.call_id), "output": output})

    # --- the assistant's side

    def _assistant(self, turn: Turn) -> None:
        said: list[p.Text | p.Refusal] = []
        moved: list[Content] = []
        calls: list[p.ToolCall] = []
        for index, part in enumerate(turn.parts):
            if isinstance(part, p.Text | p.Refusal):
                said = self._joined(said, part)
                continue
            said = self._message(said)
            if isinstance(part, p.ToolCall):
                calls.append(part)
                self._call(part)
            else:
                moved += self._other(part, f"{turn.path}.content.{index}")
        self._message(said)
        for part in calls:
            if part.id not in self._answered:
                self._side.drop(turn.path, f"Tool call {part.id} has no result; one was made up.", dropped=False)
                self._output(p.ToolResult(call_id=part.id, parts=[p.Text(text=NO_RESULT)]), turn.path)
        if moved:
            self.items.append({"type": "message", "role": "user", "content": moved})

    def _joined(self, said: list[p.Text | p.Refusal], part: p.Text | p.Refusal) -> list[p.Text | p.Refusal]:
        """The texts of one message; one with an id of its own begins anew."""
        if said and said[-1].meta.get(NAME, {}).get("id") != part.meta.get(NAME, {}).get("id"):
            said = self._message(said)
        return [*said, part]

    def _message(self, said: list[p.Text | p.Refusal]) -> list[p.Text | p.Refusal]:
        """Writes the message that is complete. Texts without an id are one string: only OpenAI's own messages have
        the long form."""
        if not said:
            return []
        own = said[0].meta.get(NAME, {}) if self._is_own else {}
        head: Item = {"type": "message", "role": "assistant"}
        if own.get("phase"):
            head["phase"] = own["phase"]
        if not ids.is_legal("message", own.get("id")) and all(isinstance(part, p.Text) for part in said):
            self.items.append({**head, "content": "".join(part.text for part in said)})
            return []
        content = [_said(part, is_own=self._is_own) for part in said]
        item: Item = {**head, "content": content, "status": "completed"}
        self.items.append(ids.with_legal_id({**item, "id": own.get("id")}))
        return []

    def _call(self, part: p.ToolCall) -> None:
        self._kinds[part.id] = "function"
        own = part.meta.get(NAME, {})
        if self._is_own and isinstance(own.get("item"), dict):
            self.items.append(ids.with_legal_id(own["item"]))
            return
        name = self._names[name_of(part.name, part.namespace, self._request)]
        is_custom = part.kind == "custom" and self._side.profile.custom_tools
        item: Item = {"type": "custom_tool_call" if is_custom else "function_call", "call_id": self._id(part.id)}
        item["name"] = name
        if part.namespace is not None and self._is_own:
            item["namespace"] = part.namespace
        if is_custom:
            self._kinds[part.id] = "custom"
            item["input"] = part.arguments
        else:
            item["arguments"] = wrapped(part.arguments) if part.kind == "custom" else part.arguments or "{}"
        self.items.append(ids.with_legal_id({**item, "id": own.get("id") if self._is_own else None}))

    def _other(self, part: p.Part, path: str) -> list[Content]:
        """Reasoning and hosted tools as items of their own; returns media, which move to a user message."""
        match part:
            case p.Reasoning():
                self._reasoning(part)
            case p.Image() | p.ServerCall() if self._is_own and isinstance(part.meta.get(NAME, {}).get("item"), dict):
                self.items.append(ids.with_legal_id(part.meta[NAME]["item"]))
            case p.Opaque() if part.dialect == NAME and isinstance(part.raw, dict):
                self.items.append(ids.with_legal_id(part.raw))
            case p.Image() | p.Document():
                self._side.drop(path, "Media of the assistant were moved to a following user message.", dropped=False)
                label = text_content("The assistant's message above came with this:")
                return [label, *self._parts.content(part, path)]
            case p.Audio():
                self._side.drop(path, "Assistant messages hold no audio here.")
            case _:
                self._side.drop(path, "What a hosted tool of another provider did is not sent to this upstream.")
        return []

    def _reasoning(self, part: p.Reasoning) -> None:
        """An own proof with the id that OpenAI gave it; anything else cannot be sent (6.3)."""
        signature = proofs.sendable(part, self._side, family=FAMILY)
        item_id, proof = reasoning.unbound(signature or "")
        item_id = item_id or part.item_id
        if not proof or not ids.is_legal("reasoning", item_id):
            return
        summary = [{"type": "summary_text", "text": part.text}] if part.text else []
        self.items.append({"type": "reasoning", "id": item_id, "summary": summary, "encrypted_content": proof})

    def _id(self, call_id: str) -> str:
        return wire_id(call_id, limit=min(self._side.profile.call_id_limit, CALL_ID_LIMIT))

    def _limit_breakpoints(self) -> None:
        """At most four cache points; the last ones are worth the most."""
        marked = [
            content
            for item in self.items
            for content in [*_listed(item.get("content")), *_listed(item.get("output"))]
            if "prompt_cache_breakpoint" in content
        ]
        for content in marked[:-MOST_BREAKPOINTS]:
            del content["prompt_cache_breakpoint"]
            self._side.drop(self._request.word("cache"), f"Only the last {MOST_BREAKPOINTS} cache points are kept.")


def _listed(value: Any) -> list[Content]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _plain(content: list[Content]) -> str | list[Content]:
    """An output in its simplest form: a string where one text says it all."""
    if not content:
        return ""
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return str(content[0]["text"])
    return content


def _said(part: p.Text | p.Refusal, *, is_own: bool) -> Content:
    if isinstance(part, p.Refusal):
        return {"type": "refusal", "refusal": part.text}
    notes = part.meta.get(NAME, {}).get("annotations", []) if is_own else []
    return {"type": "output_text", "text": part.text, "annotations": notes}
