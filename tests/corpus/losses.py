"""What the tables of translation.md allow to be lost, word by word, with the reason. Nothing else may be.

A loss is named by what the recording holds, found by the plain readers; an exchange with a named loss is compared in
everything else all the same. `docs/corpus.md` prints these tables with their counts.
"""

from __future__ import annotations

from tests.corpus.exchanges import CHAT, MESSAGES, RESPONSES

# (the caller's dialect, what the answer holds) -> why the caller does not see it.
ANSWERS: dict[tuple[str, str], str] = {
    (CHAT, "hosted tools"): "Chat has no place for what a hosted tool did; text and sources stay (3.1 rule 2)",
    (CHAT, "compaction"): "a compacted history returns only to its own provider (1.2)",
    (CHAT, "fallback"): "a note between models of one provider; its answer stays (1.2, opaque)",
    (CHAT, "caller's own hosted tool"): "a tool that only a Responses caller can be asked to run (7.8)",
    (CHAT, "approval"): "a question of a hosted tool that only a Responses caller can answer (7.8)",
    (CHAT, "sources of a file"): "Chat names addresses as sources, no files (3.1 rule 3)",
    (
        MESSAGES,
        "hosted tools",
    ): "a hosted call of another provider cannot be replayed; text and sources stay (3.1 rule 2)",
    (MESSAGES, "caller's own hosted tool"): "a tool that only a Responses caller can be asked to run (7.8)",
    (MESSAGES, "logprobs"): "Messages has no probabilities (2.4)",
    (MESSAGES, "approval"): "a question of a hosted tool that only a Responses caller can answer (7.8)",
    (MESSAGES, "sources of a file"): "Messages names addresses as sources of another provider, no files (3.1 rule 3)",
    (MESSAGES, "compaction"): "a compacted history returns only to its own provider (1.2)",
    (RESPONSES, "hosted tools"): "only searches and fetches of another provider have a form here (3.1, 7.8)",
    (RESPONSES, "compaction"): "a compacted history returns only to its own provider (1.2)",
    (RESPONSES, "fallback"): "a note between models of one provider; its answer stays (1.2, opaque)",
    (RESPONSES, "n"): "Responses has one choice; number 0 is used (3.1 rule 4)",
    (RESPONSES, "call id"): "an old `function_call` has no id; one is minted (2.2)",
    (MESSAGES, "n"): "Messages has one choice; number 0 is used (3.1 rule 4)",
    (MESSAGES, "counts"): "the upstream counted nothing; Messages demands numbers, so they are estimated (3.3 note 6)",
    (MESSAGES, "call id"): "an old `function_call` has no id; one is minted (2.2)",
}

# Recordings that are no proper answer, by id: what a caller gets instead, and why.
NO_ANSWER: dict[str, str] = {
    "anthropic-messages.json.openllmetry.anthropic-2-completion-0.c9b69d": (
        "Bedrock's old text completion, no Messages answer: an error"
    ),
    "anthropic-messages.sse.vercel.spliced-message-start-0.b251f0": (
        "a second answer begins inside the first (edited): an error event, since what was shown cannot be taken back"
    ),
}

# Errors that a service told with a 200, by id: the status that they are given to callers with.
STATUS: dict[str, int] = {
    "openai-chat.json.openllmetry.prompt-content-filtering-0.a73ab9": 400,
    "openai-responses.sse.vercel.openai-error-1-0.3133e5": 429,
}

# (the caller's dialect, what the answer holds) -> why it is lost when its form changes, within one dialect.
ALIKE: dict[tuple[str, str], str] = {
    (CHAT, "n"): "a stream made of a whole answer, or the reverse, holds choice 0 alone (3.1 rule 4)",
}

# Recordings of a stream that are not byte for byte what one answer is, by id.
BYTES: dict[str, str] = {
    "anthropic-messages.sse.vercel.anthropic-tool-search-bm25-1-0.2eff54": (
        "two streams in one recording; the first one's end is the end"
    ),
    "anthropic-messages.sse.vercel.anthropic-tool-search-deferred-bm25-0.524a27": (
        "three streams in one recording; the first one's end is the end"
    ),
    "openai-responses.sse.vercel.openai-reasoning-encrypted-content-1-0.89a65a": (
        "four streams in one recording; the first one's end is the end"
    ),
    "openai-chat.sse.vercel.anthropic-fallback-tool-call-0.e65000": "the last blank line is missing; it is added",
}

# (the upstream's dialect, field of `asking.Asked`) -> why a request to it may differ there, and the path of the Note
# that must say so; "" where translation.md wants none.
REQUESTS: dict[tuple[str, str], tuple[str, str]] = {
    (MESSAGES, "schema"): ("the objects of a schema for the answer are closed; names and types stay (7.3)", ""),
    (MESSAGES, "tools"): ("calls in the history without tools: a stand-in nobody can call (2.3 rule 7)", ""),
    (MESSAGES, "sampling"): ("the newest models choose their own sampling (0.1)", "temperature|top_p"),
    (MESSAGES, "strict tools"): ("keywords that strict tools do not know move into descriptions (7.3)", "tools."),
    (MESSAGES, "thinks"): ("budget models cannot think on from a call without its thinking (6.3)", "reasoning"),
    (MESSAGES, "thoughts"): ("thinking goes back only to who made it (6.4)", ""),
    (MESSAGES, "items"): ("a model without mid-conversation system texts: a marked user text (2.2)", "messages."),
    (RESPONSES, "sampling"): ("OpenAI's reasoning models refuse sampling settings (2.4)", "temperature|top_p"),
    (RESPONSES, "thinks"): ("the model has no reasoning settings (6.2)", ""),
    (RESPONSES, "thoughts"): ("thinking goes back only to who made it (6.4)", ""),
    (CHAT, "hosted"): (
        "a web search that the caller can do without, and that this upstream does not run (7.8)",
        "tools.",
    ),
    (CHAT, "sampling"): ("OpenAI's reasoning models refuse sampling settings (2.4)", "temperature"),
    (CHAT, "thinks"): ("the model has no reasoning settings (6.2)", "thinking|reasoning"),
    (CHAT, "thoughts"): ("thinking goes back only to who made it (6.4)", ""),
}

# Requests that are refused: a tag or id -> the field that the error names, and why.
REFUSED: dict[tuple[str, str], tuple[str, str]] = {
    (RESPONSES, "n>1"): ("n", "Responses gives one answer (2.4)"),
    (RESPONSES, "anthropic-messages.json.openllmetry.anthropic-2-completion-0.c9b69d"): (
        "max_tokens",
        "Bedrock's old text completion, no Messages request",
    ),
    (RESPONSES, "anthropic-messages.json.openllmetry.prompt-cache-0.13cc91"): (
        "stop_sequences",
        "Responses has no stop sequences (2.4)",
    ),
    (RESPONSES, "openai-chat.json.otel-contrib.chat-completion-handle-stop-sequences-as-string-0.bfe712"): (
        "stop",
        "Responses has no stop sequences (2.4)",
    ),
    (MESSAGES, "n>1"): ("n", "Messages gives one answer (2.4)"),
    (CHAT, "anthropic-messages.json.openllmetry.anthropic-2-completion-0.c9b69d"): (
        "max_tokens",
        "Bedrock's old text completion, no Messages request",
    ),
}
