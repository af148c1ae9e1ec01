"""What Gemini refuses of contents and parts: reference/translation.md 2.3 (Target G), 6.3, 7.5; upstreams.md 5.4."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from tests.fakes.mind import Ask
from tests.fakes.strict import Refused, base64_bytes, require

Json = dict[str, Any]


@dataclass
class Proof:
    """What the service knows of a signature that it gave."""

    account: str
    call: Json | None = None
    """{"name", "args"} of the call that it came with; None = text."""


Proofs = dict[str, Proof]
_WORDS = "skip_thought_signature_validator"
SENTINELS = (_WORDS.replace("_", "/"), _WORDS, base64.b64encode(_WORDS.encode()).decode())
"""What Google documents for calls that another model made."""
_DATA = {"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"}
_BESIDE = {"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"}
_MIMES = re.compile(r"image/(png|jpeg|webp|heic|heif)|application/pdf|audio/\w+|video/\w+|text/plain")


_STANDARD = str.maketrans("-_", "+/")
"""Bytes may come in either alphabet; the SDK writes the one for addresses, the service the other."""


def _standard(value: Any) -> Any:
    return value.translate(_STANDARD) if isinstance(value, str) else value


_FREE = {"args", "response", "parametersJsonSchema", "responseJsonSchema", "example", "default", "partMetadata"}


def camel(value: Any, *, names: bool = False) -> Any:
    """The body in one spelling; both are legal, and the SDK mixes them. Callers' own names stay."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, inner in value.items():
        head, *tail = key.split("_")
        name = key if names else head + "".join(word.capitalize() for word in tail)
        free = not names and name in _FREE
        found[name] = inner if free else camel(inner, names=not names and name == "properties")
    return found


def unknown(value: Any, allowed: set[str], path: str) -> Json:
    require(isinstance(value, dict), f"Invalid value at '{path}': expected an object.")
    for key in value:
        said = f"Invalid JSON payload received. Unknown name \"{key}\" at '{path}': Cannot find field."
        require(key in allowed, said if path else said.replace(" at ''", ""))
    return dict(value)


def words_of(part: Json, path: str) -> str:
    """A part that may be text alone."""
    unknown(part, {"text"} | _BESIDE, path)
    require(isinstance(part.get("text"), str), f"{path}.text: must be a string")
    return str(part["text"])


def contents(given: list[Json], ask: Ask, proofs: Proofs, account: str, *, signed: bool) -> None:
    """Raises Refused. Fills in what was said, shown and answered. `signed`: calls of the current turn bear proofs."""
    before: list[Json] = []
    given = _merged(given)
    for number, content in enumerate(given):
        path = f"contents[{number}]"
        role = content.get("role", "user")
        require(role in ("user", "model"), "Please use a valid role: user, model.")
        parts = content.get("parts")
        require(
            isinstance(parts, list) and parts,
            f"* GenerateContentRequest.{path}.parts: contents.parts must not be empty.",
        )
        for place, part in enumerate(parts or []):
            _part(part, role, proofs, account, f"{path}.parts[{place}]")
        _order(content, given[number - 1] if number else None, path)
        _answers(before, parts or [], path)
        before = [part["functionCall"] for part in parts or [] if "functionCall" in part]
        _collect(role, parts or [], ask, new=signed)
    said = "Please ensure that function call turn is followed by a function response turn."
    require(not before, said)
    require(given[-1].get("role", "user") == "user", "Please ensure that single turn requests end with a user role.")
    if signed:
        _current_turn(given)


def _merged(given: list[Json]) -> list[Json]:
    """Neighbours of one role are one turn: the SDK's automatic function calling sends back one content a chunk."""
    turns: list[Json] = []
    for number, content in enumerate(given):
        unknown(content, {"role", "parts"}, f"contents[{number}]")
        parts = content.get("parts")
        if turns and isinstance(parts, list) and parts and content.get("role", "user") == turns[-1].get("role", "user"):
            turns[-1] = {**turns[-1], "parts": [*turns[-1]["parts"], *parts]}
        else:
            turns.append(content)
    return turns


def _order(content: Json, previous: Json | None, path: str) -> None:
    if any("functionCall" in part for part in content["parts"]):
        comes_right = previous is not None and previous.get("role", "user") == "user"
        said = "Please ensure that function call turn comes immediately after a user turn"
        require(comes_right, f"{said} or after a function response turn. ({path})")


def _answers(calls: list[Json], parts: list[Json], path: str) -> None:
    """N calls, N responses in the very next content, each with the name (and the id, if given) of its call."""
    responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
    if not calls and responses:
        said = "Please ensure that function response turn comes immediately after a function call turn."
        raise Refused(f"{said} ({path})")
    said = "Please ensure that the number of function response parts is equal to the number of function call parts"
    require(len(calls) == len(responses), f"{said} of the function call turn. ({path})")
    names = sorted(call["name"] for call in calls)
    require(
        names == sorted(r["name"] for r in responses), f"{path}: function response names are not those of the calls"
    )
    by_id = {call["id"]: call["name"] for call in calls if call.get("id")}
    for response in responses:
        if by_id and response.get("id"):
            right = by_id.pop(response["id"], None) == response["name"]
            require(right, f"{path}: function response id {response['id']} is not that of its call")


def _current_turn(given: list[Json]) -> None:
    """6.3: in the steps since the user last spoke, the first call of each bears its signature."""
    asked = [n for n, c in enumerate(given) if c.get("role", "user") == "user" and not _is_answer(c)]
    for number in range((asked[-1] if asked else 0) + 1, len(given)):
        for part in given[number]["parts"]:
            if "functionCall" in part:
                said = "Function call is missing a thought_signature in functionCall parts. This is required for tools"
                where = f"function call `default_api:{part['functionCall']['name']}`, position {number + 1}."
                words = (
                    f"{said} to work correctly, and missing thought_signature may lead to degraded model performance."
                )
                require(part.get("thoughtSignature"), f"{words} Additional data, {where}")
                break


def _is_answer(content: Json) -> bool:
    return any("functionResponse" in part for part in content["parts"])


def _part(part: Json, role: str, proofs: Proofs, account: str, path: str) -> None:
    unknown(part, _DATA | _BESIDE, path)
    found = [key for key in part if key in _DATA]
    require(len(found) == 1, f"{path}: required oneof field 'data' must have one initialized field, not {found}")
    kind = found[0]
    match kind:
        case "text":
            require(isinstance(part["text"], str), f"Invalid value at '{path}.text' (TYPE_STRING)")
        case "inlineData":
            blob = unknown(part["inlineData"], {"mimeType", "data", "displayName"}, f"{path}.inline_data")
            said = f"Unsupported MIME type: {blob.get('mimeType')}"
            require(_MIMES.fullmatch(str(blob.get("mimeType"))), said)
            require(
                base64_bytes(_standard(blob.get("data")), f"{path}.inline_data.data"), f"{path}.inline_data.data: empty"
            )
        case "fileData":
            file = unknown(part["fileData"], {"mimeType", "fileUri", "displayName"}, f"{path}.file_data")
            require(str(file.get("fileUri")).startswith("https://"), "Invalid or unsupported file uri")
        case "functionCall":
            _call(part["functionCall"], role, f"{path}.function_call")
        case "functionResponse":
            _response(part["functionResponse"], role, f"{path}.function_response")
    if "thoughtSignature" in part:
        _signature(part, proofs, account, path)


def _call(call: Json, role: str, path: str) -> None:
    unknown(call, {"id", "name", "args"}, path)
    require(role == "model", f"{path}: only a model calls functions")
    require(isinstance(call.get("name"), str) and call["name"], f"{path}.name: Name cannot be empty.")
    require(isinstance(call.get("args", {}), dict), f"Invalid value at '{path}.args' (google.protobuf.Struct)")


def _response(response: Json, role: str, path: str) -> None:
    unknown(response, {"id", "name", "response", "parts", "willContinue", "scheduling"}, path)
    require(role == "user", f"{path}: function responses come in a user turn")
    require(isinstance(response.get("name"), str) and response["name"], f"{path}.name: Name cannot be empty.")
    require(isinstance(response.get("response"), dict), f"Invalid value at '{path}.response' (google.protobuf.Struct)")
    for part in response.get("parts", []):
        blob = unknown(part, {"inlineData"}, f"{path}.parts").get("inlineData")
        unknown(blob, {"mimeType", "data", "displayName"}, f"{path}.parts.inline_data")
        require(_MIMES.fullmatch(str((blob or {}).get("mimeType"))), "Unsupported MIME type")


def _signature(part: Json, proofs: Proofs, account: str, path: str) -> None:
    signature = _standard(part["thoughtSignature"])
    if "functionCall" in part and signature in SENTINELS:
        return
    base64_bytes(signature, f"{path}.thought_signature")
    proof = proofs.get(signature)
    require(proof is not None and proof.account == account, f"Thought signature is not valid. ({path})")
    call = part.get("functionCall")
    if proof is not None and proof.call is not None:
        same = call is not None and (call["name"], call.get("args", {})) == (proof.call["name"], proof.call["args"])
        require(same, f"Thought signature does not belong to this call. ({path})")


def _collect(role: str, parts: list[Json], ask: Ask, *, new: bool) -> None:
    if role == "model":
        ask.results, ask.media = [], []
        return
    ask.said += [part["text"] for part in parts if "text" in part]
    for part in parts:
        if "functionResponse" in part:
            told = part["functionResponse"]["response"]
            ask.results.append(str(told.get("output", told.get("result", told.get("error", told)))))
            inner = part["functionResponse"].get("parts", [])
            require(new or not inner, "Function response parts are not supported for this model.")
            ask.media += [_shown(each) for each in inner]
        elif "inlineData" in part or "fileData" in part:
            ask.media.append(_shown(part))


def _shown(part: Json) -> str:
    if "fileData" in part:
        return f"image url {part['fileData']['fileUri']}"
    mime = part["inlineData"]["mimeType"]
    return f"{'image' if mime.startswith('image/') else 'document'} base64 {mime}"
