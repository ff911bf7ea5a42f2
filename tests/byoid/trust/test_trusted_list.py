"""Lists of trusted entities: ETSI TS 119 602."""

import base64
import time
from datetime import timedelta, timezone

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from byoid.errors import (
    BadSignature,
    Expired,
    MalformedInput,
    NotYetValid,
    Replayed,
    UntrustedIssuer,
    WrongType,
)
from byoid.jose import parse_jws, prepare_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors
from byoid.trust.pki import SubjectName, make_leaf, to_der
from byoid.trust.trusted_list import LIST_TYPE, SERVICE_TYPE, ListedService, prepare_trusted_list, verify_trusted_list
from byoid.trust.x509 import verify_chain

SOURCE = "https://lists.example/pid.jwt"
OPERATOR = SubjectName("List signer", "List Operator")


@pytest.fixture
def operator(pki, now):
    key = PrivateKey.generate()
    leaf = make_leaf(pki.root, OPERATOR, key=key.public, purpose=Purpose.TRUSTED_LIST, now=now)
    return key, leaf


@pytest.fixture
def signers(pki):
    return pki.root.anchor(Purpose.TRUSTED_LIST)


def scheme(now, **changes):
    return {
        "LoTEVersionIdentifier": 1,
        "LoTESequenceNumber": 5,
        "LoTEType": f"{LIST_TYPE}EUPIDProvidersList",
        "SchemeOperatorName": [{"lang": "en", "value": "List Operator"}],
        "SchemeTerritory": "UT",
        "ListIssueDateTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "NextUpdate": f"{now + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}",
        **changes,
    }


def entity(*certificates, service_type="PID/Issuance", name="Provider", extensions=(), **changes):
    return {
        "TrustedEntityInformation": {
            "TEName": [{"lang": "en", "value": name}],
            "TEInformationExtensions": list(extensions),
        },
        "TrustedEntityServices": [
            {
                "ServiceInformation": {
                    "ServiceTypeIdentifier": SERVICE_TYPE + service_type,
                    "ServiceName": [{"lang": "en", "value": "Service"}],
                    "ServiceDigitalIdentity": {"X509Certificates": [{"val": text} for text in certificates]},
                    **changes,
                }
            }
        ],
    }


@pytest.fixture
def publish(operator, now):
    def build(*entities, key=None, x5c=None, typ="trustlist+jwt", members=None, **changes):
        own, leaf = operator
        content = {"ListAndSchemeInformation": scheme(now, **changes), "TrustedEntitiesList": list(entities)}
        header = {"x5c": x5c_header(to_der(leaf) if x5c is None else x5c)}
        unsigned = prepare_jws(members or {"LoTE": content}, algorithm="ES256", typ=typ, header=header)
        return sign_now(unsigned, key or own)

    return build


def text(certificate):
    return base64.b64encode(to_der(certificate)[0]).decode()


def read(token, signers, now, **options):
    return verify_trusted_list(token, source=SOURCE, anchors=signers, now=now, **options)


def test_a_list_becomes_anchors_of_its_services(pki, publish, signers, now):
    token = publish(
        entity(text(pki.root.certificate), name="PID Provider"),
        entity(text(pki.leaf), service_type="PID/Revocation", name="Status Issuer"),
    )
    trusted = read(token, signers, now, list_type=f"{LIST_TYPE}EUPIDProvidersList", last_sequence_number=5)

    assert trusted.source == SOURCE
    assert trusted.sequence_number == 5
    assert trusted.issued_at == now
    assert trusted.next_update == now + timedelta(days=30)
    assert trusted.anchors.anchors == (
        TrustAnchor(pki.root.certificate, frozenset({Purpose.PID, Purpose.MDOC}), SOURCE, name="PID Provider"),
        TrustAnchor(pki.leaf, frozenset({Purpose.STATUS}), SOURCE, pinned=True, name="Status Issuer"),
    )
    assert verify_chain(pki.chain, anchors=trusted.anchors, purpose=Purpose.PID, now=now).anchor.source == SOURCE


def test_what_is_prepared_is_verified(pki, operator, signers, now):
    key, leaf = operator
    unsigned = prepare_trusted_list(
        [ListedService("Access CA", "WRPAC/Issuance", [pki.root.certificate], "https://ca.example")],
        list_type="EUWRPACProvidersList",
        operator="List Operator",
        territory="UT",
        sequence_number=1,
        issued_at=now,
        next_update=now + timedelta(days=1),
        signer=("ES256", to_der(leaf)),
    )
    trusted = read(sign_now(unsigned, key), signers, now)
    assert trusted.list_type == f"{LIST_TYPE}EUWRPACProvidersList"
    assert [anchor.purposes for anchor in trusted.anchors.anchors] == [{Purpose.ACCESS}]


def test_the_signer_of_a_list_can_be_pinned(pki, publish, operator, now):
    pinned = TrustAnchors([TrustAnchor(operator[1], frozenset({Purpose.TRUSTED_LIST}), "journal", pinned=True)])
    assert read(publish(), pinned, now).anchors.anchors == ()


@pytest.mark.parametrize(
    ("service_type", "purposes"),
    [
        ("PubEAA/Issuance", {Purpose.ATTESTATION, Purpose.MDOC}),
        ("EAA/Issuance", {Purpose.ATTESTATION, Purpose.MDOC}),
        ("WalletSolution/Issuance", {Purpose.WALLET_PROVIDER}),
        ("WRPAC/Issuance", {Purpose.ACCESS}),
        ("WRPRC/Issuance", {Purpose.REGISTRATION}),
        ("WRPRC/Revocation", {Purpose.STATUS}),
    ],
)
def test_each_service_has_its_purposes(pki, publish, signers, now, service_type, purposes):
    token = publish(entity(text(pki.root.certificate), service_type=service_type), LoTEType=None)
    assert [anchor.purposes for anchor in read(token, signers, now).anchors.anchors] == [purposes]


@pytest.mark.parametrize("typ", [None, "JOSE", "trustlist+jwt"])
def test_lists_are_typed_in_several_ways(publish, signers, now, typ):
    assert read(publish(typ=typ), signers, now).sequence_number == 5


def test_a_list_without_wrapper_is_read(publish, signers, now):
    assert read(publish(members={"ListAndSchemeInformation": scheme(now)}), signers, now).sequence_number == 5


@pytest.mark.parametrize(("status", "count"), [("x/SvcStatus/notified", 1), ("x/granted", 1), ("x/withdrawn", 0)])
def test_a_service_that_was_withdrawn_gives_no_anchor(pki, publish, signers, now, status, count):
    token = publish(entity(text(pki.root.certificate), ServiceStatus=status))
    assert len(read(token, signers, now).anchors) == count


@pytest.mark.parametrize(
    ("begins", "count"),
    [
        ("2026-06-01T12:00:00Z", 1),
        ("2026-06-01T11:59:59.000Z", 1),
        ("2026-06-01T12:00:01Z", 0),
        ("2026-06-01T11:00:00", 0),
        ("soon", 0),
    ],
)
def test_a_service_whose_status_has_not_begun_gives_no_anchor(pki, publish, signers, now, begins, count):
    token = publish(entity(text(pki.root.certificate), ServiceStatus="x/granted", StatusStartingTime=begins))
    assert len(read(token, signers, now).anchors) == count


@pytest.mark.parametrize("service_type", ["Register", "WRPAC/Revocation", "Unheard/Of"])
def test_a_service_of_another_kind_gives_no_anchor(pki, publish, signers, now, service_type):
    assert len(read(publish(entity(text(pki.root.certificate), service_type=service_type)), signers, now).anchors) == 0


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("list_type", "own"),
    [
        ("EUPIDProvidersList", "PID/Issuance"),
        ("EUWalletProvidersList", "WalletSolution/Issuance"),
        ("EUWRPACProvidersList", "WRPAC/Issuance"),
        ("EUWRPRCProvidersList", "WRPRC/Issuance"),
        ("EUPubEAAProvidersList", "PubEAA/Issuance"),
    ],
)
def test_a_list_speaks_about_no_services_of_other_lists(pki, publish, signers, now, list_type, own):
    services = [
        "PID/Issuance", "PID/Revocation", "WalletSolution/Issuance", "WalletSolution/Revocation", "WRPAC/Issuance",
        "WRPRC/Issuance", "WRPRC/Revocation", "PubEAA/Issuance", "PubEAA/Revocation", "EAA/Issuance",
    ]  # fmt: skip
    entities = [entity(text(pki.root.certificate), service_type=each, name=each) for each in services]
    found = read(publish(*entities, LoTEType=LIST_TYPE + list_type), signers, now).anchors.anchors

    kind = own.partition("/")[0] + "/"
    assert [anchor.name for anchor in found] == [each for each in services if each.startswith(kind)]


@pytest.mark.hostile
def test_a_list_speaks_only_about_what_the_caller_lets_it(pki, publish, signers, now):
    token = publish(entity(text(pki.root.certificate)), entity(text(pki.leaf), service_type="PID/Revocation"))
    found = read(token, signers, now, purposes=[Purpose.PID]).anchors.anchors
    assert [anchor.purposes for anchor in found] == [{Purpose.PID}]


@pytest.mark.hostile
def test_no_list_names_operators_of_lists(pki, publish, signers, now):
    services = [entity(text(pki.root.certificate), service_type=each) for each in ("LoTE/Issuance", "TrustedList")]
    assert len(read(publish(*services, LoTEType=None), signers, now).anchors) == 0


@pytest.mark.parametrize("number", [0, 1, 7])
def test_who_has_read_no_list_before_takes_any_number(publish, signers, now, number):
    assert read(publish(LoTESequenceNumber=number), signers, now).sequence_number == number


def test_a_list_is_current_to_the_second_of_its_next_update(publish, signers, now):
    token = publish()
    assert read(token, signers, now + timedelta(days=30)).sequence_number == 5
    with pytest.raises(Expired):
        read(token, signers, now + timedelta(days=30, seconds=1))


def test_a_certificate_that_says_it_is_no_ca_is_pinned(forge, publish, signers, now):
    leaf = x509.load_der_x509_certificate(forge(ca=False))
    assert [anchor.pinned for anchor in read(publish(entity(text(leaf))), signers, now).anchors.anchors] == [True]


@pytest.mark.hostile
def test_base64_of_a_certificate_holds_no_other_characters(pki, publish, signers, now):
    whole = text(pki.root.certificate)
    trusted = read(publish(entity(f"{whole[:8]}!{whole[8:]}")), signers, now)
    assert (len(trusted.anchors), trusted.unreadable) == (0, 1)


@pytest.mark.hostile
@pytest.mark.parametrize("broken", ["!", "", "AAAA"])
def test_a_certificate_that_cannot_be_read_gives_no_anchor(pki, publish, signers, now, broken):
    trusted = read(publish(entity(broken, text(pki.root.certificate))), signers, now)
    assert len(trusted.anchors) == 1
    assert trusted.unreadable == 1


@pytest.mark.hostile
def test_an_extension_that_cannot_be_read_takes_nobody_elses_trust_away(pki, forge, publish, signers, now):
    x400 = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3002a300"))
    broken = base64.b64encode(forge(extra=[(x400, False)])).decode()
    trusted = read(publish(entity(broken, text(pki.root.certificate))), signers, now)
    assert len(trusted.anchors) == 1
    assert trusted.unreadable == 1


@pytest.mark.hostile
def test_a_certificate_without_extensions_is_pinned(forge, publish, signers, now):
    leaf = x509.load_der_x509_certificate(forge())
    assert read(publish(entity(text(leaf))), signers, now).anchors.anchors[0].pinned


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"key": PrivateKey.generate()}, BadSignature),
        ({"x5c": ()}, MalformedInput),
        ({"typ": "statuslist+jwt"}, WrongType),
        ({"SchemeOperatorName": [{"lang": "en", "value": "Another"}]}, UntrustedIssuer),
        ({"SchemeTerritory": "XX"}, UntrustedIssuer),
        ({"LoTESequenceNumber": 4}, Replayed),
        ({"LoTEType": f"{LIST_TYPE}EUWRPACProvidersList"}, WrongType),
        ({"LoTEType": None}, WrongType),
        ({"LoTEVersionIdentifier": 2}, MalformedInput),
        ({"LoTESequenceNumber": True}, MalformedInput),
        ({"SchemeOperatorName": []}, MalformedInput),
        ({"NextUpdate": None}, Expired),
        ({"NextUpdate": "2026-05-31T00:00:00Z"}, Expired),
        ({"NextUpdate": "2026-12-31"}, MalformedInput),
        ({"NextUpdate": "2026-12-31T00:00:00+01:00"}, MalformedInput),
        ({"ListIssueDateTime": "2026-06-02T00:00:00Z"}, NotYetValid),
        ({"SchemeExtensions": [{"critical": True}]}, MalformedInput),
        ({"members": {"LoTE": []}}, MalformedInput),
        ({"members": {"LoTE": {}}}, MalformedInput),
        ({"members": b"junk"}, MalformedInput),
    ],
)
def test_a_bad_list_is_refused(publish, signers, now, changes, error):
    with pytest.raises(error):
        read(publish(**changes), signers, now, list_type=f"{LIST_TYPE}EUPIDProvidersList", last_sequence_number=5)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "changes",
    [{"extensions": [{"Critical": True}]}, {"ServiceInformationExtensions": [{"critical": True}]}],
    ids=["entity", "service"],
)
def test_a_critical_extension_anywhere_refuses_the_list(publish, signers, now, changes):
    with pytest.raises(MalformedInput, match="critical"):
        read(publish(entity(**changes)), signers, now)


@pytest.mark.hostile
def test_a_critical_extension_of_the_scheme_or_an_entity_is_found_among_others(publish, signers, now):
    critical, others = [{"critical": True}], [{"critical": False}]
    with pytest.raises(MalformedInput, match="critical"):
        read(publish(entity(extensions=others), SchemeExtensions=critical), signers, now)
    with pytest.raises(MalformedInput, match="critical"):
        read(publish(entity(extensions=critical), entity(extensions=others)), signers, now)


def test_extensions_that_are_not_critical_are_passed_over(publish, signers, now):
    extensions = [{"critical": False, "OtherInformation": "x"}, {"Critical": False}, "a text"]
    assert read(publish(entity(extensions=extensions), SchemeExtensions=extensions), signers, now)


@pytest.mark.hostile
def test_only_a_list_operator_signs_lists(pki, publish, now):
    with pytest.raises(UntrustedIssuer):
        read(publish(), pki.root.anchor(Purpose.PID), now)


@pytest.fixture
def far_from_utc(monkeypatch):
    """The machine's local time is another."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
def test_a_list_that_we_prepare_has_every_member_that_the_standard_demands(pki, operator, now):
    key, leaf = operator
    service = ListedService(
        entity="Provider", country="UT", service_type="PID/Issuance", certificates=(pki.root.certificate,),
        information_uri="https://provider.example",
    )  # fmt: skip
    elsewhere = now.astimezone(timezone(timedelta(hours=5)))

    unsigned = prepare_trusted_list(
        [service], list_type="EUPIDProvidersList", operator="List Operator", territory="UT", sequence_number=1,
        issued_at=elsewhere, next_update=elsewhere + timedelta(days=1), signer=("ES256", to_der(leaf)),
    )  # fmt: skip
    jws = parse_jws(sign_now(unsigned, key))

    uri, name = [{"lang": "en", "uriValue": "https://provider.example"}], [{"lang": "en", "value": "Provider"}]
    postal = {"lang": "en", "StreetAddress": "-", "Locality": "-", "PostalCode": "-", "Country": "UT"}
    certificate = base64.b64encode(to_der(pki.root.certificate)[0]).decode()
    assert jws.header == {
        "alg": "ES256",
        "typ": "trustlist+jwt",
        "x5c": x5c_header(to_der(leaf)),
        "iat": int(now.timestamp()),
    }
    assert jws.claims() == {
        "LoTE": {
            "ListAndSchemeInformation": {
                "LoTEVersionIdentifier": 1,
                "LoTESequenceNumber": 1,
                "LoTEType": f"{LIST_TYPE}EUPIDProvidersList",
                "SchemeOperatorName": [{"lang": "en", "value": "List Operator"}],
                "SchemeTerritory": "UT",
                "ListIssueDateTime": "2026-06-01T12:00:00Z",
                "NextUpdate": "2026-06-02T12:00:00Z",
            },
            "TrustedEntitiesList": [
                {
                    "TrustedEntityInformation": {
                        "TEName": name,
                        "TEAddress": {"TEPostalAddress": [postal], "TEElectronicAddress": uri},
                        "TEInformationURI": uri,
                    },
                    "TrustedEntityServices": [
                        {
                            "ServiceInformation": {
                                "ServiceTypeIdentifier": f"{SERVICE_TYPE}PID/Issuance",
                                "ServiceName": name,
                                "ServiceDigitalIdentity": {"X509Certificates": [{"val": certificate}]},
                            }
                        }
                    ],
                }
            ],
        }
    }
