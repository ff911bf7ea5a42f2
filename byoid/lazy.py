"""A property that is computed once, as functools has it.

Before Python 3.12 functools takes a lock for each first use, which costs more than most of what is computed. Two
threads may compute a value twice here: it is the same one, since objects with such properties never change.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:

    class cached_property:
        """Compute the value at its first use and keep it in the instance, where it is found from then on."""

        def __init__(self, compute: Callable[[Any], Any]) -> None:
            self._compute = compute
            self._name = compute.__name__
            self.__doc__ = compute.__doc__

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            """Compute and keep the value; on the class, return the property itself."""
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._compute(instance)
            return value
