"""Who asks: every client identifier prefix that the wallet believes, and what it knows about each."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from byoid.errors import ClaimMismatch, MalformedInput, UntrustedIssuer
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import prepare_status_list_token
from byoid.keys import PrivateKey
from byoid.presentation.verifier_attestation import prepare_verifier_attestation
from byoid.service.trust_files import load_signer
from byoid.signing import sign_now
from byoid.wire_errors import InvalidClient
from tests.peers.dishonest_verifier import URL, VerifierPeer, sd_jwt
from wallet.refusals import RequestRefused
from wallet.requests import Caution, parse_link
from wallet.verifier_files import load_verifiers

RESPONSE_URI = f"{URL}/responses/1"


def use(verifier: VerifierPeer, client_id: str, header: dict[str, Any] | None = None) -> None:
    verifier.claims["client_id"] = verifier.parameters["client_id"] = client_id
    if header is not None:
        verifier.header = header
        verifier.claims.pop("verifier_info", None)


@pytest.fixture
def verifiers(tmp_path: Path, pki: Path, holder: Any) -> Any:
    """The wallet's client, which knows a registered service with a key and one without, and an attester."""
    (tmp_path / "library.pem").write_bytes((pki / "access-library.pem").read_bytes())
    (tmp_path / "attester.pem").write_bytes((pki / "registrar.pem").read_bytes())
    (tmp_path / "verifiers.toml").write_text(
        f"""
        [[registered]]
        client_id = "library"
        name = "Public library"
        redirect_uris = ["{RESPONSE_URI}"]
        key = "library.pem"
        metadata = {{ vp_formats_supported = {{ "dc+sd-jwt" = {{}} }} }}

        [[registered]]
        client_id = "kiosk"
        name = "Kiosk"
        redirect_uris = ["{RESPONSE_URI}"]

        [[attestation_issuer]]
        iss = "https://attester.example"
        key = "attester.pem"
        """
    )
    client = holder.wallet.verifiers
    client.trust = load_verifiers(client.trust.anchors, tmp_path / "verifiers.toml")
    return client


async def test_a_name_of_the_certificate(holder: Any, verifier: VerifierPeer) -> None:
    use(verifier, "x509_san_dns:verifier.test")
    view = await holder.propose(verifier.link)
    assert (view.asker.party.key, view.asker.signed, view.cautions) == ("organisation:NTRDE-HRB100", True, ())
    assert (await holder.present(view)).delivered


@pytest.mark.parametrize("scheme", ["openid4vp://", "haip-vp://", "eudi-openid4vp://", "https://wallet.test/authorize"])
async def test_every_way_to_open_a_request(holder: Any, verifier: VerifierPeer, scheme: str) -> None:
    verifier.scheme = scheme
    assert (await holder.propose(verifier.link)).satisfiable


async def test_a_request_by_value(holder: Any, verifier: VerifierPeer) -> None:
    verifier.parameters = {"client_id": verifier.claims["client_id"], "request": verifier.request_object()}
    assert (await holder.present(await holder.propose(verifier.link))).delivered
    assert [request.url.path for request in verifier.requested] == ["/responses/1"]


async def test_somebody_who_does_not_sign(holder: Any, verifier: VerifierPeer) -> None:
    view = await holder.propose(verifier.unsigned().link)
    assert view.cautions == (Caution.UNSIGNED,)
    assert (view.asker.party.name, view.asker.party.key, view.asker.party.signed) == (
        "verifier.test",
        "host:verifier.test",
        False,
    )
    assert (await holder.present(view)).delivered


async def test_somebody_attested(holder: Any, verifier: VerifierPeer, verifiers: Any, pki: Path) -> None:
    key, now = PrivateKey.from_pem((pki / "registrar.key").read_bytes()), verifier.clock()
    unsigned = prepare_verifier_attestation(
        issuer="https://attester.example", client_id="shop", key=verifier.signer.public_jwk,
        algorithm=key.algorithm, issued_at=now, expires_at=now + timedelta(days=1), redirect_uris=[RESPONSE_URI],
    )  # fmt: skip
    use(verifier, "verifier_attestation:shop", {"jwt": sign_now(unsigned, key)})
    view = await holder.propose(verifier.link)
    assert view.cautions == (Caution.UNREGISTERED,)
    assert view.asker.party.key == "verifier_attestation:shop"
    assert (await holder.present(view)).delivered


async def test_somebody_registered_who_signs(holder: Any, verifier: VerifierPeer, verifiers: Any) -> None:
    use(verifier, "library", {})
    verifier.claims["response_mode"] = "direct_post"
    del verifier.claims["client_metadata"]
    view = await holder.propose(verifier.link)
    assert (view.asker.party.name, view.asker.registered, view.cautions) == ("Public library", True, ())
    assert (await holder.present(view)).delivered


async def test_somebody_registered_who_does_not_sign(holder: Any, verifier: VerifierPeer, verifiers: Any) -> None:
    use(verifier, "kiosk", {})
    verifier.claims["response_mode"] = "direct_post"
    del verifier.claims["client_metadata"]
    verifier.link_text = verifier.by_value()
    view = await holder.propose(verifier.link)
    assert (view.asker.party.name, view.cautions) == ("Kiosk", (Caution.UNSIGNED,))


@pytest.mark.hostile
async def test_somebody_registered_brings_no_metadata(holder: Any, verifier: VerifierPeer, verifiers: Any) -> None:
    use(verifier, "library", {})
    with pytest.raises(RequestRefused) as refused:
        await holder.propose(verifier.link)
    assert type(refused.value.error) is InvalidClient


async def test_somebody_registered_without_metadata_brings_them(
    holder: Any, verifier: VerifierPeer, verifiers: Any
) -> None:
    registered = {"library": replace(verifiers.trust.registered["library"], metadata=None)}
    verifiers.trust = replace(verifiers.trust, registered=registered)
    use(verifier, "library", {})
    assert (await holder.present(await holder.propose(verifier.link))).delivered
    assert "pid" in verifier.opened()["vp_token"]


@pytest.mark.hostile
async def test_a_registered_key_does_not_fit_another_client(
    holder: Any, verifier: VerifierPeer, verifiers: Any
) -> None:
    use(verifier, "kiosk", {})
    with pytest.raises(UntrustedIssuer):
        await holder.propose(verifier.link)


@pytest.mark.hostile
async def test_an_attestation_for_another_client(
    holder: Any, verifier: VerifierPeer, verifiers: Any, pki: Path
) -> None:
    key, now = PrivateKey.from_pem((pki / "registrar.key").read_bytes()), verifier.clock()
    unsigned = prepare_verifier_attestation(
        issuer="https://attester.example", client_id="shop", key=verifier.signer.public_jwk,
        algorithm=key.algorithm, issued_at=now, expires_at=now + timedelta(days=1),
    )  # fmt: skip
    use(verifier, "verifier_attestation:bank", {"jwt": sign_now(unsigned, key)})
    with pytest.raises(ClaimMismatch):
        await holder.propose(verifier.link)


@pytest.mark.parametrize(
    "content", ["[[registered]]", "nonsense", "unknown = 1", '[[attestation_issuer]]\niss = "x"\nkey = "none.pem"']
)
def test_a_verifiers_file_with_a_mistake_is_named(tmp_path: Path, holder: Any, content: str) -> None:
    path = tmp_path / "verifiers.toml"
    path.write_text(content)
    with pytest.raises(MalformedInput, match=r"verifiers\.toml"):
        load_verifiers(holder.wallet.trust.anchors, path)


def test_http_is_opened_on_this_machine_only_where_allowed() -> None:
    link = "http://localhost:8003/authorize?client_id=x&request=e30"
    assert parse_link(link, allow_loopback_http=True)
    with pytest.raises(MalformedInput):
        parse_link(link)


async def test_trusted_authorities_choose_the_card(holder: Any, verifier: VerifierPeer) -> None:
    for values, fits in ((["AAAA"], False), (["demo"], True)):
        asked = sd_jwt("pid", "given_name", trusted_authorities=[{"type": "etsi_tl", "values": values}])
        assert (await holder.propose(verifier.ask(asked).link)).satisfiable is fits


async def test_an_intermediary_is_noted_and_the_service_named(holder: Any, verifier: VerifierPeer) -> None:
    registration = verifier.registration(sub="NTRDE-SHOP", intermediary={"sub": "NTRDE-HRB100", "sname": "Broker"})
    verifier.claims["verifier_info"] = [{"format": "registration_cert", "data": registration}]
    party = (await holder.propose(verifier.link)).asker.party
    assert party.key == "organisation:NTRDE-SHOP"
    assert (party.intermediary_name, party.intermediary_identifier) == ("Broker", "NTRDE-HRB100")


@pytest.mark.parametrize(
    ("value", "signer", "cautions"),
    [
        (0, "registrar", ()),
        (1, "registrar", (Caution.REGISTRATION_REFUSED, Caution.UNREGISTERED)),
        (2, "registrar", (Caution.REGISTRATION_REFUSED, Caution.UNREGISTERED)),
        (0, "access-shop", (Caution.REGISTRATION_REFUSED, Caution.UNREGISTERED)),
        (None, "registrar", (Caution.REGISTRATION_REFUSED, Caution.UNREGISTERED)),
    ],
)
async def test_a_registration_that_was_revoked_counts_as_none(
    holder: Any, verifier: VerifierPeer, pki: Path, value: int | None, signer: str, cautions: tuple[Caution, ...]
) -> None:
    status = {"status_list": {"uri": f"{URL}/status", "idx": 7}}
    registration = verifier.registration(status=status)
    verifier.claims["verifier_info"] = [{"format": "registration_cert", "data": registration}]
    if value is not None:
        array = StatusArray.of_size(16, bits=2)
        array.set_status(7, value)
        key = load_signer(pki / f"{signer}.key", pki / f"{signer}.pem")
        unsigned = prepare_status_list_token(
            array, uri=f"{URL}/status", issued_at=verifier.clock(), expires_at=verifier.clock() + timedelta(hours=1),
            ttl=timedelta(minutes=5), algorithm=key.algorithm, x5c=key.x5c,
        )  # fmt: skip
        verifier.status_list = sign_now(unsigned, key.key)
    view = await holder.propose(verifier.link)
    assert view.cautions == cautions
    assert view.asker.party.name == ("Stadtb\u00fccherei" if not cautions else "Stadtb\u00fccherei Lindenmoor")
    assert bool(view.asker.purpose) is not bool(cautions)


@pytest.mark.hostile
async def test_a_registration_whose_status_nobody_can_look_up_counts_as_none(
    holder: Any, verifier: VerifierPeer
) -> None:
    registration = verifier.registration(status={"other_list": {"id": "x"}})
    verifier.claims["verifier_info"] = [{"format": "registration_cert", "data": registration}]

    view = await holder.propose(verifier.link)

    assert view.cautions == (Caution.REGISTRATION_REFUSED, Caution.UNREGISTERED)
