"""Gemini's generateContent, read the plain way: requests, answers, streams. Independent of the product's parsers."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from tests.corpus.asking import Asked, Item, Talk
from tests.corpus.folding import Cut, payloads
from tests.corpus.meaning import Counts, Meaning

Json = dict[str, Any]
NOT_A_PROOF = ("skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=")
"""What stands where a proof must be and none is known (translation.md 6.3)."""

# --- requests


def read_request(body: Json) -> Asked:
    """A body of `:generateContent`; model and stream stand in the address."""
    settings = body.get("generationConfig") or {}
    contents = body["contents"]
    parts = [part for content in contents for part in content.get("parts") or []]
    asked = Asked(
        system="\n\n".join(part["text"] for part in (body.get("systemInstruction") or {}).get("parts") or []),
        items=_items(contents),
        choice=_choice((body.get("toolConfig") or {}).get("functionCallingConfig")),
        schema=settings.get("responseJsonSchema") or _plain(settings.get("responseSchema")),
        limit=settings.get("maxOutputTokens"),
        stop=settings.get("stopSequences") or [],
        sampling={theirs: settings[ours] for ours, theirs in _SAMPLING if settings.get(ours) is not None},
        thinks=_thinks(settings.get("thinkingConfig") or {}),
        thoughts=sum(part.get("thoughtSignature", NOT_A_PROOF[0]) not in NOT_A_PROOF for part in parts),
    )
    for tool in body.get("tools") or []:
        asked.hosted += ["web_search" if name == "googleSearch" else name for name in tool if name != _OWN]
        for told in tool.get("functionDeclarations") or []:
            schema = told.get("parametersJsonSchema") or _plain(told.get("parameters") or {})
            asked.tools[told["name"]] = (told.get("description") or "", schema)
    return asked


TYPES = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")


def _plain(schema: Any) -> Any:
    """A schema of Gemini's own as JSON Schema says it. Some clients of Vertex write the number of a type's name."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: _plain(value) for key, value in schema.items() if key != "propertyOrdering"}
    kind = told.get("type")
    if isinstance(kind, int | str):
        told["type"] = (TYPES[kind] if isinstance(kind, int) else kind).lower()
    if told.pop("nullable", False):
        told["type"] = [told["type"], "null"]
    return told


_OWN = "functionDeclarations"
_SAMPLING = (("temperature", "temperature"), ("topP", "top_p"))


def _items(contents: list[Json]) -> list[Item]:
    talk = Talk()
    open_calls: list[tuple[str, str]] = []
    """(id, name) of calls that have no result yet; who gives no id is matched by name and order."""
    for turn, content in enumerate(contents):
        parts = content.get("parts") or []
        if content.get("role") == "model":
            words = "".join(part.get("text", "") for part in parts if not part.get("thought"))
            told = [part["functionCall"] for part in parts if "functionCall" in part]
            calls = [
                (call.get("id") or f"{turn}.{i}", call["name"], call.get("args") or {}) for i, call in enumerate(told)
            ]
            open_calls = [(call_id, name) for call_id, name, _ in calls]
            talk.assistant(words, calls)
        else:
            for part in parts:
                _user_part(talk, part, open_calls)
    return talk.flush()


def _asked_call(call: Json, minted: str) -> tuple[str, str, Any]:
    return call.get("id") or minted, call["name"], call.get("args") or {}


def _user_part(talk: Talk, part: Json, open_calls: list[tuple[str, str]]) -> None:
    match part:
        case {"functionResponse": result}:
            ids = [call_id for call_id, name in open_calls if name == result["name"]]
            call_id = result["id"] if result.get("id") in ids else ids[0]
            open_calls.remove((call_id, result["name"]))
            talk.result(call_id, _said(result["response"]))
        case {"inlineData": media}:
            talk.user("image", media["data"])
        case {"fileData": media}:
            talk.user("image", media["fileUri"])
        case _:
            talk.user("text", part["text"])


def _said(response: Json) -> str:
    """translation.md 7.5."""
    if "error" in response:
        return f"Error: {_as_text(response['error'])}"
    return _as_text(response.get("output", response))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _choice(config: Json | None) -> Any:
    if not config:
        return None
    names = config.get("allowedFunctionNames") or []
    if config["mode"] == "ANY" and len(names) == 1:
        return ("named", names[0])
    return config["mode"].lower()


def _thinks(config: Json) -> bool | None:
    if "thinkingBudget" in config:
        return config["thinkingBudget"] != 0
    return True if config.get("thinkingLevel") else None


# --- answers

STOPS = {
    "STOP": "end",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "recitation",
    "OTHER": "pause",
}
"""Words that are recorded or that we write ourselves (3.2); OTHER is how a pause is told."""
NUMBERS = ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""Some clients of Vertex write the number of an enumeration's word."""


def read_answer(body: Json) -> Meaning:
    """A `GenerateContentResponse`; of several candidates the first."""
    meaning = Meaning(counts=_counts(body.get("usageMetadata")))
    candidate = body["candidates"][0]
    for part in (candidate.get("content") or {}).get("parts") or []:
        _part(meaning, part)
    grounding = candidate.get("groundingMetadata") or {}
    cited = [chunk["web"]["uri"] for chunk in grounding.get("groundingChunks") or [] if "web" in chunk]
    meaning.sources = list(dict.fromkeys(cited))
    word = candidate["finishReason"]
    meaning.stop = STOPS[NUMBERS[word] if isinstance(word, int) else word]
    if meaning.stop == "content_filter":
        meaning.refusal = candidate.get("finishMessage") or ""
    if meaning.calls and meaning.stop == "end":
        meaning.stop = "tool_calls"
    if candidate.get("logprobsResult"):
        meaning.beyond.add("logprobs")
    if len(body["candidates"]) > 1:
        meaning.beyond.add("n")
    return meaning


def _part(meaning: Meaning, part: Json) -> None:
    if "functionCall" in part:
        call = part["functionCall"]
        meaning.calls.append((call["name"], call.get("args") or {}))
        meaning.call_ids += [call["id"]] if call.get("id") else []
    elif part.get("thought"):
        meaning.reasoning += part.get("text", "")
    elif "text" in part:
        meaning.text += part["text"]
    elif set(part) - {"thoughtSignature"}:
        meaning.beyond.add("hosted tools" if {"executableCode", "codeExecutionResult"} & set(part) else "picture")


def _counts(usage: Json | None) -> Counts | None:
    if not usage or "promptTokenCount" not in usage:
        return None
    prompt = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    output, thoughts = usage.get("candidatesTokenCount", 0), usage.get("thoughtsTokenCount")
    if prompt + output != usage["totalTokenCount"]:  # the thoughts stand beside the output, not in it
        output += thoughts or 0
    return Counts(prompt, usage.get("cachedContentTokenCount"), None, output, thoughts)


# --- streams


def fold(raw: bytes) -> Json:
    """The whole answer that a stream of chunks tells. Raises Cut."""
    whole: Json = {"candidates": [{"content": {"role": "model", "parts": []}}]}
    candidate = whole["candidates"][0]
    parts = candidate["content"]["parts"]
    for chunk in payloads(raw):
        if "error" in chunk:
            raise Cut(str(chunk["error"]))
        whole["usageMetadata"] = chunk.get("usageMetadata") or whole.get("usageMetadata")
        for told in chunk.get("candidates") or []:
            for part in (told.get("content") or {}).get("parts") or []:
                _add_part(parts, part)
            candidate.update({key: told[key] for key in _KEPT if told.get(key)})
    if "finishReason" not in candidate:
        raise Cut("no finishReason")
    return whole


_KEPT = ("logprobsResult", "finishReason", "finishMessage", "groundingMetadata", "citationMetadata")


def _add_part(parts: list[Json], part: Json) -> None:
    """A call whose arguments come piece by piece goes on until a part without `willContinue`, or without any call."""
    call = part.get("functionCall")
    if call is None or call.get("name"):
        parts.append({**part, **({"functionCall": {**call, "args": call.get("args") or {}}} if call else {})})
        call = call or {}
    for piece in call.get("partialArgs") or []:
        kind = next(name for name in ("stringValue", "numberValue", "boolValue", "nullValue") if name in piece)
        value = None if kind == "nullValue" else piece[kind]
        _put(parts[-1]["functionCall"]["args"], _steps(piece["jsonPath"]), value)


def _steps(path: str) -> list[str | int]:
    found = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path)
    return [name or int(number) for name, number in found]


def _put(target: Any, steps: list[str | int], value: Any) -> None:
    """Text at a place goes on where it was; a list grows as it is filled."""
    for step, following in itertools.pairwise(steps):
        target = _at(target, step, [] if isinstance(following, int) else {})
    last = steps[-1]
    before = _at(target, last, "" if isinstance(value, str) else None)
    target[last] = before + value if isinstance(value, str) else value


def _at(target: Any, step: str | int, fresh: Any) -> Any:
    if isinstance(step, int):
        while len(target) <= step:
            target.append(fresh)
    else:
        target.setdefault(step, fresh)
    return target[step]
