"""Traces without authorization codes: FastAPI's own OpenTelemetry spans would export paths and queries in clear.

    provider = tracer_provider(settings, name="byoid-issuer")
    app = FastAPI(telemetry=telemetry(provider), …)

Where no collector is set, nothing is traced and nothing of it costs time.
"""

from typing import TYPE_CHECKING, Final

from fastapi.telemetry import TelemetryConfig

from byoid.service.settings import ServiceSettings

if TYPE_CHECKING:  # the extra `otel`, needed only where traces are wanted
    from opentelemetry.sdk.trace import TracerProvider

_OFF: Final = TelemetryConfig(tracing=False, metrics=False, logs=False)


def tracer_provider(settings: ServiceSettings, *, name: str) -> "TracerProvider | None":
    """Return what makes and sends the spans of a service; None where no collector is set."""
    if settings.otlp_endpoint is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

    from byoid.service.redaction import RedactingSpanProcessor

    sampler = TraceIdRatioBased(settings.trace_share)  # not by what a caller's `traceparent` asks for
    provider = TracerProvider(resource=Resource.create({"service.name": name}), sampler=sampler)
    provider.add_span_processor(RedactingSpanProcessor())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{settings.otlp_endpoint}/v1/traces")))
    return provider


def telemetry(provider: "TracerProvider | None") -> TelemetryConfig:
    """Return how FastAPI traces: requests only, and never what a failed validation or an exception says."""
    if provider is None:
        return _OFF
    return TelemetryConfig(tracer_provider=provider, metrics=False, logs=False, operation_spans=False)
