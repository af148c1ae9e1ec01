"""How a caller's tool is called in an answer: namespace, kind and name as it was declared (7.1 rule 4, 7.7)."""

from __future__ import annotations

from proxyapp.dialects.openai_responses.tools import full_name
from proxyapp.ir.parts import ToolCall
from proxyapp.ir.request import Request, Tool


class Declared:
    """The tools of one request, by every name under which a call may come back."""

    def __init__(self, request: Request) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in request.tools:  # some models leave the namespace out; a plain name counts when it is one tool's
            self._tools.setdefault(tool.name, tool)
        bare = [tool.name for tool in request.tools]
        self._tools = {name: tool for name, tool in self._tools.items() if bare.count(name) == 1}
        self._tools |= {full_name(tool.name, tool.namespace): tool for tool in request.tools}

    def of(self, part: ToolCall) -> tuple[str, str | None, str]:
        """(name, namespace, kind) for the caller."""
        tool = self._tools.get(full_name(part.name, part.namespace))
        if tool is None:
            return part.name, part.namespace, part.kind
        return tool.name, tool.namespace, tool.kind
