"""The vault as a process of its own: the same operations over a Unix socket, for a web part that can't sign.

The web part gets a `RemoteDoor`; the vault's process serves `vault_app` on a socket that only the web part's group may
open, and is the only one whose database role may touch the `vault_` tables. What crosses is JSON, made from the
operations' own types; errors cross by class, so that callers can't tell the two doors apart.
"""

import inspect
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast, get_type_hints

import httpx2
from pydantic import BaseModel, ValidationError, create_model
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from byoid import errors
from byoid.errors import ByoidError, MalformedInput, OAuthError, PeerError
from byoid.service.database import Conflict
from wallet import accounts, recovery
from wallet.vault import actions, ceremonies, gate, holder_keys, journal, proposals, sessions
from wallet.vault.context import Vault
from wallet.vault.contract import LastPasskey, NotApproved, NotSignedIn, TooEarly, VaultMessage, WalletLocked

P = ParamSpec("P")
T = TypeVar("T")
Operation = Callable[..., Awaitable[Any]]

# What the web part may ask for. Operators' acts are not among them: they are commands of the vault's own process.
_OPERATIONS: Final[dict[str, Operation]] = {
    operation.__name__: operation
    for operation in (
        *(ceremonies.begin_registration, ceremonies.register, ceremonies.begin_sign_in, ceremonies.sign_in),
        *(sessions.open_session, sessions.end_session, sessions.end_all_sessions, sessions.forget_what_is_over),
        *(holder_keys.create_holder_keys, holder_keys.delete_holder_keys, holder_keys.sweep_holder_keys),
        *(proposals.propose, gate.approve, gate.sign_key_proofs, gate.withdraw),
        *(actions.begin_adding_passkey, actions.propose_passkey),
        *(accounts.view_account, accounts.rename_passkey, accounts.lock_wallet, accounts.has_wallet),
        *(journal.read_journal, recovery.begin_recovery, recovery.lock_with_code, recovery.cancel_recovery),
        *(recovery.begin_recovery_passkey, recovery.recover),
    )
}
_LIBRARY_ERRORS: Final = [
    found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, ByoidError)
]
_ERRORS: Final[dict[str, type[ByoidError]]] = {
    error.__name__: error
    for error in (*_LIBRARY_ERRORS, Conflict, NotSignedIn, NotApproved, WalletLocked, TooEarly, LastPasskey)
}
_REFUSED: Final = 422
_TIMEOUT: Final = 10.0


class _Refusal(VaultMessage):
    """An error as it crosses the socket."""

    error: str
    message: str


@cache
def _messages(operation: Operation) -> tuple[type[BaseModel], type[BaseModel]]:
    """Return the classes of an operation's arguments and of its result, from its own signature."""
    hints = get_type_hints(operation)
    result = hints.pop("return")
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in list(inspect.signature(operation).parameters.items())[1:]
    }
    return (
        create_model(f"{operation.__name__}_arguments", __base__=VaultMessage, **fields),
        create_model(f"{operation.__name__}_result", __base__=VaultMessage, result=(result, ...)),
    )


def vault_app(vault: Vault) -> Starlette:
    """Return the vault's side of the socket."""

    async def serve(request: Request) -> Response:
        operation = _OPERATIONS.get(request.path_params["operation"])
        if operation is None:
            return Response(status_code=404)
        arguments, result = _messages(operation)
        try:
            asked = arguments.model_validate_json(await request.body())
            found = await operation(vault, **{name: getattr(asked, name) for name in arguments.model_fields})
        except ValidationError:
            return _refusal(MalformedInput("the arguments are not what the operation takes"))
        except ByoidError as error:
            return _refusal(error)
        return Response(result(result=found).model_dump_json(), media_type="application/json")

    return Starlette(routes=[Route("/{operation}", serve, methods=["POST"])])


def _refusal(error: ByoidError) -> Response:
    name = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS), "ByoidError")
    message = error.description if isinstance(error, OAuthError) else str(error)
    return Response(_Refusal(error=name, message=message).model_dump_json(), status_code=_REFUSED)


class RemoteDoor:
    """The way into a vault in another process."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    @classmethod
    def at(cls, socket: Path) -> "RemoteDoor":
        """Return the door to the vault that listens on a Unix socket."""
        transport = httpx2.AsyncHTTPTransport(uds=str(socket))
        return cls(httpx2.AsyncClient(transport=transport, base_url="http://vault", timeout=_TIMEOUT))

    async def run(
        self, operation: Callable[Concatenate[Vault, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run an operation there.

        Raises:
            PeerError: the vault doesn't answer.
            ByoidError: whatever the operation raised.
        """
        arguments, result = _messages(operation)
        names = dict(zip(arguments.model_fields, args, strict=False), **kwargs)
        try:
            answer = await self._client.post(f"/{operation.__name__}", content=arguments(**names).model_dump_json())
        except httpx2.HTTPError as error:
            raise PeerError(f"the vault doesn't answer: {type(error).__name__}") from error
        if answer.status_code == _REFUSED:
            refusal = _Refusal.model_validate_json(answer.content)
            raise _ERRORS[refusal.error](refusal.message)
        if not answer.is_success:
            raise PeerError(f"the vault answered {answer.status_code}", status=answer.status_code)
        return cast(T, getattr(result.model_validate_json(answer.content), "result"))  # noqa: B009  # made by create_model

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
