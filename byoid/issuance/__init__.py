"""OpenID4VCI 1.0: messages, key proofs and encryption, for issuer and wallet."""
