"""OpenID4VP 1.0: requesting, answering and judging presentations of credentials."""
