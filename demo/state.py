"""The demo's state: one folder with certificates, keys, the register and three databases, made anew for each demo."""

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from byoid.encoding import b64u_encode
from byoid.service.settings import DEMO_KEY_ID
from demo.people import COUNT, COUNTRY, MUNICIPALITY, make_register
from demo.pki import PLAYGROUND, make_pki
from demo.tls import make_certificate
from issuer.settings import IssuerSettings
from verifier.login_keys import make_keys
from verifier.settings import VerifierSettings
from wallet.settings import WalletSettings

DEFAULT_STATE: Final = Path(__file__).parent / ".state"
_MARK: Final = "byoid-demo"  # only a folder with this file in it is ever deleted
STATUS_TTL_SECONDS: Final = 3


@dataclass(frozen=True)
class State:
    """Where everything of one demo is."""

    folder: Path
    host: str
    https: bool
    ports: dict[str, int]

    def url(self, service: str) -> str:
        """The address of `issuer`, `verifier` or `wallet`."""
        return f"{'https' if self.https else 'http'}://{self.host}:{self.ports[service]}"

    @property
    def pki(self) -> Path:
        """The certificates."""
        return self.folder / "pki"

    @property
    def register(self) -> Path:
        """The population register."""
        return self.folder / "register.db"

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Chain and key for https."""
        return (self.folder / "tls.pem", self.folder / "tls.key") if self.https else None

    @property
    def ca_file(self) -> Path | None:
        """Who certifies https here."""
        return self.folder / "ca.pem" if self.https else None


def make_state(folder: Path, *, host: str | None, seed: int, register: Path | None, now: datetime) -> State:
    """Make a new state, in place of an older one.

    Args:
        folder: where; an older demo's state there is deleted, anything else is left alone.
        host: a name or address of this machine, for https; None for http on localhost.
        seed: of the register.
        register: a register to use instead of a generated one, with the columns of `demo.people.Person`.
        now: the time.

    Raises:
        FileExistsError: the folder holds something else than a demo's state.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise FileExistsError(f"{folder} is not empty and holds no demo: choose another STATE=")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / _MARK).touch()
    ports = {name: int(os.environ.get(f"{name.upper()}_PORT", port)) for name, port in _PORTS.items()}
    state = State(folder, host or "localhost", host is not None, ports)
    make_pki(state.pki, host=state.host, now=now)
    make_keys(state.pki)
    if register is not None:
        shutil.copyfile(register, state.register)
    else:
        make_register(state.register, seed=seed, count=COUNT)
    if host is not None:
        make_certificate(folder, host=host, now=now)
    return state


_PORTS: Final = {"issuer": 8001, "verifier": 8002, "wallet": 8003}


def issuer_settings(state: State) -> IssuerSettings:
    """Return the settings of the agency's issuer: seconds where production has minutes and hours."""
    return IssuerSettings.load(
        **_common(state, "issuer"),
        agency_id="lindenmoor",
        agency_name=f"Gemeinde {MUNICIPALITY}",
        agency_country=COUNTRY,
        keys=state.pki,
        trust=state.pki / "trust.toml",
        wallet_endpoints=(f"{state.url('wallet')}/credential-offer",),
        require_client_attestation=False,  # any wallet that you like may be tried
        status_list_ttl=f"PT{STATUS_TTL_SECONDS}S",
        publish_interval="PT1S",
    )


def verifier_settings(state: State) -> VerifierSettings:
    """Return the settings of the verifier."""
    return VerifierSettings.load(
        **_common(state, "verifier"),
        keys=state.pki,
        trust=state.pki / "trust.toml",
        wallet_endpoints=({"name": "Demo wallet", "endpoint": f"{state.url('wallet')}/authorize"},),
        status_minimum="PT1S",
        playground_service=PLAYGROUND,
    )


def wallet_settings(state: State) -> WalletSettings:
    """Return the settings of the wallet."""
    kek = state.folder / "kek.key"
    if not kek.exists():
        kek.write_bytes(secrets.token_bytes(32))
        kek.chmod(0o600)
    return WalletSettings.load(
        **_common(state, "wallet"),
        keys=state.pki,
        trust=state.pki / "trust.toml",
        kek=f"file:{kek}",
        issuers=(state.url("issuer"),),
    )


def _common(state: State, service: str) -> dict[str, Any]:
    return {
        "profile": "demo",
        "allow_loopback_http": not state.https,
        "public_url": state.url(service),
        "database_url": f"sqlite:///{state.folder / service}.db",
        "sealing_keys": f"{DEMO_KEY_ID}-{service}:{b64u_encode(secrets.token_bytes(32))}",
        "ca_file": state.ca_file,
        # A phone's network is a private one, and so are the addresses of the three servers there.
        "allowed_networks": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8") if state.https else (),
        "log_level": "warning",
    }
