"""What the tables of translation.md allow to be lost, word by word, with the reason. Nothing else may be.

A loss is named by what the recording holds, found by the plain readers; an exchange with a named loss is compared in
everything else all the same. `docs/corpus.md` prints these tables with their counts.
"""

from __future__ import annotations

from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES

# (the caller's dialect, what the answer holds) -> why the caller does not see it.
ANSWERS: dict[tuple[str, str], str] = {
    (CHAT, "hosted tools"): "Chat has no place for what a hosted tool did; text and sources stay (3.1 rule 2)",
    (CHAT, "compaction"): "a compacted history returns only to its own provider (1.2)",
    (CHAT, "fallback"): "a note between models of one provider; its answer stays (1.2, opaque)",
    (CHAT, "caller's own hosted tool"): "only callers of Responses can have asked for it; they get it as it is (7.8)",
    (CHAT, "approval"): "only callers of Responses can have asked for it; they get it as it is (7.8)",
    (CHAT, "sources of a file"): "files of one provider mean nothing to callers of another dialect (8)",
    (MESSAGES, "hosted tools"): "Messages tells of web searches; what other hosted tools did stays out (7.8)",
    (MESSAGES, "caller's own hosted tool"): "only callers of Responses can have asked for it (7.8)",
    (MESSAGES, "approval"): "only callers of Responses can have asked for it (7.8)",
    (MESSAGES, "compaction"): "a compacted history returns only to its own provider (1.2)",
    (MESSAGES, "sources of a file"): "files of one provider mean nothing to callers of another dialect (8)",
    (MESSAGES, "picture"): "Messages has no place for a picture in an answer (8)",
    (MESSAGES, "logprobs"): "Messages has no probabilities of tokens (2.4)",
    (GEMINI, "caller's own hosted tool"): "only callers of Responses can have asked for it (7.8)",
    (GEMINI, "approval"): "only callers of Responses can have asked for it (7.8)",
    (GEMINI, "sources of a file"): "files of one provider mean nothing to callers of another dialect (8)",
    (RESPONSES, "hosted tools"): "Responses tells of web searches; what other hosted tools did stays out (7.8)",
    (RESPONSES, "compaction"): "a compacted history returns only to its own provider (1.2)",
    (RESPONSES, "fallback"): "a note between models of one provider; its answer stays (1.2, opaque)",
    (RESPONSES, "call id"): "an old `function_call` and a call of Gemini's have no id; one is minted (2.2, 7.1)",
    (RESPONSES, "n"): "Responses has one answer; number 0 is used (3.1 rule 4)",
    (CHAT, "call id"): "Gemini's calls need no id; one is minted (7.1)",
    (GEMINI, "hosted tools"): "Gemini has no place for what a hosted tool did; text and sources stay (3.1 rule 2)",
    (GEMINI, "compaction"): "a compacted history returns only to its own provider (1.2)",
    (GEMINI, "fallback"): "a note between models of one provider; its answer stays (1.2, opaque)",
    (GEMINI, "call id"): "an old `function_call` has no id; one is minted (2.2)",
    (GEMINI, "n"): "of several choices number 0 is used (3.1 rule 4)",
    (MESSAGES, "n"): "Messages has one choice; number 0 is used (3.1 rule 4)",
    (MESSAGES, "counts"): "the upstream counted nothing; Messages demands numbers, so they are estimated (3.3 note 6)",
    (MESSAGES, "call id"): "an old `function_call` and a call of Gemini's have no id; one is minted (2.2, 7.1)",
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
    (GEMINI, "call id"): "a call of Gemini's needs no id; where the form changes one is minted (7.1)",
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
        "two streams in one recording; the first one's end is the end"
    ),
    "openai-chat.sse.vercel.anthropic-fallback-tool-call-0.e65000": "the last blank line is missing; it is added",
}

# What an SDK cannot read of a recording, whoever hands it on: (the caller's dialect, id) -> why.
SDK: dict[tuple[str, str], str] = {
    (
        GEMINI,
        "openai-responses.json.vercel.openai-image-generation-tool-1-0.61c2b9",
    ): "the picture was cut when recorded",
    (
        GEMINI,
        "openai-responses.sse.vercel.openai-image-generation-tool-1-0.62fae7",
    ): "the picture was cut when recorded",
}

# (the upstream's dialect, field of `asking.Asked`) -> why a request to it may differ there, and the path of the Note
# that must say so; "" where translation.md wants none.
REQUESTS: dict[tuple[str, str], tuple[str, str]] = {
    (MESSAGES, "schema"): ("the objects of a schema for the answer are closed; names and types stay (7.3)", ""),
    (MESSAGES, "strict tools"): (
        "keywords that strict tools do not know move into descriptions (7.3)",
        r"tools\..*parameters",
    ),
    (MESSAGES, "tools"): ("calls in the history without tools: a stand-in nobody can call (2.3 rule 7)", ""),
    (MESSAGES, "sampling"): ("the newest models choose their own sampling (0.1)", "temperature|top_?[pP]"),
    (MESSAGES, "items"): ("a model without mid-conversation system texts: a marked user text (2.2)", "messages."),
    (CHAT, "sampling"): ("OpenAI's reasoning models refuse sampling settings (2.4)", "temperature|top_?[pP]"),
    (RESPONSES, "sampling"): ("OpenAI's reasoning models refuse sampling settings (2.4)", "temperature|top_?[pP]"),
    (RESPONSES, "thoughts"): ("thinking goes back only to who made it (6.4)", ""),
    (RESPONSES, "thinks"): ("the model has no reasoning settings (6.2)", "thinking|reasoning"),
    (MESSAGES, "stop"): ("a stop sequence of nothing but blanks is refused by Messages (2.4)", "stopSequences"),
    (CHAT, "thinks"): ("the model has no reasoning settings (6.2)", "thinking|reasoning"),
    (CHAT, "thoughts"): ("thinking goes back only to who made it (6.4)", ""),
    (GEMINI, "tools"): ("a schema in Gemini's words; names, kinds and what is required stay (7.4)", ""),
    (GEMINI, "schema"): ("a schema in Gemini's words; names, kinds and what is required stay (7.4)", ""),
    (GEMINI, "limit"): ("the limit is lowered to the most that the model can make (2.4.1)", "max_|maxOutput"),
    (MESSAGES, "thoughts"): ("thinking goes back only to who made it (6.4)", ""),
    (MESSAGES, "thinks"): (
        "a model that cannot think on after a call without proof; or only to see it was asked (6.3)",
        "",
    ),
    (GEMINI, "hosted"): (
        "a web search that the caller can do without, and that many models refuse beside functions (7.8)",
        "tools.",
    ),
    (CHAT, "hosted"): (
        "Chat models search the web only where they are made for it; the tool is left out (7.8)",
        "tools",
    ),
    (GEMINI, "choice"): ("strict tools: Gemini's VALIDATED is the nearest (2.5)", ""),
    (GEMINI, "items"): ("Gemini has no system texts in the middle: a marked user text (2.2)", "messages."),
    (GEMINI, "results"): ("several texts of one result are joined by line ends (7.5)", ""),
    (GEMINI, "thoughts"): ("thinking goes back only to who made it (6.4)", ""),
}

# Requests that are refused ("" = by every upstream of another dialect): a tag or id -> the field that the error names,
# and why.
REFUSED: dict[tuple[str, str], tuple[str, str]] = {
    (MESSAGES, "n>1"): ("n", "Messages gives one answer (2.4)"),
    (RESPONSES, "n>1"): ("n", "one answer a request, where another dialect is asked"),
    (RESPONSES, "anthropic-messages.json.openllmetry.prompt-cache-0.13cc91"): (
        "stop_sequences",
        "Responses takes no stop sequences (2.4)",
    ),
    (RESPONSES, "gemini.json.otel-contrib.generate-content-extra-params-0.837c34"): (
        "generationConfig.stopSequences",
        "Responses takes no stop sequences (2.4)",
    ),
    (RESPONSES, "openai-chat.json.otel-contrib.chat-completion-handle-stop-sequences-as-string-0.bfe712"): (
        "stop",
        "Responses takes no stop sequences (2.4)",
    ),
    (GEMINI, "n>1"): ("n", "one answer a request, where another dialect is asked"),
    (GEMINI, "image-url"): ("messages.0.content.1", "Gemini loads no media from an address (8)"),
    ("", "anthropic-messages.json.openllmetry.anthropic-2-completion-0.c9b69d"): (
        "max_tokens",
        "Bedrock's old text completion, no Messages request",
    ),
    ("", "gemini.json.otel-contrib.generate-content-invalid-role-0.43d1b5"): (
        "contents.0.role",
        "the service itself refused this role",
    ),
}
