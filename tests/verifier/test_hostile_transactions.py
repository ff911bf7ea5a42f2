"""Strangers, thieves and mixed-up transactions: what is posted, by whom, where and when. Each breaks one rule."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from byoid.encoding import json_dumps
from byoid.jose import encrypt
from byoid.keys import PrivateKey
from byoid.presentation.response import ErrorResponse, choose_response_encryption, encrypt_response
from byoid.relying_party.flow import FREE_FAILURES
from tests.conftest import Clock
from tests.verifier.conftest import Run, Running
from tests.verifier.world import (
    RESIDENCE_VCT,
    VCT,
    Answer,
    Wallet,
    World,
    definition,
    mdoc_query,
    sd_jwt_query,
)
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.hostile
SESSION = "session-of-the-browser-that-started"
BACK = "https://shop.test/done"
Form = Callable[[Answer], dict[str, str]]


def nothing_of_a_response(_: Answer) -> dict[str, str]:
    return {"hello": "world"}


def junk_in_place_of_a_jwe(_: Answer) -> dict[str, str]:
    return {"response": "junk"}


def a_jwe_of_five_empty_parts(_: Answer) -> dict[str, str]:
    return {"response": "...."}


def presentations_in_the_clear(answer: Answer) -> dict[str, str]:
    return {"vp_token": json_dumps(dict(answer.vp_token)).decode(), "state": answer.state or ""}


def encrypted_to_another_key(answer: Answer) -> dict[str, str]:
    return answer.form(key={**PrivateKey.generate().public.jwk, "alg": "ECDH-ES", "kid": "another"})


def encrypted_to_another_key_under_the_right_name(answer: Answer) -> dict[str, str]:
    kid = choose_response_encryption(answer.request.client_metadata).key["kid"]
    return answer.form(key={**PrivateKey.generate().public.jwk, "alg": "ECDH-ES", "kid": kid})


def encrypted_without_the_name_of_the_key(answer: Answer) -> dict[str, str]:
    key = dict(choose_response_encryption(answer.request.client_metadata).key)
    del key["kid"]
    return answer.form(key=key)


def encrypted_with_an_algorithm_that_was_not_offered(answer: Answer) -> dict[str, str]:
    key = choose_response_encryption(answer.request.client_metadata).key
    content = json_dumps({"vp_token": dict(answer.vp_token), "state": answer.state})
    return {"response": encrypt(content, key, enc="A192GCM")}


def with_a_changed_ciphertext(answer: Answer) -> dict[str, str]:
    parts = answer.form()["response"].split(".")
    parts[3] = ("A" if parts[3][0] != "A" else "B") + parts[3][1:]
    return {"response": ".".join(parts)}


def without_the_state(answer: Answer) -> dict[str, str]:
    return replace(answer, state=None).form()


def with_another_state(answer: Answer) -> dict[str, str]:
    return replace(answer, state="s" * 43).form()


def with_an_answer_to_what_was_not_asked(answer: Answer) -> dict[str, str]:
    return replace(answer, vp_token={**answer.vp_token, "more": answer.vp_token["pid"]}).form()


def with_two_presentations_for_one(answer: Answer) -> dict[str, str]:
    return replace(answer, vp_token={"pid": answer.vp_token["pid"] * 2}).form()


def with_an_object_as_presentation(answer: Answer) -> dict[str, str]:
    return replace(answer, vp_token={"pid": ({"vp": True},)}).form()


def with_an_array_as_vp_token(answer: Answer) -> dict[str, str]:
    key = choose_response_encryption(answer.request.client_metadata).key
    content = json_dumps({"vp_token": ["x"], "state": answer.state})
    return {"response": encrypt(content, key, enc="A256GCM")}


def an_error_with_another_state(answer: Answer) -> dict[str, str]:
    encryption = choose_response_encryption(answer.request.client_metadata)
    return {"response": encrypt_response(ErrorResponse(error="access_denied", state="s" * 43), encryption)}


def an_error_in_the_clear_without_state(_: Answer) -> dict[str, str]:
    return {"error": "access_denied"}


def an_error_that_is_none(_: Answer) -> dict[str, str]:
    return {"error": "a\nb"}


JUNK: list[tuple[Form, str]] = [
    (nothing_of_a_response, "MalformedInput: expected an encrypted response"),
    (junk_in_place_of_a_jwe, "MalformedInput"),
    (a_jwe_of_five_empty_parts, "MalformedInput"),
    (presentations_in_the_clear, "MalformedInput: expected an encrypted response"),
    (encrypted_to_another_key, "ClaimMismatch: the response is encrypted to another key"),
    (encrypted_to_another_key_under_the_right_name, "BadSignature"),
    (encrypted_without_the_name_of_the_key, "MalformedInput: expected kid"),
    (encrypted_with_an_algorithm_that_was_not_offered, "WrongType"),
    (with_a_changed_ciphertext, "BadSignature"),
    (without_the_state, "ClaimMismatch: the response does not repeat the state"),
    (with_another_state, "ClaimMismatch: the response does not repeat the state"),
    (with_an_answer_to_what_was_not_asked, "ResponseRejected: the response answers a credential query"),
    (with_two_presentations_for_one, "ResponseRejected: expected one presentation"),
    (with_an_object_as_presentation, "MalformedInput"),
    (with_an_array_as_vp_token, "MalformedInput"),
    (an_error_with_another_state, "ClaimMismatch: the response does not repeat the state"),
    (an_error_in_the_clear_without_state, "ClaimMismatch: the response does not repeat the state"),
    (an_error_that_is_none, "MalformedInput"),
]


@pytest.mark.parametrize(("form", "reason"), JUNK, ids=[form.__name__ for form, _ in JUNK])
@pytest.mark.parametrize("query", ["pid", "pid-mdoc"])
async def test_junk_is_counted_and_leaves_the_transaction_answerable(
    running: Running, wallet: Wallet, form: Form, reason: str, query: str
) -> None:
    started = await running.start(query)
    request = await wallet.fetch(started["link"])
    honest = wallet.answer(request)

    answer = await wallet.post(request, form(honest))

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    view = await running.look(started["id"])
    assert (view["state"], view["failures"]) == ("pending", 1)
    assert reason in view["last_failure"]
    assert (await wallet.post(request, honest.form())).status_code == 200
    assert (await running.look(started["id"]))["state"] == "accepted"


async def test_junk_that_comes_too_fast_has_to_wait(running: Running, wallet: Wallet, clock: Clock) -> None:
    started = await running.start("pid")
    request = await wallet.fetch(started["link"])
    for _ in range(FREE_FAILURES):
        assert (await wallet.post(request, {"response": "junk"})).status_code == 400

    refused = await wallet.post(request, {"response": "junk"})

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert (await running.look(started["id"]))["failures"] == FREE_FAILURES
    clock.advance(timedelta(seconds=2))
    assert (await wallet.post(request, wallet.answer(request).form())).status_code == 200


@pytest.mark.parametrize("query", ["pid", "pid-mdoc"])
async def test_an_answer_to_one_transaction_is_no_answer_to_another(
    running: Running, wallet: Wallet, query: str
) -> None:
    first, second = await running.start(query), await running.start(query)
    asked, other = await wallet.fetch(first["link"]), await wallet.fetch(second["link"])
    form = wallet.answer(asked).form()

    assert (await wallet.post(other, form)).status_code == 400

    assert "encrypted to another key" in (await running.look(second["id"]))["last_failure"]
    assert (await running.look(first["id"]))["state"] == "pending"
    assert (await wallet.post(asked, form)).status_code == 200


@pytest.mark.parametrize("query", ["pid", "pid-mdoc"])
async def test_a_presentation_is_not_taken_into_another_transaction(
    running: Running, wallet: Wallet, query: str
) -> None:
    first, second = await running.start(query), await running.start(query)
    asked, other = await wallet.fetch(first["link"]), await wallet.fetch(second["link"])
    stolen = replace(wallet.answer(other), vp_token=wallet.answer(asked).vp_token)

    assert (await wallet.post(other, stolen.form())).status_code == 400

    view = await running.look(second["id"])
    assert view["state"] == "pending"
    expected = "another nonce" if query == "pid" else "the device did not authenticate this session"
    assert expected in view["last_failure"]


async def test_an_answer_is_taken_once(running: Running, wallet: Wallet) -> None:
    started = await running.start("pid")
    request = await wallet.fetch(started["link"])
    form = wallet.answer(request).form()
    assert (await wallet.post(request, form)).status_code == 200
    before = await running.result(started["id"])

    replayed = await wallet.post(request, form)

    assert (replayed.status_code, replayed.json()["error"]) == (409, "already_answered")
    assert await running.result(started["id"]) == before
    assert (await wallet.client.get(f"{request.response_uri}".replace("responses", "requests"))).status_code == 409


@pytest.mark.parametrize("name", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_an_answer_is_not_taken_again_after_a_restart_or_by_another_worker(
    run: Run, on_disk: VerifierSettings, world: World, name: str, request: pytest.FixtureRequest
) -> None:
    settings = on_disk
    if name == "postgresql":
        directory = request.getfixturevalue("postgres_socket")
        await _empty(directory)
        settings = on_disk.model_copy(update={"database_url": f"postgresql://postgres@/postgres?host={directory}"})
    async with run(settings) as first, run(settings) as second:
        await first.define("pid", definition(sd_jwt_query()))
        started = await first.start("pid")
        wallet = Wallet(world, first.client)
        asked = await wallet.fetch(started["link"])
        form = wallet.answer(asked).form()
        assert (await wallet.post(asked, form)).status_code == 200
        wallet.client = second.client
        assert (await wallet.post(asked, form)).status_code == 409
        assert (await second.look(started["id"]))["state"] == "accepted"
    async with run(settings) as restarted:
        wallet.client = restarted.client
        assert (await wallet.post(asked, form)).status_code == 409
        assert (await restarted.result(started["id"]))["state"] == "accepted"


async def _empty(directory: Any) -> None:
    import asyncpg

    from tests.conftest import EMPTY

    admin = await asyncpg.connect(host=str(directory), user="postgres", database="postgres")
    await admin.execute("SET client_min_messages = warning")
    await admin.execute(EMPTY)
    await admin.close()


async def test_a_request_of_one_worker_is_answered_at_another(
    run: Run, on_disk: VerifierSettings, world: World
) -> None:
    async with run(on_disk) as first, run(on_disk) as second:
        await first.define("pid", definition(sd_jwt_query()))
        started = await first.start("pid")
        assert (await Wallet(world, second.client).complete(started["link"])).status_code == 200
        assert (await first.result(started["id"]))["state"] == "accepted"


async def test_the_redirect_into_another_browser_gives_no_result(running: Running, wallet: Wallet) -> None:
    """Session fixation (13.3): the attacker starts, the victim answers and is sent to the attacker's transaction."""
    started = await running.start("pid", mode="same_device", session=SESSION, redirect_uri=BACK)
    back = (await wallet.complete(started["link"])).json()["redirect_uri"]
    code = back.removeprefix(f"{BACK}?response_code=")
    result = f"/api/v1/transactions/{started['id']}/result"

    for given in (
        {"response_code": code},
        {"response_code": code, "session": "session-of-the-victims-browser"},
        {"session": SESSION},
        {"session": SESSION, "response_code": "guessed"},
    ):
        refused = await running.api.get(result, params=given)
        assert (refused.status_code, refused.json()["error"]) == (403, "wrong_session")
        assert "Ada" not in refused.text

    assert (await running.result(started["id"], session=SESSION, response_code=code))["state"] == "accepted"


@pytest.mark.parametrize("missing", ["session", "redirect_uri"])
async def test_same_device_needs_a_session_and_a_way_back(running: Running, missing: str) -> None:
    wish = {"query": "pid", "mode": "same_device", "session": SESSION, "redirect_uri": BACK}
    del wish[missing]
    assert (await running.api.post("/api/v1/transactions", json=wish)).status_code == 400


async def test_a_browser_response_is_taken_from_the_session_that_started_only(running: Running, wallet: Wallet) -> None:
    started = await running.start("pid", mode="dc_api", origin="https://shop.test", session=SESSION)
    path = f"/api/v1/transactions/{started['id']}/response"
    for session in ({}, {"session": "session-of-another-browser"}):
        refused = await running.api.post(path, json={"data": {"response": "x"}, **session})
        assert (refused.status_code, refused.json()["error"]) == (403, "wrong_session")
    assert (await running.look(started["id"]))["failures"] == 0


async def test_a_redirect_answer_to_a_browser_request_is_refused(running: Running, wallet: Wallet) -> None:
    started = await running.start("pid", mode="dc_api", origin="https://shop.test")
    transaction = await running.verifier.transactions.by_id(
        started["id"], service_id="shop", now=running.verifier.clock()
    )
    assert transaction is not None
    posted = await running.client.post(f"/w/shop/responses/{transaction.request_id}", data={"response": "x"})
    assert posted.status_code == 400
    assert "Digital Credentials API" in (await running.look(started["id"]))["last_failure"]
    assert (await running.client.get(f"/w/shop/requests/{transaction.request_id}")).status_code == 404


async def test_a_browser_answer_to_a_redirect_request_is_refused(running: Running) -> None:
    started = await running.start("pid")
    path = f"/api/v1/transactions/{started['id']}/response"
    assert (await running.api.post(path, json={"data": {"response": "x"}})).status_code == 400
    assert "Digital Credentials API" in (await running.look(started["id"]))["last_failure"]


async def test_an_answer_that_comes_too_late_finds_nothing(running: Running, wallet: Wallet, clock: Clock) -> None:
    started = await running.start("pid")
    request = await wallet.fetch(started["link"])
    form = wallet.answer(request).form()
    clock.advance(timedelta(minutes=11))
    assert (await wallet.post(request, form)).status_code == 404
    assert (await running.api.get(f"/api/v1/transactions/{started['id']}")).status_code == 404


async def test_a_wallets_refusal_is_told_and_may_be_taken_back(running: Running, wallet: Wallet) -> None:
    """Anybody who saw the request can say no, so a no does not end the transaction."""
    started = await running.start("pid")
    request = await wallet.fetch(started["link"])
    refusal = ErrorResponse(error="access_denied", state=request.state)

    declined = await wallet.post(
        request, {"response": encrypt_response(refusal, choose_response_encryption(request.client_metadata))}
    )

    assert declined.status_code == 200
    view = await running.look(started["id"])
    assert (view["state"], view["declined_with"]) == ("declined", "access_denied")
    assert (await running.result(started["id"]))["reasons"] == ["access_denied"]
    assert (await wallet.complete(started["link"])).status_code == 200
    assert (await running.look(started["id"]))["state"] == "accepted"


async def test_an_error_in_the_clear_is_taken_with_its_state(running: Running, wallet: Wallet) -> None:
    """8.3.1: a wallet that cannot encrypt may say so in the clear."""
    started = await running.start("pid")
    request = await wallet.fetch(started["link"])
    form = {"error": "invalid_request", "state": request.state or ""}
    assert (await wallet.post(request, form)).status_code == 200
    assert (await running.look(started["id"]))["declined_with"] == "invalid_request"


async def test_one_service_never_sees_anothers(run: Run, on_disk: VerifierSettings, world: World) -> None:
    async with run(on_disk) as shop, run(on_disk, service="library") as library:
        await shop.define("pid", definition(sd_jwt_query()))
        started = await shop.start("pid")
        wallet = Wallet(world, shop.client)
        request = await wallet.fetch(started["link"])
        path = f"/api/v1/transactions/{started['id']}"
        for method, url in (
            ("GET", path), ("GET", f"{path}/result"), ("GET", f"{path}/events"), ("GET", f"{path}/qr.svg"),
            ("DELETE", path), ("GET", "/api/v1/queries/pid"), ("DELETE", "/api/v1/queries/pid"),
        ):  # fmt: skip
            assert (await library.api.request(method, url)).status_code == 404
        wish = {"query": "pid"}
        assert (await library.api.post("/api/v1/transactions", json=wish)).status_code == 404
        assert (await library.api.post(f"{path}/response", json={"data": {}})).status_code == 404
        # A wallet's answer at the other service's address is an answer to nothing.
        elsewhere = str(request.response_uri).replace("/w/shop/", "/w/library/")
        assert (await library.client.post(elsewhere, data=wallet.answer(request).form())).status_code == 404
        assert (await shop.look(started["id"]))["failures"] == 0


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer byoid_wrong", "Basic byoid_x", "Bearer  ", "byoid_x"])
async def test_the_api_needs_a_key(running: Running, authorization: str) -> None:
    refused = await running.client.get("/api/v1/queries", headers={"Authorization": authorization})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_revoked_key_is_refused_when_its_short_memory_is_over(running: Running, clock: Clock) -> None:
    assert (await running.api.get("/api/v1/queries")).status_code == 200
    await running.verifier.store.delete_keys("shop", "test")
    clock.advance(running.settings.service_cache)
    assert (await running.api.get("/api/v1/queries")).status_code == 401


def _combined() -> dict[str, Any]:
    residence = {"id": "residence", "format": "dc+sd-jwt", "meta": {"vct_values": [RESIDENCE_VCT]},
                 "claims": [{"path": ["family_name"]}, {"path": ["address", "locality"]}]}  # fmt: skip
    return {"credentials": [*sd_jwt_query(["family_name"])["credentials"], residence]}


SAME = [{"claims": [{"pid": ["family_name"], "residence": ["family_name"]}]}]


@pytest.mark.hostile
async def test_several_credentials_need_a_word_on_whose_they_are(running: Running) -> None:
    refused = await running.api.put("/api/v1/queries/both", json=definition(_combined()))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert "same_person" in refused.json()["error_description"]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (SAME, "a claim that must be the same"),
        ([{"holder_key": ["pid", "residence"]}], "one and the same key"),
    ],
)
async def test_two_persons_credentials_are_not_taken_for_one_persons(
    running: Running, wallet: Wallet, world: World, rule: list[dict[str, Any]], reason: str
) -> None:
    await running.define("both", definition(_combined(), same_person=rule))
    started = await running.start("both")
    other = Wallet(world, running.client)
    other.sd_jwts[RESIDENCE_VCT] = world.issuer.residence(
        other.holder, claims={"family_name": "Berg", "address": {"locality": "Lindenmoor"}}
    )
    request = await wallet.fetch(started["link"])
    honest = wallet.answer(request)
    mixed = {**honest.vp_token, "residence": other.answer(request).vp_token["residence"]}

    answer = await wallet.post(request, replace(honest, vp_token=mixed).form())

    assert answer.status_code == 400
    result = await running.result(started["id"])
    assert (result["state"], result["credentials"]) == ("rejected", {})
    assert reason in result["reasons"][0]


async def test_one_persons_credentials_are_taken_together(running: Running, wallet: Wallet) -> None:
    await running.define("both", definition(_combined(), same_person=SAME))
    started = await running.start("both")
    assert (await wallet.complete(started["link"])).status_code == 200
    assert set((await running.result(started["id"]))["credentials"]) == {"pid", "residence"}


async def test_a_required_credential_that_is_missing_rejects_the_response(running: Running, wallet: Wallet) -> None:
    await running.define("both", definition(_combined(), same_person=[]))
    started = await running.start("both")
    request = await wallet.fetch(started["link"])
    honest = wallet.answer(request)
    partly = replace(honest, vp_token={"pid": honest.vp_token["pid"]})
    assert (await wallet.post(request, partly.form())).status_code == 400
    result = await running.result(started["id"])
    assert result["state"] == "rejected"
    assert "credential set 0 is required" in result["reasons"][0]


async def test_a_value_that_was_asked_for_is_looked_at_again(running: Running, wallet: Wallet) -> None:
    query = sd_jwt_query()
    query["credentials"][0]["claims"] = [{"path": ["address", "country"], "values": ["FR"]}]
    await running.define("french", definition(query))
    started = await running.start("french")
    assert (await wallet.complete(started["link"])).status_code == 400
    assert "none of the values" in (await running.look(started["id"]))["last_failure"]


PAYMENT = {"type": "payment", "credential_ids": ["pid"], "amount": "12.00 EUR"}


@pytest.mark.parametrize(("authorised", "accepted"), [("as_sent", True), ("nothing", False), ("something_else", False)])
async def test_transaction_data_must_be_authorised_as_they_were_sent(
    running: Running, wallet: Wallet, authorised: str, accepted: bool
) -> None:
    started = await running.start("pid", transaction_data=[PAYMENT])
    request = await wallet.fetch(started["link"])
    bound = wallet.bound(request)
    other = ("eyJ0eXBlIjoicGF5bWVudCJ9",)
    data = {"as_sent": bound.transaction_data, "nothing": (), "something_else": other}[authorised]
    presentation = wallet.present(replace(bound, transaction_data=data), "pid")

    answer = await wallet.post(request, Answer(request, {"pid": (presentation,)}, request.state).form())

    assert answer.status_code == (200 if accepted else 400)
    assert (await running.look(started["id"]))["state"] == ("accepted" if accepted else "rejected")


async def test_claims_that_were_not_asked_are_not_kept(running: Running, wallet: Wallet) -> None:
    for query, names in (("pid", ["family_name", "birthdate"]), ("pid-mdoc", ["family_name"])):
        started = await running.start(query)
        request = await wallet.fetch(started["link"])
        bound = wallet.bound(request)
        asked = request.query.credentials[0]
        prefix = asked.paths[0][:1] if asked.format == "mso_mdoc" else ()
        more = asked.model_copy(
            update={"claims": (*(asked.claims or ()), *(type(asked.claims[0])(path=(*prefix, n)) for n in names))}  # type: ignore[index]
        )
        curious = replace(bound, dcql_query=request.query.model_copy(update={"credentials": (more,)}))
        presentation = wallet.present(curious, "pid")
        form = Answer(request, {"pid": (presentation,)}, request.state).form()
        assert (await wallet.post(request, form)).status_code == 200
        kept = str((await running.result(started["id"]))["credentials"])
        assert "Ada" in kept
        assert "Dahl" not in kept
        assert "1990" not in kept


def test_the_worlds_credentials_have_the_type_that_is_asked(wallet: Wallet) -> None:
    assert VCT in wallet.sd_jwts
    assert mdoc_query()["credentials"][0]["meta"]["doctype_value"] in wallet.mdocs
