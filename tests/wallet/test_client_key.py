"""The key that the wallet shows to servers that register their clients: made once, printed as what to register."""

import json
from pathlib import Path

from typer.testing import CliRunner

from byoid.encoding import b64u_encode
from byoid.keys import PublicKey
from byoid.service.trust_files import load_signer
from wallet.__main__ import app
from wallet.provider import CLIENT_KEY


def test_the_client_key_is_made_once_and_only_its_public_half_is_printed(tmp_path: Path) -> None:
    environment = {
        "WALLET_PROFILE": "demo", "WALLET_PUBLIC_URL": "https://wallet.test", "WALLET_DATABASE_URL": "sqlite://",
        "WALLET_SEALING_KEYS": f"demo:{b64u_encode(b'w' * 32)}", "WALLET_KEK": "file:unused",
        "WALLET_KEYS": str(tmp_path), "WALLET_TRUST": str(tmp_path / "trust.toml"),
    }  # fmt: skip
    printed = [CliRunner().invoke(app, ["client-key"], env=environment).stdout for _ in range(2)]

    assert printed[0] == printed[1]
    (jwk,) = json.loads(printed[0])["keys"]
    assert PublicKey.from_jwk(jwk) == load_signer(tmp_path / CLIENT_KEY).key.public
    assert "d" not in jwk
    assert (tmp_path / CLIENT_KEY).stat().st_mode & 0o777 == 0o600
