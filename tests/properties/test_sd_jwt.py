"""SD-JWT under random claims, random choices, flipped bits and junk."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byoid.claims import ClaimPath
from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import ByoidError, VerificationError
from byoid.formats.holder_binding import HolderBinding, NoHolderBinding
from byoid.formats.sd_jwt import parse_sd_jwt, process
from byoid.formats.sd_jwt_vc import (
    ALL,
    HeldSdJwtVc,
    prepare_key_binding,
    prepare_sd_jwt_vc,
    verify_sd_jwt_vc,
)
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey
from byoid.signing import sign_now

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ISSUER, HOLDER = PrivateKey.generate(), PrivateKey.generate()
BINDING = HolderBinding("x509_hash:verifier", "nonce")
REGISTERED = frozenset({"vct", "cnf", "iss", "iat", "nbf", "exp", "status", "aka_vcts", "vct#integrity"})

names = st.text(max_size=8).filter(lambda name: name not in REGISTERED | {"_sd", "...", "_sd_alg"})
numbers = st.integers(-(10**38), 10**38)  # longer ones are refused when they are read
scalars = st.none() | st.booleans() | numbers | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=15
)
claim_sets = st.dictionaries(names, values, max_size=6)


def places(value: Any, path: ClaimPath = ()) -> list[ClaimPath]:
    """Every concrete path in the claims."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    for key, member in members:
        found += places(member, (*path, key))
    return found


def keep(value: Any, chosen: set[ClaimPath], hidden: set[ClaimPath], path: ClaimPath = ()) -> Any:
    """The slow, obvious definition of what a presentation shows: what is chosen, what is in it, and what is open."""
    whole = any(path[:length] in chosen for length in range(1, len(path) + 1))

    def shown(key: Any) -> bool:
        place = (*path, key)
        return whole or place not in hidden or any(each[: len(place)] == place for each in chosen)

    if isinstance(value, dict):
        return {key: keep(each, chosen, hidden, (*path, key)) for key, each in value.items() if shown(key)}
    if isinstance(value, list):
        return [keep(each, chosen, hidden, (*path, key)) for key, each in enumerate(value) if shown(key)]
    return value


def issue(claims: dict[str, Any], disclosable: Any = ALL, decoys: int = 0) -> str:
    return sign_now(
        prepare_sd_jwt_vc(
            claims,
            vct="urn:x",
            disclosable=disclosable,
            algorithm="ES256",
            holder_key=HOLDER.public.jwk,
            decoys=decoys,
        ),
        ISSUER,
    )


def present(sd_jwt: str) -> str:
    return sign_now(
        prepare_key_binding(sd_jwt, audience=BINDING.audience, nonce=BINDING.nonce, issued_at=NOW, algorithm="ES256"),
        HOLDER,
    )


def verify(text: str, binding: HolderBinding | NoHolderBinding = BINDING):
    return verify_sd_jwt_vc(text, issuer_key=ISSUER.public, binding=binding, now=NOW, leeway=timedelta(seconds=1))


def subject(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in REGISTERED}


@given(claims=claim_sets, data=st.data())
def test_a_presentation_shows_exactly_the_chosen_claims(claims, data):
    paths = places(claims)
    some = st.lists(st.sampled_from(paths), unique=True) if paths else st.just([])
    hidden = data.draw(st.just(paths) | some)
    chosen = data.draw(some)
    held = HeldSdJwtVc.from_text(issue(claims, ALL if hidden == paths else hidden, data.draw(st.integers(0, 3))))

    verified = verify(present(held.present(chosen)))

    assert subject(held.claims) == claims
    assert subject(verified.claims) == keep(claims, set(chosen), set(hidden))


def markers(value: Any, path: ClaimPath = ()) -> Any:
    """The same structure with a text at every leaf, and in every name, that occurs nowhere else."""
    if isinstance(value, dict):
        return {
            f"name-{'/'.join(map(str, path))}/{index}": markers(each, (*path, index))
            for index, each in enumerate(value.values())
        }
    if isinstance(value, list):
        return [markers(each, (*path, index)) for index, each in enumerate(value)]
    return f"value-{'/'.join(map(str, path))}-end"


@given(claims=claim_sets, data=st.data())
def test_nothing_undisclosed_appears_in_the_bytes(claims, data):
    marked = markers(claims)
    paths = places(marked)
    chosen = data.draw(st.lists(st.sampled_from(paths), unique=True)) if paths else []

    presentation = HeldSdJwtVc.from_text(issue(marked)).present(chosen)

    sd_jwt = parse_sd_jwt(presentation)
    disclosed = " ".join(b64u_decode(each).decode() for each in sd_jwt.disclosures)
    seen = sd_jwt.jws.payload.decode() + disclosed
    shown = json.dumps(keep(marked, set(chosen), set(paths)))
    for path in paths:
        name = path[-1]
        if isinstance(name, str) and f'"{name}"' not in shown:
            assert f'"{name}"' not in seen
    for leaf in (each for each in json.dumps(marked).split('"') if each.startswith("value-")):
        assert (leaf in seen) == (leaf in shown)


PRESENTATION = present(
    HeldSdJwtVc.from_text(issue({"a": 1, "b": {"c": [1, 2]}, "d": "secret"})).present([("a",), ("b", "c", 0)])
)


@given(at=st.integers(0, len(PRESENTATION) - 1), bit=st.integers(0, 6))
@settings(max_examples=200)
def test_a_flipped_bit_anywhere_is_refused(at, bit):
    flipped = chr(ord(PRESENTATION[at]) ^ 1 << bit)
    with pytest.raises(ByoidError):
        verify(PRESENTATION[:at] + flipped + PRESENTATION[at + 1 :])


@given(part=st.integers(0, 5), at=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=200)
def test_a_flipped_bit_in_what_the_text_encodes_is_refused(part, at, bit):
    """The same below base64url: in header, payload, signature, and in every disclosure."""
    tilde_parts = PRESENTATION.split("~")
    tilde_at = part % len(tilde_parts)
    dots = tilde_parts[tilde_at].split(".")
    dot_at = at % len(dots)
    raw = bytearray(b64u_decode(dots[dot_at]))
    raw[at % len(raw)] ^= 1 << bit
    dots[dot_at] = b64u_encode(bytes(raw))
    tilde_parts[tilde_at] = ".".join(dots)
    with pytest.raises(ByoidError):
        verify("~".join(tilde_parts))


@given(order=st.permutations(range(4)))
def test_disclosures_in_another_order_break_only_the_binding(order):
    jwt, *disclosures, key_binding = PRESENTATION.split("~")
    assert len(disclosures) == 4
    shuffled = "~".join([jwt, *(disclosures[index] for index in order), key_binding])

    assert verify(shuffled, NoHolderBinding()).claims == verify(PRESENTATION).claims
    if list(order) != sorted(order):
        with pytest.raises(VerificationError):
            verify(shuffled)


@given(text=st.text() | st.from_regex(r"[A-Za-z0-9_.~-]{0,80}", fullmatch=True))
def test_junk_is_refused_by_name(text):
    for read in (lambda: verify(text), lambda: verify(text, NoHolderBinding()), lambda: HeldSdJwtVc.from_text(text)):
        with pytest.raises(ByoidError):
            read()


anything = st.recursive(
    scalars | st.sampled_from(["_sd", "...", "x" * 43]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names | st.sampled_from(["_sd", "...", "_sd_alg", *sorted(REGISTERED)]), inner, max_size=4)
    ),
    max_leaves=20,
)
payloads = st.dictionaries(
    st.sampled_from(["_sd", "...", "_sd_alg", *sorted(REGISTERED)]) | names, anything, max_size=6
)


@given(payload=payloads, disclosures=st.lists(anything.map(lambda value: b64u_encode(json.dumps(value).encode()))))
def test_whatever_an_issuer_signs_is_processed_or_refused_by_name(payload, disclosures):
    try:
        process(payload, disclosures, always_disclosed=REGISTERED)
    except ByoidError:
        pass


@given(payload=payloads)
@settings(max_examples=200)
def test_whatever_an_issuer_signs_is_verified_or_refused_by_name(payload):
    text = sign_now(prepare_jws(payload, algorithm="ES256", typ="dc+sd-jwt"), ISSUER) + "~"
    for binding in (NoHolderBinding(), BINDING):
        try:
            verify(text, binding)
        except ByoidError:
            continue
