"""What a signer must be trusted for, by format and type of what it signs."""

import pytest

from byoid.errors import UntrustedIssuer
from byoid.trust.anchors import Purpose
from byoid.trust.signers import demanded_purposes, is_pid, require_pid_provider

PID, CARD = "urn:eudi:pid:1", "urn:example:card:1"


@pytest.mark.parametrize(
    ("types", "purposes"),
    [
        ([PID], (Purpose.PID,)),
        ([CARD], (Purpose.ATTESTATION,)),
        ([CARD, PID], (Purpose.PID, Purpose.ATTESTATION)),
        (None, (Purpose.PID, Purpose.ATTESTATION)),
    ],
)
def test_the_types_demand_a_kind_of_signer(types, purposes):
    assert demanded_purposes(types, mdoc=False) == purposes
    assert demanded_purposes(types, mdoc=True) == (Purpose.MDOC,)


@pytest.mark.parametrize("type_", [PID, "urn:eudi:pid:de:1", "eu.europa.ec.eudi.pid.1", "eu.europa.ec.eudi.pid.de.1"])
def test_every_form_of_a_pid_is_known(type_):
    assert is_pid([CARD, type_])


@pytest.mark.parametrize("type_", ["urn:eudi:pid", "x:urn:eudi:pid:1", "urn:EUDI:pid:1", ""])
def test_what_only_looks_like_a_pid_is_none(type_):
    assert not is_pid([type_])


@pytest.mark.hostile
def test_a_pid_demands_an_anchor_that_is_trusted_for_pids(pki):
    others = pki.root.anchor(Purpose.ATTESTATION)
    require_pid_provider([CARD], others.anchors[0], anchors=others)
    with pytest.raises(UntrustedIssuer, match="PID provider"):
        require_pid_provider([CARD, PID], others.anchors[0], anchors=others)


def test_another_entry_for_the_same_certificate_counts(pki):
    others = pki.root.anchor(Purpose.ATTESTATION)
    require_pid_provider([PID], others.anchors[0], anchors=others.union(pki.root.anchor(Purpose.PID)))
