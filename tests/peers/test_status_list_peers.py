"""Status lists, trusted lists and registrations of byoid before implementations written by others, and theirs here."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from openvc import rp_registration
from openvc import status as openvc_status
from openvc.keys import P256SigningKey
from openvc.trustlist import lote
from polaris_oid4vp import status as polaris

from byoid.cose import TYPE, prepare_sign1
from byoid.encoding import b64u_decode
from byoid.errors import BadSignature
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import (
    StatusReference,
    prepare_status_list_cwt,
    prepare_status_list_token,
    verify_status_list_token,
)
from byoid.jose import parse_jws, prepare_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, make_leaf, make_root, to_der, to_pem
from byoid.trust.registration import ENTITLEMENT, RegistrationClaims, prepare_registration, verify_registration
from byoid.trust.trusted_list import ListedService, prepare_trusted_list, verify_trusted_list
from byoid.trust.x509 import verify_chain

pytestmark = pytest.mark.peers

NPM = Path(__file__).parent / "npm"
NOW = datetime.now(UTC).replace(microsecond=0)  # some peers read the clock of the machine
SECONDS = int(NOW.timestamp())
URI = "https://issuer.example/statuslists/1"
KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
STATUSES = {0: 1, 7: 2, 8: 3, 130: 1, 255: 2}
INDICES = [*STATUSES, 1, 9, 254]


def node(script: str, **message: object) -> Any:
    """Run a peer of the npm world, one JSON object in and one out."""
    done = subprocess.run(
        ["node", script], cwd=NPM, input=json.dumps(message), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=[2, 4, 8])
def array(request: pytest.FixtureRequest) -> StatusArray:
    statuses = StatusArray.of_size(256, bits=request.param)
    for index, status in STATUSES.items():
        statuses.set_status(index, status)
    return statuses


@pytest.fixture
def expected(array: StatusArray) -> list[int]:
    return [array.status_at(index) for index in INDICES]


@pytest.fixture
def jwt(array: StatusArray) -> str:
    options = {"uri": URI, "issued_at": NOW, "algorithm": "ES256", "expires_at": NOW + timedelta(days=1)}
    return sign_now(prepare_status_list_token(array, **options, ttl=timedelta(hours=1), header={"kid": "k"}), KEY)


def read(token: str | bytes) -> list[int]:
    statuses = verify_status_list_token(token, uri=URI, key=KEY.public, now=NOW)
    return [statuses.status_at(index) for index in INDICES]


# ------------------------------------------------------------------------------------------------------------- openvc


def test_openvc_reads_our_list(jwt, expected):
    claims = openvc_status.verify_status_list_token(jwt, public_key_jwk=KEY.public.jwk, expected_uri=URI, now=NOW)
    listed = claims["status_list"]
    data = openvc_status.decode_status_list(listed["lst"])
    assert [openvc_status.get_status(data, index, bits=listed["bits"]) for index in INDICES] == expected


def test_openvc_follows_our_reference(jwt, expected):
    for index, status in zip(INDICES, expected, strict=True):
        found = openvc_status.check_token_status(
            {"status": StatusReference(URI, index).to_claim()},
            resolve_status_list_token=lambda _: parse_jws(jwt).claims(),
        )
        assert (found.status, found.revoked, found.suspended) == (status, status == 1, status == 2)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_we_read_the_list_of_openvc(bits):
    packed = openvc_status.new_status_list(256, bits=bits)
    for index, status in STATUSES.items():
        openvc_status.set_status(packed, index, min(status, (1 << bits) - 1), bits=bits)
    key = P256SigningKey.from_jwk(KEY.to_jwk(), "k")
    token = openvc_status.build_status_list_token(
        signing_key=key, uri=URI, status_list=packed, bits=bits, issued_at=NOW, ttl=60, issuer="https://issuer.example"
    )
    assert read(token) == [openvc_status.get_status(bytes(packed), index, bits=bits) for index in INDICES]


# ------------------------------------------------------------------------------------------------------------ polaris


def test_polaris_decides_by_our_list(jwt, expected):
    def verify(*arguments: object, **_: object) -> bool:
        return True

    for index, status in zip(INDICES, expected, strict=True):
        authority = polaris.StatedAuthority()
        authority.state(credential_issuer="i", status_uri=URI, verify=verify, why="test")
        found = polaris.decide(
            jwt, index=index, expected_uri=URI, authority=authority, now=SECONDS, credential_issuer="i"
        )
        assert found["checked"], found
        assert found["status"] == status


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_we_read_the_list_of_polaris(bits):
    statuses = [STATUSES.get(index, 0) & (1 << bits) - 1 for index in range(256)]
    listed = {"bits": bits, "lst": polaris.encode_status_list(statuses, bits)}
    claims = {"sub": URI, "iat": SECONDS, "status_list": listed}
    token = sign_now(prepare_jws(claims, algorithm="ES256", typ="statuslist+jwt"), KEY)
    assert read(token) == [statuses[index] for index in INDICES]


# ---------------------------------------------------------------------------------------------------------------- npm


def test_sd_jwt_js_reads_our_list(jwt, array, expected):
    found = node("status-list.mjs", action="readJwt", token=jwt, indices=INDICES)
    assert found == {"bits": array.bits, "statuses": expected}


def test_sd_jwt_js_reads_our_reference():
    claims = {"status": StatusReference(URI, 42).to_claim()}
    token = sign_now(prepare_jws(claims, algorithm="ES256", typ="dc+sd-jwt"), KEY)
    assert node("status-list.mjs", action="reference", token=token) == {"idx": 42, "uri": URI}


def test_we_read_the_list_of_sd_jwt_js(array, expected):
    statuses = [array.status_at(index) for index in range(array.size)]
    made = node(
        "status-list.mjs", action="writeJwt", statuses=statuses, bits=array.bits, payload={"sub": URI, "iat": SECONDS}
    )
    token = sign_now(prepare_jws(made["payload"], algorithm="ES256", typ=made["header"]["typ"]), KEY)
    assert read(token) == expected
    with pytest.raises(BadSignature):
        verify_status_list_token(token, uri=URI, key=OTHER.public, now=NOW)


def test_owf_reads_our_cwt(array, expected):
    # This peer cannot read a list without exp and aggregation_uri, which the draft makes optional.
    dates = {"issued_at": NOW, "expires_at": NOW + timedelta(days=1), "ttl": timedelta(hours=1)}
    options = {"uri": URI, "algorithm": "ES256", "aggregation_uri": "https://issuer.example/all"}
    token = sign_now(prepare_status_list_cwt(array, **dates, **options), KEY)
    found = node("status-list.mjs", action="readCwt", token=token.hex(), indices=INDICES)
    assert found == {"subject": URI, "issuedAt": SECONDS, "timeToLive": 3600, "statuses": expected}


def test_we_read_the_claims_of_an_owf_cwt(array, expected):
    statuses = [array.status_at(index) for index in range(array.size)]
    claims = {"sub": URI, "iat": SECONDS, "exp": SECONDS + 3600, "ttl": 60, "all": "https://issuer.example/all"}
    made = node("status-list.mjs", action="writeCwt", statuses=statuses, bits=array.bits, **claims)
    protected = {TYPE: "application/statuslist+cwt"}
    unsigned = prepare_sign1(bytes.fromhex(made["payload"]), algorithm="ES256", protected=protected, tagged=True)
    assert read(sign_now(unsigned, KEY)) == expected


# ------------------------------------------------------------------------------------------------------ trusted lists


@pytest.fixture(scope="module")
def root() -> Authority:
    return make_root(SubjectName("Root", "Operator Ltd"), key=PrivateKey.generate(), now=NOW)


@pytest.fixture(scope="module")
def operator(root: Authority) -> tuple[bytes, ...]:
    name = SubjectName("List signer", "Operator Ltd")
    return to_der(make_leaf(root, name, key=KEY.public, purpose=Purpose.TRUSTED_LIST, now=NOW))


@pytest.fixture
def trusted_list(root: Authority, operator: tuple[bytes, ...]) -> str:
    unsigned = prepare_trusted_list(
        [ListedService("Registrar", "WRPRC/Issuance", [root.certificate], "https://registrar.example")],
        list_type="EUWRPRCProvidersList",
        operator="Operator Ltd",
        territory="UT",
        sequence_number=3,
        issued_at=NOW,
        next_update=NOW + timedelta(days=30),
        signer=("ES256", operator),
    )
    return sign_now(unsigned, KEY)


def test_openvc_reads_our_trusted_list(root, trusted_list):
    found = lote.consume_lote(trusted_list, expected_signer_certs=[root.certificate], now=NOW)
    ours = verify_trusted_list(trusted_list, source="list", anchors=root.anchor(Purpose.TRUSTED_LIST), now=NOW)

    assert (found.sequence_number, found.tsl_type) == (ours.sequence_number, ours.list_type)
    assert [service.certificate for provider in found.providers for service in provider.services] == [
        anchor.certificate for anchor in ours.anchors.anchors
    ]


def test_eudi_lote_finds_our_trusted_list_valid(trusted_list):
    found = node("status-lote.mjs", action="validate", list=json.loads(b64u_decode(trusted_list.split(".")[1])))
    assert found["valid"], found


def test_we_read_the_trusted_list_of_eudi_lote(root, operator):
    pem = to_pem(x509.load_der_x509_certificate(operator[0])).decode()
    made = node(
        "status-lote.mjs",
        action="sign",
        key=KEY.to_jwk(),
        x5c=[pem],
        certificate=x5c_header([root.der])[0],
        operator="Operator Ltd",
        now=f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
        next=f"{NOW + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
    )
    found = verify_trusted_list(made["jws"], source="list", anchors=root.anchor(Purpose.TRUSTED_LIST), now=NOW)
    assert [anchor.certificate for anchor in found.anchors.for_purpose(Purpose.PID)] == [root.certificate]


# ------------------------------------------------------------------------------------------------------ registrations


def test_openvc_and_we_agree_about_a_registration(root):
    registrar = make_leaf(root, SubjectName("R", "R"), key=KEY.public, purpose=Purpose.REGISTRATION, now=NOW)
    party = SubjectName("Shop", "Shop", "NTRUT-1")
    shop = to_der(make_leaf(root, party, key=KEY.public, purpose=Purpose.ACCESS, now=NOW))
    registered = {"format": "dc+sd-jwt", "meta": {"vct_values": ["urn:pid"]}, "claim": [{"path": ["address"]}]}
    claims = RegistrationClaims.model_validate(
        {
            "name": "Shop",
            "sub": "NTRUT-1",
            "sub_ln": "Shop",
            "entitlements": [f"{ENTITLEMENT}Service_Provider"],
            "iat": SECONDS,
            "exp": SECONDS + 86400,
            "credentials": [registered],
        }
    )
    token = sign_now(prepare_registration(claims, algorithm="ES256", x5c=to_der(registrar)), KEY)
    access = verify_chain(shop, anchors=root.anchor(Purpose.ACCESS), purpose=Purpose.ACCESS, now=NOW)
    ours = verify_registration(token, access=access, anchors=root.anchor(Purpose.REGISTRATION), now=NOW)
    theirs = rp_registration.verify_rp_registration_certificate(token, trust_anchors=[root.certificate], now=NOW)

    assert (theirs.trade_name, theirs.subject_identifier) == (ours.name, ours.claims.sub)
    for path, within in ((["address"], True), (["address", "locality"], True), (["family_name"], False)):
        asked = {"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:pid"]}, "claims": [{"path": path}]}
        query = {"credentials": [asked]}
        assert (ours.excess(query) == ()) is within
        if within:
            rp_registration.check_request_within_registration(theirs, query)
        else:
            with pytest.raises(rp_registration.RpRegistrationError):
                rp_registration.check_request_within_registration(theirs, query)
