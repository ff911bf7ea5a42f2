"""The vault: the part of the wallet that holds keys, verifies passkeys and signs; see `wallet/README.md`."""
