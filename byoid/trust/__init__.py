"""Who is believed: anchors by purpose, certificate chains, revocation, registrations, lists of trusted entities."""
