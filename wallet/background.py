"""The table of the wallet's jobs, and its migrations: one folder for its own tables, one for the vault's."""

from pathlib import Path
from typing import Final

from byoid.service.jobs import jobs_table
from byoid.service.migrations import Migrations
from wallet import attestation_tables, content_tables, notice_tables
from wallet.tables import VaultTable, WalletTable

JOBS: Final = jobs_table(WalletTable.metadata)
# Named, so that the metadata has them.
KEPT: Final = (
    content_tables.Item,
    attestation_tables.Attestation,
    notice_tables.Subscription,
    notice_tables.PendingNotice,
)
_FOLDER: Final = Path(__file__).parent / "migrations"
MIGRATIONS: Final = Migrations(WalletTable.metadata, _FOLDER / "wallet", "wallet_version")
VAULT_MIGRATIONS: Final = Migrations(VaultTable.metadata, _FOLDER / "vault", "vault_version")
