"""The key that wraps vault keys where a browser has no PRF, by the setting `WALLET_KEK`.

file:/var/lib/wallet/kek
pkcs11:/usr/lib/softhsm/libsofthsm2.so?token=wallet&key=vault&pin-file=/run/secrets/pin
"""

from pathlib import Path
from urllib.parse import parse_qsl

from byoid.errors import MalformedInput
from wallet.vault.kek import FileKek, Kek


def open_kek(setting: str) -> Kek:
    """Open the wrapping key.

    Raises:
        MalformedInput: the setting, the file or the HSM is not as expected.
    """
    kind, _, rest = setting.partition(":")
    if kind == "file" and rest:
        return FileKek.open(Path(rest))
    if kind != "pkcs11" or not rest:
        raise MalformedInput("expected WALLET_KEK to be file:path or pkcs11:library?token=…&key=…&pin-file=…")
    from wallet.vault.hsm import Pkcs11Kek  # the extra [hsm]

    library, _, query = rest.partition("?")
    chosen = dict(parse_qsl(query))
    try:
        pin = Path(chosen["pin-file"]).read_text("utf-8").strip()
    except (KeyError, OSError) as error:
        raise MalformedInput("WALLET_KEK has no pin-file that can be read") from error
    return Pkcs11Kek.open(
        library=library, token=chosen.get("token", "wallet"), pin=pin, label=chosen.get("key", "vault")
    )
