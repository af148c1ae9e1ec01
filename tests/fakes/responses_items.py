"""What OpenAI Responses refuses of its input items: reference/translation.md 2.3 (Target R), 6.3, 7.5."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.mind import Ask
from tests.fakes.responses_tools import NAME
from tests.fakes.strict import URL, Refused, base64_bytes, only, require, text

Json = dict[str, Any]


@dataclass
class Proof:
    """What the service knows of reasoning that it has encrypted."""

    item_id: str
    organisation: str
    calls: list[str] = field(default_factory=list)
    """call_ids of the same answer."""


Proofs = dict[str, Proof]
"""encrypted_content -> what it stands for."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BLANK = re.compile(r"[a-z]+_(0+|0{8}-0{4}-4000-8000-0{12})")
"""Ids in the recordings of agents, all made equal."""
_PREFIX = {
    "message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc",
    "function_call_output": "fc", "custom_tool_call_output": "ctc", "additional_tools": "at", "compaction": "cmp",
}  # fmt: skip
_PARTS = {"assistant": ("output_text", "refusal"), "user": ("input_text", "input_image", "input_file")}
_FILE = {"type", "filename", "file_data", "file_url", "file_id", "detail", "prompt_cache_breakpoint"}
_MADE_BY_THE_MODEL = ("message", "function_call", "custom_tool_call", "web_search_call")
_STATUS = ("in_progress", "completed", "incomplete")


def items(given: list[Json], ask: Ask, proofs: Proofs, organisation: str, *, stores: bool) -> None:
    """Raises Refused. Fills in what was said, shown and answered."""
    _pairing(given)
    seen_ids: set[str] = set()
    for number, item in enumerate(given):
        path = f"input[{number}]"
        kind = item.get("type", "message")
        require(kind in _KEYS, f"Invalid value: '{kind}'. ({path})")
        _identity(item, kind, seen_ids, path)
        only_known(item, {"type", "id", *_KEYS[kind]}, path)
        if kind == "reasoning":
            _reasoning(item, given[number + 1 :], proofs, organisation, path, stores=stores)
        else:
            _CHECKS[kind](item, ask, path)


def only_known(value: Any, allowed: set[str], path: str) -> Json:
    require(isinstance(value, dict), f"Invalid type for '{path}': expected an object.")
    for key in value:
        if key not in allowed:
            raise Refused(f"Unknown parameter: '{path}.{key}'.", param=f"{path}.{key}", code="unknown_parameter")
    return dict(value)


def _identity(item: Json, kind: str, seen_ids: set[str], path: str) -> None:
    item_id = item.get("id")
    if item_id is None:
        return
    require(_ID.fullmatch(text(item_id, f"{path}.id")), f"Invalid '{path}.id': string too long or of another alphabet.")
    prefix = _PREFIX.get(kind)
    said = f"Invalid '{path}.id': '{item_id}'. Expected an ID that begins with '{prefix}'."
    require(prefix is None or item_id.startswith(prefix), said)
    blank = _BLANK.fullmatch(item_id)
    require(blank or item_id not in seen_ids, f"Duplicate item found with id {item_id}.")
    seen_ids.add(item_id)


def _pairing(given: list[Json]) -> None:
    """Every call has its output and every output its call, of the same kind; where they stand is free."""
    for call, output, words in (
        ("function_call", "function_call_output", "function call"),
        ("custom_tool_call", "custom_tool_call_output", "custom tool call"),
    ):
        made: list[str] = []
        answered: list[str] = []
        for number, item in enumerate(given):
            kind, call_id = item.get("type"), item.get("call_id")
            if kind in (call, output):
                path = f"input[{number}].call_id"
                require(1 <= len(text(call_id, path)) <= 64, f"Invalid '{path}': string too long (at most 64).")
            if kind == call:
                if call_id in answered:  # an id may come again once its call is over
                    answered.remove(call_id)
                    made.remove(call_id)
                require(call_id not in made, f"Duplicate call_id {call_id}.")
                made.append(str(call_id))
            elif kind == output:
                require(call_id in made, f"No tool call found for {words} output with call_id {call_id}.")
                require(call_id not in answered, f"Duplicate output for call_id {call_id}.")
                answered.append(str(call_id))
        missing = [call_id for call_id in made if call_id not in answered]
        require(not missing, f"No tool output found for {words} {', '.join(missing)}.")


def _reasoning(item: Json, rest: list[Json], proofs: Proofs, organisation: str, path: str, *, stores: bool) -> None:
    for part in item.get("summary") if isinstance(item.get("summary"), list) else [None]:
        require(isinstance(part, dict), f"Missing required parameter: '{path}.summary'.")
        only(part, {"type", "text"}, f"{path}.summary")
        require(part.get("type") == "summary_text", f"Invalid value: '{part.get('type')}'. ({path}.summary)")
    encrypted = item.get("encrypted_content")
    require(item.get("id"), f"Missing required parameter: '{path}.id'.")
    if encrypted is None:
        known = stores and item["id"] in {proof.item_id for proof in proofs.values()}
        said = f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false."
        if not known:
            raise Refused(said, 404, param="input")
        return
    proof = proofs.get(encrypted)
    if proof is None or proof.organisation != organisation:
        words = f"The encrypted content {str(encrypted)[:4]}...{str(encrypted)[-4:]} could not be verified."
        raise Refused(words, code="invalid_encrypted_content")
    require(item["id"] == proof.item_id, f"{path}.id: {item['id']} is not the item that was encrypted")
    following = next((each for each in rest if each.get("type", "message") != "reasoning"), {})
    kind = following.get("type", "message") if following else ""
    own = kind in _MADE_BY_THE_MODEL and (kind != "message" or following.get("role") == "assistant")
    right = own and following.get("call_id") in (None, *proof.calls)
    said = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
    require(right, said)


# --- messages and results


def _message(item: Json, ask: Ask, path: str) -> None:
    role = item.get("role")
    require(role in ("user", "assistant", "system", "developer"), f"Invalid value: '{role}'. ({path}.role)")
    require(item.get("status") in (None, *_STATUS), f"Invalid value: '{path}.status'.")
    require(item.get("phase") in (None, "commentary", "final_answer"), f"Invalid value: '{path}.phase'.")
    require("phase" not in item or role == "assistant", f"Unknown parameter: '{path}.phase'.")
    said = _parts(item.get("content"), role, ask, f"{path}.content")
    if role == "user":
        ask.said += said
    elif role == "assistant":
        ask.results, ask.media = [], []
    else:
        ask.system = "\n\n".join(filter(None, [ask.system, "".join(said)]))


def _parts(content: Any, role: str, ask: Ask, path: str) -> list[str]:
    if isinstance(content, str):
        return [content]
    require(isinstance(content, list), f"Missing required parameter: '{path}'.")
    said = []
    for number, part in enumerate(content):
        at = f"{path}[{number}]"
        kind = part.get("type")
        fits = kind in (
            ("output_text", "refusal") if role == "assistant" else ("input_text", "input_image", "input_file")
        )
        require(fits, f"Invalid value: '{kind}'. Supported values differ for role '{role}'. ({at}.type)")
        match kind:
            case "input_text":
                only_known(part, {"type", "text", "prompt_cache_breakpoint"}, at)
                said.append(text(part.get("text"), f"{at}.text"))
            case "output_text":
                only_known(part, {"type", "text", "annotations", "logprobs"}, at)
                text(part.get("text"), f"{at}.text")
                require(isinstance(part.get("annotations", []), list), f"Invalid type for '{at}.annotations'.")
            case "refusal":
                only_known(part, {"type", "refusal"}, at)
                text(part.get("refusal"), f"{at}.refusal")
            case _:
                ask.media.append(_media(part, at))
    return said


def _media(part: Json, path: str) -> str:
    if part["type"] == "input_image":
        only_known(part, {"type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"}, path)
        require(part.get("detail") in (None, "low", "high", "auto", "original"), f"Invalid value: '{path}.detail'.")
        return f"image {_source(part.get('image_url'), 'image/', f'{path}.image_url')}"
    only_known(
        part, {"type", "filename", "file_data", "file_url", "file_id", "detail", "prompt_cache_breakpoint"}, path
    )
    if part.get("file_url"):
        require(not part.get("file_data"), f"Mutually exclusive parameters: {path}.file_url, file_data.")
        return f"document {_source(part['file_url'], 'http', f'{path}.file_url')}"
    require(part.get("filename"), f"Missing required parameter: '{path}.filename'.")
    return f"document {_source(part.get('file_data'), 'application/pdf', f'{path}.file_data')}"


def _source(url: Any, mime: str, path: str) -> str:
    if URL.fullmatch(text(url, path)):
        return f"url {url}"
    head, mark, data = url.partition(";base64,")
    require(mark and head.startswith(f"data:{mime}"), f"Invalid '{path}': neither an address nor a data URL of {mime}")
    base64_bytes(data, path)
    return f"base64 {head.removeprefix('data:')}"


def _call(item: Json, ask: Ask, path: str) -> None:
    require(NAME.fullmatch(text(item.get("name"), f"{path}.name")), f"Invalid '{path}.name'.")
    text(item.get("arguments"), f"{path}.arguments")
    _called(item, ask, path)


def _custom_call(item: Json, ask: Ask, path: str) -> None:
    require(NAME.fullmatch(text(item.get("name"), f"{path}.name")), f"Invalid '{path}.name'.")
    text(item.get("input"), f"{path}.input")
    _called(item, ask, path)


def _called(item: Json, ask: Ask, path: str) -> None:
    require(item.get("status") in (None, *_STATUS), f"Invalid value: '{path}.status'.")
    ask.results, ask.media = [], []


def _output(item: Json, ask: Ask, path: str) -> None:
    require(item.get("status") in (None, *_STATUS), f"Invalid value: '{path}.status'.")
    ask.results.append("".join(_parts(item.get("output"), "user", ask, f"{path}.output")))


def _offer(item: Json, ask: Ask, path: str) -> None:
    require(item.get("role") == "developer", f"Invalid value: '{path}.role'.")
    require(isinstance(item.get("tools"), list), f"Missing required parameter: '{path}.tools'.")


def _nothing(item: Json, ask: Ask, path: str) -> None:
    """Hosted tools' own items: taken as they are."""


_KEYS: dict[str, set[str]] = {
    "message": {"role", "content", "status", "phase"},
    "reasoning": {"summary", "content", "encrypted_content"},
    "function_call": {"call_id", "name", "namespace", "arguments", "status", "caller"},
    "custom_tool_call": {"call_id", "name", "namespace", "input", "status", "caller"},
    "function_call_output": {"call_id", "output", "status", "name", "namespace", "caller"},
    "custom_tool_call_output": {"call_id", "output", "caller"},
    "additional_tools": {"role", "tools"},
    "web_search_call": {"status", "action"},
}
_CHECKS: dict[str, Callable[[Json, Ask, str], None]] = {
    "message": _message,
    "function_call": _call,
    "custom_tool_call": _custom_call,
    "function_call_output": _output,
    "custom_tool_call_output": _output,
    "additional_tools": _offer,
    "web_search_call": _nothing,
}
