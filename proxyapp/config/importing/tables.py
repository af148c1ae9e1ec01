"""What other gateways call the servers that are known here, as data.

LiteLLM: prefixes of `litellm_params.model`, the environment variables that it takes a key or an address from when the
file gives none. one-api and new-api: the numbers of their channel types, which part ways from 26 on.
"""

from __future__ import annotations

from msgspec import Struct


class Server(Struct, frozen=True):
    """A server as one of our kinds."""

    kind: str
    base_url: str = ""
    """Where it is when the file does not say; "" = at the kind's own address, or it must be given."""
    key: str = ""
    """LiteLLM: the variable that holds its key when the file names none."""
    base: str = ""
    """LiteLLM: the variable that holds its address when the file gives none."""
    keyless: bool = False
    """It serves without a key."""


CHAT = "openai_compatible"

# --- LiteLLM ---------------------------------------------------------------------------------------------------------

PROVIDERS = {
    "openai": Server("openai", key="OPENAI_API_KEY", base="OPENAI_API_BASE"),
    "text-completion-openai": Server("openai", key="OPENAI_API_KEY", base="OPENAI_API_BASE"),
    "azure": Server("azure", key="AZURE_API_KEY", base="AZURE_API_BASE"),
    "azure_text": Server("azure", key="AZURE_API_KEY", base="AZURE_API_BASE"),
    "azure_ai": Server("azure", key="AZURE_AI_API_KEY", base="AZURE_AI_API_BASE"),
    "anthropic": Server("anthropic", key="ANTHROPIC_API_KEY", base="ANTHROPIC_API_BASE"),
    "anthropic_text": Server("anthropic", key="ANTHROPIC_API_KEY", base="ANTHROPIC_API_BASE"),
    "gemini": Server("gemini", key="GEMINI_API_KEY", base="GEMINI_API_BASE"),
    "cerebras": Server(CHAT, "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "custom_openai": Server(CHAT, key="OPENAI_API_KEY", base="OPENAI_API_BASE"),
    "dashscope": Server(CHAT, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "deepinfra": Server(CHAT, "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    "deepseek": Server(CHAT, "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "fireworks_ai": Server(CHAT, "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "groq": Server(CHAT, "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "hosted_vllm": Server(CHAT, key="HOSTED_VLLM_API_KEY", base="HOSTED_VLLM_API_BASE", keyless=True),
    "hyperbolic": Server(CHAT, "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    "litellm_proxy": Server(CHAT, key="LITELLM_PROXY_API_KEY", base="LITELLM_PROXY_API_BASE"),
    "llamafile": Server(CHAT, "http://127.0.0.1:8080/v1", keyless=True),
    "lm_studio": Server(CHAT, key="LM_STUDIO_API_KEY", base="LM_STUDIO_API_BASE", keyless=True),
    "mistral": Server(CHAT, "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "moonshot": Server(CHAT, "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "nebius": Server(CHAT, "https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY"),
    "novita": Server(CHAT, "https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
    "nvidia_nim": Server(CHAT, "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    "ollama": Server(CHAT, "http://localhost:11434/v1", base="OLLAMA_API_BASE", keyless=True),
    "ollama_chat": Server(CHAT, "http://localhost:11434/v1", base="OLLAMA_API_BASE", keyless=True),
    "openai_like": Server(CHAT, key="OPENAI_LIKE_API_KEY", base="OPENAI_LIKE_API_BASE"),
    "openrouter": Server(CHAT, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "perplexity": Server(CHAT, "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    "sambanova": Server(CHAT, "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    "together_ai": Server(CHAT, "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    "volcengine": Server(CHAT, "https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE_API_KEY"),
    "xai": Server(CHAT, "https://api.x.ai/v1", "XAI_API_KEY"),
    "xinference": Server(CHAT, key="XINFERENCE_API_KEY", base="XINFERENCE_API_BASE", keyless=True),
    "zai": Server(CHAT, "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
}
"""Prefix -> server. What is not here (Bedrock, Vertex AI, SageMaker …) has no counterpart."""

BARE = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-", "openai"),
    ("dall-e-", "openai"),
    ("whisper-", "openai"),
    ("tts-", "openai"),
    ("claude-", "anthropic"),
)
"""(how a model's name without a prefix begins, provider)"""

# --- one-api and new-api ---------------------------------------------------------------------------------------------

_SHARED = {
    1: Server("openai"),
    2: Server(CHAT, "https://oa.api2d.net"),
    3: Server("azure"),
    6: Server(CHAT, "https://api.openaimax.com"),
    7: Server(CHAT, "https://api.ohmygpt.com"),
    8: Server(CHAT),
    9: Server(CHAT, "https://api.caipacity.com"),
    10: Server(CHAT, "https://api.aiproxy.io"),
    12: Server(CHAT, "https://api.api2gpt.com"),
    13: Server(CHAT, "https://api.aigc2d.com"),
    14: Server("anthropic"),
    17: Server(CHAT, "https://dashscope.aliyuncs.com/compatible-mode/v1"),
    20: Server(CHAT, "https://openrouter.ai/api"),
    24: Server("gemini"),
    25: Server(CHAT, "https://api.moonshot.cn"),
    31: Server(CHAT, "https://api.lingyiwanwu.com"),
}
ONE_API = {
    **_SHARED,
    4: Server(CHAT, "https://api.closeai-proxy.xyz"),
    5: Server(CHAT, "https://api.openai-sb.com"),
    26: Server(CHAT, "https://api.baichuan-ai.com"),
    27: Server(CHAT, "https://api.minimax.chat"),
    28: Server(CHAT, "https://api.mistral.ai"),
    29: Server(CHAT, "https://api.groq.com/openai"),
    30: Server(CHAT, "http://localhost:11434", keyless=True),
    32: Server(CHAT, "https://api.stepfun.com"),
    34: Server("coze"),
    36: Server(CHAT, "https://api.deepseek.com"),
    39: Server(CHAT, "https://api.together.xyz"),
    40: Server(CHAT, "https://ark.cn-beijing.volces.com/api/v3"),
    41: Server(CHAT, "https://api.novita.ai/v3/openai"),
    44: Server(CHAT, "https://api.siliconflow.cn"),
    45: Server(CHAT, "https://api.x.ai"),
    49: Server(CHAT, "https://dashscope.aliyuncs.com/compatible-mode/v1"),
    50: Server(CHAT),
}
NEW_API = {
    **_SHARED,
    4: Server(CHAT, "http://localhost:11434", keyless=True),
    26: Server(CHAT, "https://open.bigmodel.cn/api/paas/v4"),
    27: Server(CHAT, "https://api.perplexity.ai"),
    35: Server(CHAT, "https://api.minimax.chat"),
    40: Server(CHAT, "https://api.siliconflow.cn"),
    42: Server(CHAT, "https://api.mistral.ai"),
    43: Server(CHAT, "https://api.deepseek.com"),
    45: Server(CHAT, "https://ark.cn-beijing.volces.com/api/v3"),
    47: Server(CHAT, keyless=True),
    48: Server(CHAT, "https://api.x.ai"),
    49: Server("coze", "https://api.coze.cn"),
    53: Server(CHAT, "https://llm.submodel.ai"),
}
"""Type -> server. Others are no language models, or speak a language of their own (Baidu, Xunfei, AWS, Vertex AI …)."""

TYPE_NAMES = {
    2: "Midjourney",
    5: "Midjourney",
    11: "PaLM",
    15: "Baidu",
    16: "Zhipu (old API)",
    18: "Xunfei",
    19: "360",
    21: "AIProxy library",
    22: "FastGPT",
    23: "Tencent",
    33: "AWS",
    41: "Vertex AI",
    42: "Vertex AI",
    57: "Codex",
}
"""Names of some types that cannot be taken, for people."""
