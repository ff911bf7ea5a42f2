"""Cards that come in a file are believed from the same issuers as cards that are received (CIR 2024/2977)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from byoid.encoding import json_dumps
from byoid.formats.sd_jwt_vc import ALL, prepare_sd_jwt_vc
from byoid.keys import PrivateKey
from byoid.oauth.jwt import Trust
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from byoid.trust.x509 import ChainCache
from wallet import portability
from wallet.portability import encrypt, import_wallet

PASSPHRASE = "correct horse battery staple"


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("vct", "also", "kept"),
    [
        ("urn:eudi:pid:1", None, 0),
        ("urn:example:membership:1", ["urn:eudi:pid:1"], 0),
        ("urn:example:membership:1", None, 1),
    ],
)
async def test_a_signer_of_attestations_makes_no_person_identification_data_in_a_file(
    holder: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, vct: str, also: list[str] | None, kept: int
) -> None:
    monkeypatch.setattr(portability, "ROUNDS", 1000)
    key, begin = PrivateKey.generate(), clock() - timedelta(days=1)
    authority = make_root(SubjectName("University"), key=PrivateKey.generate(), now=begin)
    leaf = make_leaf(authority, SubjectName("U"), key=key.public, purpose=Purpose.ATTESTATION, now=begin)
    anchors = holder.wallet.trust.anchors.union(authority.anchor(Purpose.ATTESTATION, source="universities"))
    wallet = replace(holder.wallet, trust=Trust(anchors, ChainCache()))
    unsigned = prepare_sd_jwt_vc(
        {"family_name": "Dahl", **({"aka_vcts": also} if also else {})}, holder_key=None, vct=vct,
        disclosable=ALL, algorithm="ES256", x5c=to_der(leaf),
        issued_at=clock(), expires_at=clock() + timedelta(days=9),
    )  # fmt: skip
    cards = [{"format": "dc+sd-jwt", "credential": sign_now(unsigned, key)}]
    file = await encrypt(json_dumps({"transactionLog": [], "nonDeviceBoundCredentials": cards}), PASSPHRASE)

    imported = await import_wallet(wallet, await holder.visit(), file, PASSPHRASE)

    assert (imported.cards, imported.skipped) == (kept, 1 - kept)
