"""Embedded disclosure policies: the issuer's wish is looked up in the registration, told, and left to the citizen."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.peers.dishonest_verifier import PID, VerifierPeer
from wallet.asked import Choice, ChoiceRefused, ConsentView
from wallet.consent import choose
from wallet.requests import Caution

PASS = "urn:example:library-pass"
PROVIDER = "https://uri.etsi.org/19475/Entitlement/Service_Provider"
HEALTH = "https://uri.etsi.org/19475/Entitlement/Other"


def only_for(*parties: dict[str, str]) -> dict[str, Any]:
    return {"policy_uri": "urn:policy:1", "policy_type": "authorized_rp_only", "authorized_parties": list(parties)}


def under(*roots: dict[str, str]) -> dict[str, Any]:
    return {"policy_uri": "urn:policy:2", "policy_type": "specific_root_of_trust", "trusted_roots": list(roots)}


def root(pki: Path, name: str, **changes: str) -> dict[str, str]:
    certificate = x509.load_pem_x509_certificate((pki / f"{name}.pem").read_bytes())
    found = {"issuer_dn": certificate.issuer.rfc4514_string(), "serial_number": str(certificate.serial_number)}
    return {**found, **changes}


async def asked(new_holder: Any, verifier: VerifierPeer, policy: dict[str, Any], vct: str = PASS) -> tuple[Any, Any]:
    """Hold one card with this policy, and be asked for it."""
    holder = await new_holder()
    await holder.add_sd_jwt(vct=vct, policy=policy)
    verifier.claims["dcql_query"]["credentials"][0]["meta"]["vct_values"] = [vct]
    return holder, await holder.propose(verifier.link)


def objections(view: ConsentView) -> list[Any]:
    return [option.objection for each in view.credentials for option in each.options]


@pytest.mark.parametrize(
    "policy",
    [
        {"policy_type": "no_policy"},
        only_for({"identifier": "NTRDE-HRB100"}),
        only_for({"sub": "NTRDE-HRB100"}),
        only_for({"identifier": "NTRDE-OTHER"}, {"entitlement_uri": PROVIDER}),
        {"policy_uri": "urn:policy:1", "policy_data": only_for({"identifier": "NTRDE-HRB100"})},
    ],
    ids=["no-policy", "by-identifier", "by-sub", "by-entitlement", "in-policy-data"],
)
async def test_whom_the_issuer_allows_needs_no_warning(
    new_holder: Any, verifier: VerifierPeer, policy: dict[str, Any]
) -> None:
    _, view = await asked(new_holder, verifier, policy)

    assert objections(view) == [None]
    assert Caution.DISCLOSURE_POLICY not in view.cautions


@pytest.mark.parametrize("name", ["registration-root", "registrar"])
async def test_a_registration_under_the_root_that_the_issuer_names(
    new_holder: Any, verifier: VerifierPeer, pki: Path, name: str
) -> None:
    _, view = await asked(new_holder, verifier, under(root(pki, name)))

    assert objections(view) == [None]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "policy",
    [
        only_for({"identifier": "NTRDE-OTHER"}),
        only_for({"entitlement_uri": HEALTH}),
        only_for({"entitlement_uri": PROVIDER.lower()}),
        only_for({"subject_dn": "CN=Stadtb\u00fccherei Lindenmoor"}),
        only_for(),
        under(),
        under({"issuer_dn": "CN=Somebody", "serial_number": "1"}),
        under({"issuer_dn": "no name", "serial_number": "one"}),
    ],
    ids=["another", "not-entitled", "almost-entitled", "by-access-certificate", "nobody", "no-root", "another-root",
         "no-certificate"],
)  # fmt: skip
async def test_the_citizen_is_warned_and_decides(
    new_holder: Any, verifier: VerifierPeer, policy: dict[str, Any]
) -> None:
    policy |= {"description": "Libraries only", "policy_info_url": "https://issuer.example/policy"}
    holder, view = await asked(new_holder, verifier, policy)
    (told,) = objections(view)
    assert (told.readable, told.description, told.info_url) == (True, "Libraries only", policy["policy_info_url"])
    assert Caution.DISCLOSURE_POLICY in view.cautions
    others = tuple(each for each in view.cautions if each is not Caution.DISCLOSURE_POLICY)
    with pytest.raises(ChoiceRefused):
        choice = Choice(cards=view.suggested, accepted_cautions=others)
        await choose(holder.wallet, await holder.visit(), view.id, choice)

    presented = await holder.present(view)

    assert presented.delivered
    assert Caution.DISCLOSURE_POLICY in presented.item.entry.warnings


@pytest.mark.hostile
async def test_an_unregistered_service_is_not_among_those_whom_the_issuer_allows(
    new_holder: Any, verifier: VerifierPeer
) -> None:
    verifier.claims.pop("verifier_info")
    _, view = await asked(new_holder, verifier, only_for({"identifier": "NTRDE-HRB100"}))

    assert Caution.DISCLOSURE_POLICY in view.cautions


@pytest.mark.hostile
@pytest.mark.parametrize(
    "policy",
    [{"policy_type": "whom_we_like"}, {"policy_uri": "urn:policy:1"}, {"policy_data": []}, {}],
    ids=["unknown-type", "reference-only", "no-object", "empty"],
)
async def test_a_policy_that_cannot_be_read_is_said_so(
    new_holder: Any, verifier: VerifierPeer, policy: dict[str, Any]
) -> None:
    _, view = await asked(new_holder, verifier, policy)

    assert [each.readable for each in objections(view)] == [False]
    assert Caution.DISCLOSURE_POLICY in view.cautions


async def test_a_pid_has_no_policy(new_holder: Any, verifier: VerifierPeer) -> None:
    _, view = await asked(new_holder, verifier, only_for(), vct=PID)

    assert objections(view) == [None]


@pytest.mark.hostile
async def test_where_a_policy_is_explained_must_be_the_web(new_holder: Any, verifier: VerifierPeer) -> None:
    _, view = await asked(new_holder, verifier, {**only_for(), "policy_info_url": "javascript:alert(1)"})

    assert objections(view)[0].info_url is None


async def test_a_card_that_is_welcome_is_suggested_first(new_holder: Any, verifier: VerifierPeer) -> None:
    holder = await new_holder()
    welcome = await holder.add_sd_jwt(vct=PASS)
    await holder.add_sd_jwt(vct=PASS, policy=only_for())
    verifier.claims["dcql_query"]["credentials"][0]["meta"]["vct_values"] = [PASS]
    view = await holder.propose(verifier.link)

    assert view.suggested == {view.credentials[0].id: (welcome,)}
