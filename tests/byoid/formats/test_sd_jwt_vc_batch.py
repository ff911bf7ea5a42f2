"""OpenID4VCI 3.3.2: credentials of one dataset differ in salts, holder key and place in a status list only."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from byoid.encoding import b64u_decode
from byoid.formats.sd_jwt_issue import ALL
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.formats.sd_jwt_vc_batch import SdJwtVcBatch
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey
from byoid.signing import sign_now

NOW = datetime(2026, 5, 20, tzinfo=UTC)


def test_credentials_of_a_batch_differ_in_salts_key_and_status_only(person):
    signer, keys = PrivateKey.generate(), [PrivateKey.generate().public for _ in range(3)]
    batch = SdJwtVcBatch(
        person, vct="urn:x", disclosable=ALL, algorithm="ES256", x5c=[b"leaf"], issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )  # fmt: skip

    texts = [
        sign_now(batch.prepare(holder_key=key.jwk, status=StatusReference("https://issuer.example/s", at)), signer)
        for at, key in enumerate(keys)
    ]

    held = [HeldSdJwtVc.from_text(text) for text in texts]
    assert [each.holder_key for each in held] == keys
    assert [each.status.index for each in held if each.status] == [0, 1, 2]
    assert len({text.partition(".")[0] for text in texts}) == 1
    common = [{name: value for name, value in each.claims.items() if name not in {"cnf", "status"}} for each in held]
    assert common[0] == common[1] == common[2]
    assert common[0].items() >= person.items()
    disclosures = [each for text in texts for each in text.split("~")[1:-1]]
    assert len({json.loads(b64u_decode(each))[0] for each in disclosures}) == len(disclosures)


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["iss", "iat", "exp", "cnf", "vct", "status"])
def test_claims_that_arguments_set_are_refused(name):
    with pytest.raises(ValueError, match="claims that arguments set"):
        SdJwtVcBatch({name: 1}, vct="urn:x", disclosable=ALL, algorithm="ES256")


@pytest.mark.hostile
def test_a_private_holder_key_is_refused():
    batch = SdJwtVcBatch({"name": "Erika"}, vct="urn:x", disclosable=ALL, algorithm="ES256")

    with pytest.raises(ValueError, match="public JWK"):
        batch.prepare(holder_key=PrivateKey.generate().to_jwk())
