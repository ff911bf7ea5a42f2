"""What the citizen may choose, what they are warned of, and which copies are used."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, json_object
from byoid.formats.sd_jwt import digest
from byoid.formats.sd_jwt_vc import parse_sd_jwt_vc
from byoid.issuance.reuse_policy import ReuseMethod
from byoid.jose import parse_jws
from byoid.message import parse_message
from byoid.presentation.request import WalletMetadata
from byoid.presentation.request_object import encrypt_request_object
from tests.peers.dishonest_verifier import PID, VerifierPeer, mdoc, sd_jwt
from wallet.asked import Choice, ChoiceRefused
from wallet.cards import NoUsableCopy, load_copies
from wallet.consent import choose, decline, view
from wallet.contents import ItemNotFound
from wallet.history import Reason, load_history
from wallet.presenting import approve
from wallet.requests import Caution

PAYMENT = {
    "type": "urn:eudi:sca:payment:1",
    "credential_ids": ["pid"],
    "payload": {
        "transaction_id": "8D8AC610",
        "payee": {"name": "Moorladen", "id": "DE-1"},
        "currency": "EUR",
        "amount": 12.5,
    },
}


async def test_claims_that_the_issuer_left_open_are_shown_too(new_holder: Any, verifier: VerifierPeer) -> None:
    holder = await new_holder()
    await holder.add_sd_jwt({"given_name": "Zoë", "member_since": 2019}, disclosable={("given_name",)})

    found = await holder.propose(verifier.ask(sd_jwt("pid", "given_name")).link)

    claims = found.credentials[0].options[0].claims
    assert [(claim.path, claim.asked) for claim in claims] == [(("given_name",), True), (("member_since",), False)]


async def test_a_query_without_claims_shows_nothing_about_the_person(holder: Any, verifier: VerifierPeer) -> None:
    found = await holder.propose(verifier.ask(sd_jwt("pid")).link)
    assert found.credentials[0].options[0].claims == ()
    assert (await holder.present(found)).delivered
    (text,) = verifier.opened()["vp_token"]["pid"]
    assert parse_sd_jwt_vc(text).disclosures == ()


async def test_what_the_verifier_keeps_is_marked(holder: Any, verifier: VerifierPeer) -> None:
    asked = mdoc("pid", "family_name", "given_name")
    asked["claims"][0]["intent_to_retain"] = True
    found = await holder.propose(verifier.ask(asked).link)
    kept = {claim.path[-1]: claim.retained for claim in found.credentials[0].options[0].claims}
    assert kept == {"family_name": True, "given_name": False}


async def test_the_citizen_chooses_among_cards_that_fit(holder: Any, verifier: VerifierPeer) -> None:
    other = await holder.add_sd_jwt({"given_name": "Zoë Maria"})
    found = await holder.propose(verifier.ask(sd_jwt("pid", "given_name")).link)
    assert {option.card_id for option in found.credentials[0].options} == {other, holder.cards["sd_jwt"]}

    presented = await holder.present(found, {"pid": (other,)})

    assert presented.item.entry.cards == (other,)
    (text,) = verifier.opened()["vp_token"]["pid"]
    assert any("Zoë Maria" in b64u_decode(each).decode() for each in parse_sd_jwt_vc(text).disclosures)


async def test_values_decide_which_card_fits(holder: Any, verifier: VerifierPeer) -> None:
    asked = sd_jwt("pid", "given_name")
    asked["claims"][0]["values"] = ["Somebody"]
    found = await holder.propose(verifier.ask(asked).link)
    assert not found.satisfiable
    assert found.credentials[0].options == ()


async def test_optional_sets_are_left_out_unless_chosen(holder: Any, verifier: VerifierPeer) -> None:
    sets = [{"options": [["one"], ["two"]]}, {"options": [["extra"]], "required": False}]
    verifier.ask(
        sd_jwt("one", "given_name"), mdoc("two", "family_name"), sd_jwt("extra", "family_name"), credential_sets=sets
    )
    found = await holder.propose(verifier.link)
    assert set(found.suggested) == {"one"}

    everything = {each.id: (each.options[0].card_id,) for each in found.credentials}
    presented = await holder.present(found, {name: everything[name] for name in ("two", "extra")})

    assert presented.delivered
    assert set(verifier.opened()["vp_token"]) == {"two", "extra"}


async def test_several_cards_go_where_several_are_asked(holder: Any, verifier: VerifierPeer) -> None:
    other = await holder.add_sd_jwt({"given_name": "Zoë Maria"})
    found = await holder.propose(verifier.ask(sd_jwt("pid", "given_name", multiple=True)).link)
    assert (await holder.present(found, {"pid": (other, holder.cards["sd_jwt"])})).delivered
    assert len(verifier.opened()["vp_token"]["pid"]) == 2


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("cards", "cautions"),
    [
        pytest.param(lambda card, other: {}, True, id="nothing_is_chosen"),
        pytest.param(lambda card, other: {"pid": ()}, True, id="no_card_is_chosen"),
        pytest.param(lambda card, other: {"pid": ("unknown",)}, True, id="an_unknown_card"),
        pytest.param(lambda card, other: {"pid": (other,)}, True, id="a_card_that_does_not_fit"),
        pytest.param(lambda card, other: {"pid": (card, card)}, True, id="the_same_card_twice"),
        pytest.param(lambda card, other: {"pid": (card,), "more": (card,)}, True, id="a_query_that_is_not_asked"),
        pytest.param(lambda card, other: {"pid": (card,), "mdl": (other,)}, True, id="more_than_is_needed"),
        pytest.param(lambda card, other: {"mdl": (other,)}, True, id="not_what_is_required"),
        pytest.param(lambda card, other: {"pid": (card,)}, False, id="a_warning_is_not_accepted"),
    ],
)
async def test_a_choice_that_does_not_answer_is_refused(
    holder: Any, verifier: VerifierPeer, cards: Any, cautions: bool
) -> None:
    verifier.ask(
        sd_jwt("pid", "given_name", "nationalities"),
        mdoc("mdl", "family_name"),
        credential_sets=[{"options": [["pid"]]}],
    )
    found = await holder.propose(verifier.link)
    assert found.cautions == (Caution.ASKS_MORE,)
    visit = await holder.visit()
    choice = Choice(
        cards=cards(holder.cards["sd_jwt"], holder.cards["mdoc"]),
        accepted_cautions=found.cautions if cautions else (),
    )

    with pytest.raises(ChoiceRefused):
        await choose(holder.wallet, visit, found.id, choice)

    assert verifier.posted == []


@pytest.mark.parametrize(
    ("change", "caution"),
    [
        pytest.param(lambda v: v.unsigned(), Caution.UNSIGNED, id="unsigned"),
        pytest.param(lambda v: v.claims.pop("verifier_info"), Caution.UNREGISTERED, id="unregistered"),
        pytest.param(
            lambda v: v.claims.update(
                verifier_info=[{"format": "registration_cert", "data": v.registration(sub="NTRDE-OTHER")}]
            ),
            Caution.REGISTRATION_REFUSED,
            id="registration_of_somebody_else",
        ),
        pytest.param(
            lambda v: v.claims.update(
                verifier_info=[{"format": "registration_cert", "data": v.registration()[:-8] + "AAAAAAAA"}]
            ),
            Caution.REGISTRATION_REFUSED,
            id="forged_registration",
        ),
        pytest.param(lambda v: v.ask(sd_jwt("pid", "nationalities")), Caution.ASKS_MORE, id="asks_for_more"),
        pytest.param(
            lambda v: v.claims.update(response_uri="https://verifier.test.evil.example/responses/1"),
            Caution.ANSWER_ELSEWHERE,
            id="answer_elsewhere",
        ),
    ],
)
async def test_the_citizen_is_warned(holder: Any, verifier: VerifierPeer, change: Any, caution: Caution) -> None:
    change(verifier)
    found = await holder.propose(verifier.link)
    assert caution in found.cautions


async def test_a_portrait_needs_an_explicit_yes(new_holder: Any, verifier: VerifierPeer) -> None:
    holder = await new_holder()
    await holder.add_mdoc({"family_name": "Lindqvist", "portrait": b"\xff\xd8\xff\xe0picture"})
    found = await holder.propose(verifier.ask(mdoc("pid", "portrait")).link)
    assert Caution.BIOMETRIC in found.cautions
    assert found.credentials[0].options[0].claims[0].value.startswith("data:image/jpeg;base64,")


async def test_a_payment_is_shown_in_plain_lines_and_signed(holder: Any, verifier: VerifierPeer) -> None:
    encoded = b64u_encode(json_dumps(PAYMENT))
    verifier.claims["transaction_data"] = [encoded]
    found = await holder.propose(verifier.link)

    lines = {line.name: line.value for line in found.transactions[0].lines}
    assert lines == {
        "transaction_id": "8D8AC610",
        "payee.name": "Moorladen",
        "payee.id": "DE-1",
        "currency": "EUR",
        "amount": "12.50",
    }
    presented = await holder.present(found)

    (text,) = verifier.opened()["vp_token"]["pid"]
    key_binding = parse_jws(parse_sd_jwt_vc(text).key_binding_jwt or "").claims()
    assert key_binding["transaction_data_hashes"] == [digest(encoded, "sha-256")]
    assert presented.item.entry.transactional_data == ("urn:eudi:sca:payment:1 8D8AC610",)


async def test_a_card_without_a_key_goes_without_key_binding(new_holder: Any, verifier: VerifierPeer) -> None:
    holder = await new_holder()
    await holder.add_sd_jwt(bound=False)
    verifier.ask(sd_jwt("pid", "given_name"))
    assert not (await holder.propose(verifier.link)).satisfiable
    verifier.ask(sd_jwt("pid", "given_name", require_cryptographic_holder_binding=False))

    assert (await holder.present(await holder.propose(verifier.link))).delivered

    (text,) = verifier.opened()["vp_token"]["pid"]
    assert parse_sd_jwt_vc(text).key_binding_jwt is None


async def test_a_card_whose_signature_the_verifier_does_not_know_does_not_fit(
    new_holder: Any, verifier: VerifierPeer
) -> None:
    holder = await new_holder()
    await holder.add_sd_jwt(curve="P-384")
    assert not (await holder.propose(verifier.link)).satisfiable


async def test_every_copy_is_shown_once_before_any_is_shown_again(new_holder: Any, verifier: VerifierPeer) -> None:
    holder = await new_holder()
    card = await holder.add_sd_jwt(copies=3, reuse=ReuseMethod.ONCE_ONLY)
    for _ in range(3):
        await holder.present(await holder.propose(verifier.link))
    visit = await holder.visit()
    copies = await load_copies(visit.contents, card)
    assert [copy.content.uses for copy in copies] == [{"organisation:NTRDE-HRB100": 1}] * 3
    keys = [parse_sd_jwt_vc(verifier.opened(n)["vp_token"]["pid"][0]).jws.claims()["cnf"]["jwk"]["x"] for n in range(3)]
    assert len(set(keys)) == 3


async def test_expired_cards_are_not_offered(holder: Any, verifier: VerifierPeer, clock: Any) -> None:
    found = await holder.propose(verifier.link)
    clock.advance(minutes=9)
    visit = await holder.visit()
    clock.advance(minutes=2)
    with pytest.raises(ItemNotFound):  # the request itself has waited too long
        await view(holder.wallet, visit, found.id)


async def test_a_card_that_expires_while_the_citizen_thinks_is_not_shown(
    new_holder: Any, verifier: VerifierPeer, clock: Any
) -> None:
    holder = await new_holder()
    await holder.add_sd_jwt(expires_in=timedelta(minutes=3))
    found = await holder.propose(verifier.link)
    clock.advance(minutes=4)
    with pytest.raises(NoUsableCopy):
        await holder.present(found)
    assert verifier.posted == []


async def test_nothing_fits_looks_like_a_refusal(new_holder: Any, holder: Any, verifier: VerifierPeer) -> None:
    poor = await new_holder()
    for each in (poor, holder):
        found = await each.propose(verifier.link)
        await decline(each.wallet, await each.visit(), found.id, tell=True)
    assert verifier.opened(0) == verifier.opened(1) == {"error": "access_denied", "state": verifier.claims["state"]}
    (item,) = await load_history((await poor.visit()).contents)
    assert item.entry.reason_of_noncompletion is Reason.NOTHING_FITS


async def test_an_unsigned_verifier_is_never_told(holder: Any, verifier: VerifierPeer) -> None:
    found = await holder.propose(verifier.unsigned().link)
    await decline(holder.wallet, await holder.visit(), found.id, tell=True)
    assert verifier.posted == []


@pytest.mark.parametrize(
    ("response", "reason", "error"),
    [
        pytest.param(
            lambda _: httpx2.Response(400, json={"error": "invalid_request"}),
            Reason.REFUSED_BY_SERVICE,
            "invalid_request",
            id="refused",
        ),
        pytest.param(lambda _: httpx2.Response(500, text="oops"), Reason.REFUSED_BY_SERVICE, None, id="broken"),
        pytest.param(
            lambda _: httpx2.Response(302, headers={"Location": "https://evil.test"}),
            Reason.REFUSED_BY_SERVICE,
            None,
            id="redirected",
        ),
    ],
)
async def test_what_the_verifier_refuses_is_recorded_honestly(
    holder: Any, verifier: VerifierPeer, response: Any, reason: Reason, error: str | None
) -> None:
    verifier.answer_response = response
    presented = await holder.present(await holder.propose(verifier.link))
    assert not presented.delivered
    assert presented.redirect_uri is None
    (item,) = await load_history((await holder.visit()).contents)
    assert (item.entry.reason_of_noncompletion, item.entry.error) == (reason, error)
    assert item.entry.list_of_claims_presented[0].claims == (("given_name",),)


async def test_a_silent_verifier_may_have_received_it(holder: Any, verifier: VerifierPeer) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ReadTimeout("silence")

    verifier.answer_response = fail
    presented = await holder.present(await holder.propose(verifier.link))
    assert presented.item.entry.reason_of_noncompletion is Reason.NO_ANSWER
    copies = await load_copies((await holder.visit()).contents, holder.cards["sd_jwt"])
    assert sum(copy.content.used for copy in copies) == 1


@pytest.mark.hostile
@pytest.mark.parametrize(
    "redirect_uri",
    [
        "javascript:alert(1)",
        "http://verifier.test/done",
        "data:text/html,x",
        "https://user@evil.test/",
        "//evil.test",
        "",
        "openid4vp://x",
        "https://verifier.test/a b",
        42,
    ],
)
async def test_the_browser_is_not_sent_where_it_may_not_go(
    holder: Any, verifier: VerifierPeer, redirect_uri: Any
) -> None:
    verifier.answer_response = lambda _: httpx2.Response(200, json={"redirect_uri": redirect_uri})
    presented = await holder.present(await holder.propose(verifier.link))
    assert presented.delivered
    assert presented.redirect_uri is None


async def test_a_request_is_answered_once(holder: Any, verifier: VerifierPeer) -> None:
    found = await holder.propose(verifier.link)
    visit = await holder.visit()
    ceremony = await choose(holder.wallet, visit, found.id, Choice(cards=found.suggested))
    post = holder.citizen.answer(ceremony)
    await approve(holder.wallet, visit, found.id, post)
    with pytest.raises(ItemNotFound):
        await approve(holder.wallet, visit, found.id, post)
    assert len(verifier.posted) == 1


async def test_post_request_objects_may_be_encrypted(holder: Any, verifier: VerifierPeer) -> None:
    def encrypted(request: httpx2.Request, jwt: str) -> httpx2.Response:
        form = parse_qs(request.content.decode())
        metadata = parse_message(WalletMetadata, json_object(form["wallet_metadata"][0]))
        content = encrypt_request_object(jwt, metadata)
        assert content.count(".") == 4
        return httpx2.Response(200, content=content, headers={"Content-Type": "application/oauth-authz-req+jwt"})

    verifier.parameters["request_uri_method"] = "post"
    verifier.answer_request = encrypted
    assert (await holder.present(await holder.propose(verifier.link))).delivered


async def test_plain_responses_are_sent_as_a_form(holder: Any, verifier: VerifierPeer) -> None:
    verifier.claims["response_mode"] = "direct_post"
    assert (await holder.present(await holder.propose(verifier.link))).delivered
    assert set(verifier.posted[0]) == {"vp_token", "state"}
    assert PID not in verifier.posted[0]["state"]
