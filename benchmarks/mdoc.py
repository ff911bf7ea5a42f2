"""mdoc: issue 25 elements, present 5 of them over an OpenID4VP session, verify with a known issuer and by its chain."""

from benchmarks import floor_mdoc
from benchmarks.inputs import CLIENT_ID, NONCE, NOW, RESPONSE_URI, SHOWN_ELEMENTS, Inputs
from benchmarks.yardstick import Operation, Row, installed
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.mdoc.session import session_transcript_redirect
from byoid.formats.mdoc.structures import parse_device_response
from byoid.formats.mdoc.verify import VerifiedMdoc, verify_document
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import ChainCache, verify_chain


def rows(inputs: Inputs) -> list[Row]:
    transcript = session_transcript_redirect(CLIENT_ID, NONCE, RESPONSE_URI, inputs.verifier.public.thumbprint)
    held = HeldMdoc.from_bytes(inputs.issue_mdl())

    def present() -> bytes:
        unsigned = held.prepare_response(SHOWN_ELEMENTS, session_transcript=transcript, algorithm="ES256")
        return sign_now(unsigned, inputs.holder)

    response = present()

    def verify() -> VerifiedMdoc:
        (document,) = parse_device_response(response).documents
        return verify_document(document, issuer_key=inputs.issuer.public, session_transcript=transcript, now=NOW)

    def verify_by_chain(cache: ChainCache | None = None) -> VerifiedMdoc:
        (document,) = parse_device_response(response).documents
        chain = verify_chain(document.x5chain, anchors=inputs.anchors, purpose=Purpose.MDOC, now=NOW, cache=cache)
        return verify_document(
            document,
            issuer_key=chain.public_key,
            session_transcript=transcript,
            now=NOW,
            issuer_certificate=chain.leaf,
        )

    cache = ChainCache()
    return [
        Row("mdoc.issue", inputs.issue_mdl, goal_y=2.0, peers={"floor": floor_mdoc.issue_mdoc(inputs)}),
        Row("mdoc.present", present, goal_y=0.8, peers={"floor": _floor_of_presenting(inputs, held, transcript)}),
        Row(
            "mdoc.verify",
            verify,
            goal_y=3.3,
            peers={"floor": floor_mdoc.verify_mdoc(inputs, response, transcript)}
            | installed({"isomdoc": ("isomdoc", lambda: _verify_with_isomdoc(response, transcript))}),
        ),
        Row(
            "mdoc.verify_chain",
            verify_by_chain,
            goal_y=5.5,
            peers={"floor": floor_mdoc.verify_mdoc_chain(inputs, response, transcript)}
            | installed({"openvc-core": ("openvc", lambda: _verify_with_openvc(inputs, response, transcript))}),
        ),
        Row("mdoc.verify_chain_cached", lambda: verify_by_chain(cache), goal_y=3.3),
    ]


def _floor_of_presenting(inputs: Inputs, held: HeldMdoc, transcript: bytes) -> Operation:
    shown = [held.issuer_signed.namespaces[namespace][name].encoded for namespace, name in SHOWN_ELEMENTS]
    issuer_auth = held.raw.rpartition(b"\x6aissuerAuth")[2]
    return floor_mdoc.present_mdoc(inputs, shown, issuer_auth, transcript)


def _verify_with_isomdoc(response: bytes, transcript: bytes) -> Operation:
    """Issuer and device signature; neither chain nor dates."""
    import cbor2
    import isomdoc

    decoded = cbor2.loads(transcript)
    return lambda: isomdoc.verify_device_response(response, decoded)


def _verify_with_openvc(inputs: Inputs, response: bytes, transcript: bytes) -> Operation:
    from openvc import mdoc

    anchors = [inputs.root.certificate]
    return lambda: mdoc.verify_device_response(response, trust_anchors=anchors, session_transcript=transcript)
