"""The columns that are sealed with the wallet's key ring: `python -m wallet reseal` seals them anew.

What citizens keep is sealed under their own keys, which the ring does not open.
"""

from typing import Final

from byoid.service.reseal import SealedColumn
from wallet import notice_store

SEALED: Final = (SealedColumn(notice_store.SUBSCRIPTION.c.sealed),)
