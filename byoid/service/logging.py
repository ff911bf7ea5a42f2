"""Logs as JSON lines that hold no secret and nothing about a person, and an access log without addresses.

Two nets: members whose names promise a secret are replaced, and in every text what looks like a token is. Of an
exception only byoid's own messages are written, which never hold values; of others the type and the places.
"""

import logging
import re
import sys
import time
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from byoid.errors import ByoidError
from byoid.service.metrics import route_template

REDACTED: Final = "[redacted]"
# A member is secret if one of these is a word of its name: `access_token`, `tx_code`, `holder_key`, `vp_token` …
_SECRET_WORDS: Final = frozenset(
    (
        "token tokens code codes secret secrets password authorization cookie key keys jwk jwks proof proofs nonce "
        "credential credentials claim claims assertion verifier disclosure disclosures presentation portrait pin prf"
    ).split()
)
_HARMLESS: Final = frozenset({"error_code", "status_code"})
_TOKENS: Final = re.compile(
    r"eyJ[\w-]+\.[\w.~-]*"  # JWS, JWE, SD-JWT
    r"|(?i:bearer|dpop|basic)\s+[\w.~+/=-]+"
    r"|(?<![\w-])[A-Za-z0-9_-]{32,}(?![\w-])"  # codes, tokens, keys in base64url; log ids have a member of their own
    r"|(?<=[?&])[^\s=&]+=[^\s&'\"]+"  # parameters of a query
)
_MAX_DEPTH: Final = 8
_UNTOUCHED: Final = frozenset({"event_id", "log_id", "timestamp", "level", "logger", "exception"})
_logger = logging.getLogger("byoid.access")


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what must not be logged (a structlog processor)."""
    for name, value in event.items():
        if name not in _UNTOUCHED:
            event[name] = REDACTED if _is_secret(name) else _clean(value, 0)
    return event


def redact_text(text: str) -> str:
    """Replace in a text what looks like a token, a code, a key or a parameter of a query."""
    return _TOKENS.sub(REDACTED, text)


def configure(*, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs of this process, libraries too, as JSON lines to standard error. Call it once, in main."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _describe_exception,
        redact,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"  # it has addresses; ours has routes
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # what is looked at, and how
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class AccessLog:
    """Pure ASGI middleware: one line for each answer, with the route instead of the address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log its answer."""
        if scope["type"] != "http" or not _logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                milliseconds = (time.perf_counter() - begin) * 1000
                _logger.info(
                    "%s %s %d %.1f ms", scope["method"], route_template(scope), message["status"], milliseconds
                )
            await send(message)

        await self._app(scope, receive, watched)


def _is_secret(name: str) -> bool:
    words = re.split(r"[_\-. ]", name.lower())
    return name.lower() not in _HARMLESS and not _SECRET_WORDS.isdisjoint(words)


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _MAX_DEPTH or isinstance(value, bytes | bytearray):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(k): REDACTED if _is_secret(str(k)) else _clean(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(each, depth + 1) for each in value]
    return redact_text(str(value))


def _describe_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by types, places and byoid's own messages: others' messages quote what they choked on."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = [_describe(each) for each in _causes(error)]
    return event


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def _describe(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    message = f": {redact_text(str(error))}" if isinstance(error, ByoidError) else ""
    return f"{type(error).__name__}{message} in {places}"
