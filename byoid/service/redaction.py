"""What a span must not say: codes, tokens and identifiers stand in paths and queries."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

_DROPPED: Final = (
    "url.path",
    "url.query",
    "url.full",
    "http.target",
    "http.url",
    "client.address",
    "user_agent.original",
)


class RedactingSpanProcessor(SpanProcessor):
    """Empties what names a person or holds a secret when a span starts. Add it before the exporter's processor."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Empty the attributes."""
        for name in _DROPPED:
            if name in (span.attributes or {}):
                span.set_attribute(name, "")
