"""Two-phase signing: the key never meets what it signs, only bytes."""

from byoid.jose import parse_jws, prepare_jws, verify_jws
from byoid.keys import PrivateKey
from byoid.signing import Signer, SoftwareSigner, sign, sign_now


async def test_a_signer_completes_what_was_prepared() -> None:
    signer = SoftwareSigner(PrivateKey.generate(), x5c=(b"leaf",))

    jws = await sign(prepare_jws({"a": 1}, algorithm=signer.algorithm, typ="dc+sd-jwt"), signer)

    assert verify_jws(jws, signer.key.public, algorithms={"ES256"}, typ="dc+sd-jwt").claims == {"a": 1}
    assert isinstance(signer, Signer)
    assert signer.public_jwk == signer.key.public.jwk
    assert signer.x5c == (b"leaf",)


def test_signing_in_memory_needs_no_event_loop() -> None:
    key = PrivateKey.generate()
    unsigned = prepare_jws(b"content", algorithm="ES256", typ=None)

    assert parse_jws(sign_now(unsigned, key)).signing_input == unsigned.signing_input
