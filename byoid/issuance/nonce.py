"""The nonce endpoint's answer (OpenID4VCI 1.0 7). It is sent with `Cache-Control: no-store`; anyone may ask."""

from typing import Annotated

from pydantic import Field

from byoid.message import Message


class NonceResponse(Message):
    """A fresh challenge for key proofs (7.2)."""

    c_nonce: Annotated[str, Field(min_length=1, max_length=1024)]
