"""RFC 9901 sections 4.3 and 7.3, OpenID4VP B.3.3.1: the holder's proof, for this nonce, audience and transaction."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from byoid.encoding import b64u_encode
from byoid.errors import BadSignature, HolderBindingError, MalformedInput, WrongType
from byoid.formats.holder_binding import HolderBinding
from byoid.formats.sd_jwt import parse_sd_jwt
from byoid.formats.sd_jwt_key_binding import prepare_key_binding, verify_key_binding
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.jose import parse_jws
from byoid.keys import PrivateKey, PublicKey


def verify(forge, presentation: str, **changes: Any):
    expected = {
        "holder_key": forge.holder.public,
        "hash_name": "sha-256",
        "binding": HolderBinding(forge.audience, forge.nonce),
        "now": forge.now,
        "leeway": timedelta(seconds=60),
        "algorithms": {"ES256"},
    } | changes
    return verify_key_binding(parse_sd_jwt(presentation), **expected)


@pytest.fixture
def sd_jwt(forge) -> str:
    disclosure = forge.disclosure("salt", "name", "Erika")
    return forge.sign(forge.payload(_sd=[forge.digest(disclosure)]), disclosure)


def transaction(**members: Any) -> str:
    return b64u_encode(json.dumps({"type": "payment", "credential_ids": ["card"]} | members).encode())


def test_key_binding_has_the_four_claims_and_the_type(forge, sd_jwt):
    presentation = forge.present(sd_jwt)

    jws = parse_jws(presentation.rpartition("~")[2])
    assert jws.header == {"alg": "ES256", "typ": "kb+jwt"}
    assert jws.claims() == {
        "iat": forge.seconds,
        "aud": forge.audience,
        "nonce": forge.nonce,
        "sd_hash": forge.digest(sd_jwt),
    }
    assert presentation.startswith(sd_jwt)
    verify(forge, presentation)


def test_example_of_the_rfc_is_bound_to_its_nonce_and_audience(vectors):
    examples = json.loads((vectors / "rfc9901/presentations.json").read_text())
    key = PublicKey.from_jwk(examples["A.4"]["claims"]["cnf"]["jwk"])
    binding = HolderBinding("https://verifier.example.org", "1234567890")

    for section, seconds in (("5", 1702316015), ("A.4", 1748537244)):
        verify_key_binding(
            parse_sd_jwt(examples[section]["presentation"]),
            holder_key=key,
            hash_name="sha-256",
            binding=binding,
            now=datetime.fromtimestamp(seconds, UTC),
            leeway=timedelta(0),
            algorithms={"ES256"},
        )


@pytest.mark.parametrize("name", ["sha-384", "sha-512"])
def test_sd_hash_uses_the_hash_algorithm_of_the_sd_jwt(name, forge):
    sd_jwt = forge.sign(forge.payload(_sd_alg=name))
    presentation = forge.present(sd_jwt)

    claims = parse_jws(presentation.rpartition("~")[2]).claims()
    assert claims["sd_hash"] == forge.digest(sd_jwt, name.replace("-", ""))
    verify(forge, presentation, hash_name=name)
    with pytest.raises(HolderBindingError):
        verify(forge, presentation, hash_name="sha-256")


def test_a_holder_who_knows_the_hash_algorithm_need_not_read_it_again(forge):
    sd_jwt = forge.sign(forge.payload(_sd_alg="sha-512"))
    common = {"audience": forge.audience, "nonce": forge.nonce, "issued_at": forge.now, "algorithm": "ES256"}

    assert HeldSdJwtVc.from_text(sd_jwt).hash_name == "sha-512"
    known = prepare_key_binding(sd_jwt, hash_name="sha-512", **common)
    assert known.signing_input == prepare_key_binding(sd_jwt, **common).signing_input


def test_time_may_differ_by_the_leeway_and_age_by_the_binding(forge, sd_jwt):
    hour = HolderBinding(forge.audience, forge.nonce, max_age=timedelta(hours=1))

    verify(forge, forge.bind(sd_jwt, iat=forge.seconds + 60))
    verify(forge, forge.bind(sd_jwt, iat=forge.seconds - 660))
    verify(forge, forge.bind(sd_jwt, iat=forge.seconds - 3600), binding=hour)
    with pytest.raises(HolderBindingError):
        verify(forge, forge.bind(sd_jwt, iat=forge.seconds - 3661), binding=hour)


UNBOUND: dict[str, dict[str, Any]] = {
    "nonce of another transaction": {"nonce": "another"},
    "nonce missing": {"nonce": ...},
    "nonce is a number": {"nonce": 7},
    "nonce is a list": {"nonce": ["n-0S6_WzA2Mj"]},
    "audience of another verifier": {"aud": "x509_hash:other"},
    "audience missing": {"aud": ...},
    "audience is a list": {"aud": ["x509_hash:verifier"]},
    "sd_hash of another presentation": {"sd_hash": "x" * 43},
    "sd_hash missing": {"sd_hash": ...},
    "sd_hash is null": {"sd_hash": None},
    "iat missing": {"iat": ...},
    "iat too old": {"iat": 1_700_000_000},
    "iat in the future": {"iat": 4_000_000_000},
}


@pytest.mark.hostile
@pytest.mark.parametrize("defect", UNBOUND)
def test_a_key_binding_jwt_for_something_else_is_refused(defect, forge, sd_jwt):
    with pytest.raises(HolderBindingError):
        verify(forge, forge.bind(sd_jwt, **UNBOUND[defect]))


@pytest.mark.hostile
def test_a_presentation_without_key_binding_is_refused(forge, sd_jwt):
    with pytest.raises(HolderBindingError):
        verify(forge, sd_jwt)


@pytest.mark.hostile
def test_a_disclosure_taken_out_breaks_the_binding(forge, sd_jwt):
    jwt, _, key_binding = forge.present(sd_jwt).split("~")
    with pytest.raises(HolderBindingError):
        verify(forge, f"{jwt}~{key_binding}")


@pytest.mark.hostile
def test_a_disclosure_added_breaks_the_binding(forge, sd_jwt):
    jwt, disclosure, _ = sd_jwt.split("~")
    key_binding = forge.present(f"{jwt}~").rpartition("~")[2]
    with pytest.raises(HolderBindingError):
        verify(forge, f"{jwt}~{disclosure}~{key_binding}")


@pytest.mark.hostile
@pytest.mark.parametrize("typ", ["JWT", "dc+sd-jwt", "openid4vci-proof+jwt", "kb+sd-jwt"])
def test_another_type_of_token_is_no_key_binding(typ, forge, sd_jwt):
    with pytest.raises(WrongType):
        verify(forge, forge.bind(sd_jwt, typ=typ))


@pytest.mark.hostile
def test_another_key_than_the_credentials_is_refused(forge, sd_jwt):
    with pytest.raises(BadSignature, match="bound to"):
        verify(forge, forge.bind(sd_jwt, key=PrivateKey.generate()))


@pytest.mark.hostile
def test_an_algorithm_that_is_not_allowed_is_refused(forge, sd_jwt):
    with pytest.raises(WrongType):
        verify(forge, forge.bind(sd_jwt), algorithms={"ES384"})


@pytest.mark.hostile
@pytest.mark.parametrize("iat", ["now", True, None, []], ids=repr)
def test_a_time_of_the_wrong_kind_is_refused(iat, forge, sd_jwt):
    with pytest.raises(MalformedInput):
        verify(forge, forge.bind(sd_jwt, iat=iat))


@pytest.mark.hostile
@pytest.mark.parametrize("text", ["no tilde", "a.b.c~d"])
def test_only_an_sd_jwt_without_key_binding_can_be_bound(text, forge):
    with pytest.raises(MalformedInput):
        prepare_key_binding(text, audience="a", nonce="n", issued_at=forge.now, algorithm="ES256")


@pytest.mark.hostile
def test_a_hash_algorithm_that_the_wallet_does_not_know_cannot_be_bound(forge):
    with pytest.raises(WrongType):
        forge.present(forge.sign(forge.payload(_sd_alg="md5")))


# --- transaction data


def test_transaction_data_are_hashed_as_strings_in_their_order(forge, sd_jwt):
    data = [transaction(amount=1), transaction(amount=2)]

    presentation = forge.present(sd_jwt, transaction_data=data)

    claims = parse_jws(presentation.rpartition("~")[2]).claims()
    assert claims["transaction_data_hashes"] == [forge.digest(each) for each in data]
    assert "transaction_data_hashes_alg" not in claims
    verify(forge, presentation, transaction_data=data)


def test_hash_algorithm_that_the_request_names_is_used_and_echoed(forge, sd_jwt):
    data = [transaction(transaction_data_hashes_alg=["sha-512", "sha-256"]), transaction()]

    presentation = forge.present(sd_jwt, transaction_data=data, transaction_data_hashes_alg="sha-256")

    assert parse_jws(presentation.rpartition("~")[2]).claims()["transaction_data_hashes_alg"] == "sha-256"
    verify(forge, presentation, transaction_data=data)
    strong = forge.present(sd_jwt, transaction_data=data[:1], transaction_data_hashes_alg="sha-512")
    verify(forge, strong, transaction_data=data[:1])
    with pytest.raises(HolderBindingError):  # the second names none, so it must be hashed with sha-256
        verify(
            forge,
            forge.present(sd_jwt, transaction_data=data, transaction_data_hashes_alg="sha-512"),
            transaction_data=data,
        )


ONE, TWO = transaction(amount=1), transaction(amount=2)
NAMED = transaction(transaction_data_hashes_alg=["sha-256"])
DISTANT = transaction(transaction_data_hashes_alg=["sha3-256"])


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("sent", "signed", "algorithm"),
    [
        ([ONE, TWO], [TWO, ONE], None),
        ([ONE, TWO], [ONE], None),
        ([ONE], [ONE, TWO], None),
        ([ONE], [TWO], None),
        ([ONE], [], None),
        ([ONE], [ONE], "sha-512"),
        ([NAMED], [NAMED], None),
        ([NAMED], [NAMED], "sha-384"),
        ([DISTANT], [DISTANT], "sha-256"),
    ],
    ids=[
        "another order", "one missing", "one too many", "another transaction", "none signed",
        "algorithm not asked for", "algorithm not echoed", "algorithm not allowed", "no algorithm in common",
    ],
)  # fmt: skip
def test_transaction_data_other_than_those_sent_are_refused(sent, signed, algorithm, forge, sd_jwt):
    presentation = forge.present(sd_jwt, transaction_data=signed, transaction_data_hashes_alg=algorithm)
    with pytest.raises(HolderBindingError):
        verify(forge, presentation, transaction_data=sent)


@pytest.mark.hostile
@pytest.mark.parametrize("value", ["hash", [1], None, {}], ids=repr)
def test_transaction_data_hashes_of_the_wrong_kind_are_refused(value, forge, sd_jwt):
    with pytest.raises(HolderBindingError):
        verify(forge, forge.bind(sd_jwt, transaction_data_hashes=value), transaction_data=[ONE])


@pytest.mark.hostile
@pytest.mark.parametrize("value", [["sha-256"], 256, {}], ids=repr)
def test_a_hash_algorithm_echoed_as_something_else_is_refused(value, forge, sd_jwt):
    bound = forge.bind(sd_jwt, transaction_data_hashes=[forge.digest(ONE)], transaction_data_hashes_alg=value)
    with pytest.raises(HolderBindingError):
        verify(forge, bound, transaction_data=[ONE])


@pytest.mark.hostile
@pytest.mark.parametrize("value", [[], "sha-256", [1]], ids=repr)
def test_transaction_data_with_a_malformed_algorithm_list_are_refused(value, forge, sd_jwt):
    with pytest.raises(MalformedInput):
        verify(forge, forge.present(sd_jwt), transaction_data=[transaction(transaction_data_hashes_alg=value)])


@pytest.mark.hostile
@pytest.mark.parametrize("text", ["e30.e30.sig", "e30.e30~", "e30.e30.sig~disclosure", ""])
def test_only_an_sd_jwt_that_ends_with_a_tilde_is_bound(text, forge):
    with pytest.raises(MalformedInput):
        prepare_key_binding(text, audience="a", nonce="n", issued_at=forge.now, algorithm="ES256")
