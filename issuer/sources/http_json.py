"""Registers behind an HTTP service that answers JSON, with an access token by client credentials (RFC 6749 4.4).

404 means that nobody has this key; 202, or a 200 whose `Retry-After` is set, that the record is being prepared; 403
that the service refuses, with its reason in `reason`. Everything else is a register that does not answer.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx2

from byoid.encoding import json_loads
from byoid.errors import MalformedInput
from issuer.attributes import NotReady, PersonUnknown, Record, Refused, SourceUnavailable
from issuer.sources.mapping import Mapping_

_EARLY: Final = timedelta(seconds=30)  # a token is renewed before it expires
_OK, _ACCEPTED, _UNAUTHORIZED = 200, 202, 401


@dataclass(frozen=True)
class ClientCredentials:
    """How to get an access token."""

    token_url: str
    client_id: str
    client_secret: str
    scope: str | None = None


@dataclass(frozen=True)
class _Token:
    value: str
    until: datetime


class HttpSource:
    """A register behind HTTP.

    Args:
        url: where a person's record is; `{person}` and `{type}` are filled in.
        mapping: how the answer, or its member `member`, becomes a record. Nested members are named `outer.inner`.
        client: the guarded HTTP client.
        clock: the time, for the token.
        credentials: how to get an access token; None for a register that asks none.
        member: the member of the answer that holds the record.
    """

    def __init__(
        self,
        url: str,
        *,
        mapping: Mapping_,
        client: httpx2.AsyncClient,
        clock: Callable[[], datetime],
        credentials: ClientCredentials | None = None,
        member: str | None = None,
    ) -> None:
        self._url = url
        self._mapping = mapping
        self._client = client
        self._clock = clock
        self._credentials = credentials
        self._member = member
        self._token: _Token | None = None
        self._renewing = asyncio.Lock()

    async def record(self, person: str, credential_type: str) -> Record:
        """Ask for a person's record; see `AttributeSource.record`."""
        url = self._url.format(person=quote(person, safe=""), type=quote(credential_type, safe=""))
        try:
            response = await self._get(url)
        except httpx2.HTTPError as error:
            raise SourceUnavailable(f"the register does not answer: {type(error).__name__}") from error
        return self._mapping.record(self._row(response))

    async def _get(self, url: str) -> httpx2.Response:
        response = await self._client.get(url, headers=await self._authorization())
        if response.status_code == _UNAUTHORIZED and self._credentials is not None:
            self._token = None  # it may have been revoked: once more with a new one
            response = await self._client.get(url, headers=await self._authorization())
        return response

    def _row(self, response: httpx2.Response) -> Mapping[str, Any]:
        match response.status_code:
            case _ if response.status_code == _ACCEPTED or "retry-after" in response.headers:
                raise NotReady("the register prepares the record")
            case 404:
                raise PersonUnknown("the register has nobody with this key")
            case 403:
                raise Refused(str(_object(response).get("reason") or "The register refuses this credential."))
            case 200:
                found = _object(response)
                record = found.get(self._member) if self._member else found
                if not isinstance(record, Mapping):
                    raise SourceUnavailable(f"the register's answer has no object {self._member!r}")
                return _flat(record)
            case status:
                raise SourceUnavailable(f"the register answers with status {status}")

    async def _authorization(self) -> dict[str, str]:
        if self._credentials is None:
            return {}
        async with self._renewing:
            if self._token is None or self._clock() >= self._token.until:
                self._token = await self._new_token(self._credentials)
            return {"Authorization": f"Bearer {self._token.value}"}

    async def _new_token(self, credentials: ClientCredentials) -> _Token:
        form = {"grant_type": "client_credentials"} | ({"scope": credentials.scope} if credentials.scope else {})
        secret = httpx2.BasicAuth(quote(credentials.client_id, safe=""), quote(credentials.client_secret, safe=""))
        response = await self._client.post(credentials.token_url, data=form, auth=secret)
        answer = _object(response) if response.status_code == _OK else {}
        if not isinstance(answer.get("access_token"), str):
            raise SourceUnavailable(f"the register's token endpoint answers with status {response.status_code}")
        lifetime = timedelta(seconds=int(answer.get("expires_in", 60)))
        return _Token(answer["access_token"], self._clock() + lifetime - _EARLY)


def _object(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = json_loads(response.content)
    except MalformedInput as error:
        raise SourceUnavailable("the register's answer is not JSON") from error
    if not isinstance(found, dict):
        raise SourceUnavailable("the register's answer is not a JSON object")
    return found


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return members by name, and nested ones also by `outer.inner`."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        found[prefix + name] = value
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
    return found
