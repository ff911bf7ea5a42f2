"""Names that open the same account are counted as one."""

import pytest

from byoid.service.seal import Sealer
from issuer.guesses import Guess
from issuer.people import username_hash


@pytest.mark.hostile
@pytest.mark.parametrize("spelling", ["Alice", " alice ", "\uff41lice", "ALICE"])
def test_another_spelling_is_no_other_name(spelling: str) -> None:
    sealer = Sealer({"demo": bytes(range(32))})
    assert username_hash(sealer, spelling) == username_hash(sealer, "alice")
    assert Guess(spelling, "192.0.2.1").folded == Guess("alice", "192.0.2.1").folded
