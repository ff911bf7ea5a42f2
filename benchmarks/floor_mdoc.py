"""The floor of mdocs, as `floor` says it for SD-JWT VCs."""

import os
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.serialization import load_der_public_key

from benchmarks.floor import P256, check, check_chain, raw_signature, unb64u
from benchmarks.inputs import DOCTYPE, MDL, NAMESPACE, NOW, STATUS, VALID, Inputs
from benchmarks.yardstick import Operation


def issue_mdoc(inputs: Inputs) -> Operation:
    dumps, key, jwk = cbor2.dumps, inputs.issuer.native, inputs.holder.public.jwk
    device_key = {1: 2, -1: 1, -2: unb64u(jwk["x"]), -3: unb64u(jwk["y"])}
    tdates = [b"\xc0" + dumps(f"{moment:%Y-%m-%dT%H:%M:%SZ}") for moment in (NOW, NOW, NOW + VALID)]
    tail = (
        b"\x6ddeviceKeyInfo\xa1\x69deviceKey" + dumps(device_key) + b"\x67docType" + dumps(DOCTYPE)
        + b"\x6cvalidityInfo\xa3\x66signed%b\x69validFrom%b\x6avalidUntil%b" % tuple(tdates)
        + b"\x66status" + dumps({"status_list": {"idx": STATUS.index, "uri": STATUS.uri}})
    )  # fmt: skip
    head = b"\xa7\x67version\x631.0\x6fdigestAlgorithm\x67SHA-256\x6cvalueDigests\xa1" + dumps(NAMESPACE)
    auth = b"\x84\x43\xa1\x01\x26" + dumps({33: inputs.mdoc_chain[0]})
    items_head = b"\xa2\x6anameSpaces\xa1" + dumps(NAMESPACE) + b"\x98" + bytes((len(MDL),))

    def issue() -> bytes:
        salts, order = os.urandom(32 * len(MDL)), sorted(range(len(MDL)), key=lambda _: os.urandom(4))
        items, digests = [], {}
        for at, ((name, value), place) in enumerate(zip(MDL.items(), order, strict=True)):
            element = b"\xd9\x03\xec" + dumps(str(value)) if isinstance(value, date) else dumps(value, default=_date)
            item = b"\xa4\x68digestID%b\x66random\x58\x20%b\x71elementIdentifier%b\x6celementValue%b" % (
                dumps(place), salts[32 * at : 32 * at + 32], dumps(name), element
            )  # fmt: skip
            items.append(b"\xd8\x18" + dumps(item))
            digests[place] = sha256(items[-1]).digest()
        payload = b"\xd8\x18" + dumps(head + dumps(digests) + tail)
        signature = raw_signature(key, b"\x84\x6aSignature1\x43\xa1\x01\x26\x40" + dumps(payload))
        sealed = auth + dumps(payload) + b"\x58\x40" + signature
        return items_head + b"".join(items) + b"\x6aissuerAuth" + sealed

    return issue


def _date(encoder: Any, value: date) -> None:
    encoder.encode(cbor2.CBORTag(1004, value.isoformat()))


def present_mdoc(inputs: Inputs, shown: Sequence[bytes], issuer_auth: bytes, transcript: bytes) -> Operation:
    """The wallet has the items to send, and IssuerAuth, as bytes."""
    key, doctype, namespace = inputs.holder.native, cbor2.dumps(DOCTYPE), cbor2.dumps(NAMESPACE)

    def present() -> bytes:
        session = b"\x84\x74DeviceAuthentication" + transcript + doctype + b"\xd8\x18\x41\xa0"
        payload = cbor2.dumps(b"\xd8\x18" + cbor2.dumps(session))
        items = b"\xa2\x6anameSpaces\xa1" + namespace + bytes((0x80 | len(shown),)) + b"".join(shown)
        signature = raw_signature(key, b"\x84\x6aSignature1\x43\xa1\x01\x26\x40" + payload)
        return (
            b"\xa3\x67version\x631.0\x69documents\x81\xa3\x67docType" + doctype
            + b"\x6cissuerSigned" + items + b"\x6aissuerAuth" + issuer_auth
            + b"\x6cdeviceSigned\xa2\x6anameSpaces\xd8\x18\x41\xa0\x6adeviceAuth\xa1\x6fdeviceSignature"
            + b"\x84\x43\xa1\x01\x26\xa0\xf6\x58\x40" + signature + b"\x66status\x00"
        )  # fmt: skip

    return present


def verify_mdoc(inputs: Inputs, response: bytes, transcript: bytes) -> Operation:
    loads, dumps, issuer = cbor2.loads, cbor2.dumps, inputs.issuer.public.native

    def verify() -> dict[str, Any]:
        (document,) = loads(response)["documents"]
        protected, _, payload, signature = document["issuerSigned"]["issuerAuth"]
        assert protected == b"\xa1\x01\x26"
        check(issuer, signature, b"\x84\x6aSignature1\x43\xa1\x01\x26\x40" + dumps(payload))
        mso = loads(loads(payload).value)
        assert mso["version"] == "1.0" and mso["digestAlgorithm"] == "SHA-256"
        assert mso["docType"] == document["docType"] == DOCTYPE
        assert mso["validityInfo"]["validFrom"] <= NOW <= mso["validityInfo"]["validUntil"]
        elements: dict[str, Any] = {}
        for namespace, items in document["issuerSigned"]["nameSpaces"].items():
            digests = mso["valueDigests"][namespace]
            for tagged in items:
                item = loads(tagged.value)
                assert digests[item["digestID"]] == sha256(b"\xd8\x18" + dumps(tagged.value)).digest()
                elements[item["elementIdentifier"]] = item["elementValue"]
        device = mso["deviceKeyInfo"]["deviceKey"]
        assert (device[1], device[-1]) == (2, 1)
        key = load_der_public_key(P256 + device[-2] + device[-3])
        signed = document["deviceSigned"]
        session = b"\x84\x74DeviceAuthentication" + transcript + dumps(DOCTYPE)
        authentication = b"\xd8\x18" + dumps(session + b"\xd8\x18" + dumps(signed["nameSpaces"].value))
        protected, _, nothing, signature = signed["deviceAuth"]["deviceSignature"]
        assert protected == b"\xa1\x01\x26" and nothing is None
        check(key, signature, b"\x84\x6aSignature1\x43\xa1\x01\x26\x40" + dumps(authentication))
        return elements

    return verify


def verify_mdoc_chain(inputs: Inputs, response: bytes, transcript: bytes) -> Operation:
    verify, der = verify_mdoc(inputs, response, transcript), inputs.mdoc_chain[0]

    def verify_chain() -> Any:
        check_chain(inputs, der)
        return verify()

    return verify_chain
