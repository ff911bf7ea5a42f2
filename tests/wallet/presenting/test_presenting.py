"""From link to response: what the citizen sees, what leaves, and what the history says."""

from typing import Any

from byoid.encoding import b64u_decode
from byoid.formats.mdoc.structures import parse_device_response
from byoid.formats.sd_jwt_vc import parse_sd_jwt_vc
from tests.peers.dishonest_verifier import VerifierPeer, mdoc, sd_jwt
from wallet.history import Result, load_history


async def test_sd_jwt_is_presented_with_exactly_what_was_shown(holder: Any, verifier: VerifierPeer) -> None:
    view = await holder.propose(verifier.ask(sd_jwt("pid", "given_name", "address.locality")).link)

    assert view.asker.party.name == "Stadtbücherei"
    assert view.asker.purpose[1].content == "Library card"
    assert view.cautions == ()
    (option,) = view.credentials[0].options
    assert {claim.path: claim.value for claim in option.claims} == {
        ("given_name",): "Zoë",
        ("address", "locality"): "Lindenmoor",
    }
    assert option.claims[0].labels == {"de": "Vorname"}
    assert option.claims[1].labels == {"de": "Anschrift · locality"}

    presented = await holder.present(view)

    assert presented.delivered
    assert presented.redirect_uri == "https://verifier.test/done#response_code=1"
    (text,) = verifier.opened()["vp_token"]["pid"]
    credential = parse_sd_jwt_vc(text)
    assert len(credential.disclosures) == 3
    assert credential.key_binding_jwt is not None


async def test_mdoc_is_presented(holder: Any, verifier: VerifierPeer) -> None:
    view = await holder.propose(verifier.ask(mdoc("pid", "family_name")).link)
    presented = await holder.present(view)

    assert presented.delivered
    (text,) = verifier.opened()["vp_token"]["pid"]
    (document,) = parse_device_response(b64u_decode(text)).documents
    assert document.issuer_signed.values == {"eu.europa.ec.eudi.pid.1": {"family_name": "Lindqvist"}}
    (item,) = await load_history((await holder.visit()).contents)
    assert item.entry.transaction_result is Result.COMPLETED
