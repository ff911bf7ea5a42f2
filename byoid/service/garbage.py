"""The search for garbage in cycles, as a service needs it: seldom, and not through the application itself.

By default Python searches after every 700 new objects, and now and then through everything: modules, routes, models and
tables, some 0.15 s in which no request is answered. Called where a process makes its application, never at import.
"""

import gc
from typing import Final

_YOUNG: Final = 10_000  # objects, of which a request makes some hundreds and leaves few in cycles


def spare_application() -> None:
    """Take what there is now for no garbage, and search what comes after less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
