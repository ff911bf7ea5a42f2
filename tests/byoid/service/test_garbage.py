"""What a process does with garbage in cycles, once its application is made."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from byoid.service.garbage import spare_application


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.mark.usefixtures("collector")
def test_what_an_application_consists_of_is_not_searched() -> None:
    kept = [Knot()]

    spare_application()

    assert not any(each is kept[0] for each in gc.get_objects())
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[0] == 10_000


@pytest.mark.usefixtures("collector")
def test_garbage_that_comes_later_is_found() -> None:
    spare_application()
    garbage = weakref.ref(Knot())

    gc.collect()

    assert garbage() is None
