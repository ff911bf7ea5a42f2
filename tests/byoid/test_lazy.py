"""Properties that are computed once."""

from byoid.lazy import cached_property


class Counter:
    """Counts how often its property is computed."""

    calls = 0

    @cached_property
    def value(self) -> int:
        """The number of calls so far."""
        self.calls += 1
        return self.calls


def test_a_value_is_computed_once_for_each_instance() -> None:
    one, other = Counter(), Counter()

    assert [one.value, one.value, other.value] == [1, 1, 1]
    assert (one.calls, other.calls) == (1, 1)


def test_the_property_itself_keeps_its_text() -> None:
    assert Counter.value.__doc__ == "The number of calls so far."
