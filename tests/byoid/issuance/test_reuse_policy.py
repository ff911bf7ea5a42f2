from typing import Any

import pytest

from byoid.errors import MalformedInput, PeerError
from byoid.issuance.reuse_policy import ReuseMethod, parse_reuse_policy, select_reuse

ONCE = {"details": ["once_only"], "batch_size": 30, "reissue_trigger_unused": 3}
LIMITED = {"details": ["limited_time"], "reissue_trigger_lifetime_left": 86400}


def policy(*options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"id": "arf_annex_ii", "options": list(options), **changes}


@pytest.mark.parametrize(
    "option",
    [
        ONCE,
        LIMITED,
        {"details": ["per-relying-party", "once_only"], "batch_size": 30, "reissue_trigger_unused": 3},
        {"details": ["rotating-batch", "limited_time"], "batch_size": 5, "reissue_trigger_lifetime_left": 60},
        {"details": ["rotating_batch", "per_relying_party", "limited-time"], "batch_size": 5,
         "reissue_trigger_lifetime_left": 60},
    ],
)  # fmt: skip
def test_the_policies_of_the_arf_are_understood_in_both_spellings(option: dict[str, Any]) -> None:
    parsed = parse_reuse_policy(policy(option))

    assert parse_reuse_policy(parsed.to_wire()) == parsed
    assert [each.replace("-", "_") for each in parsed.options[0].details] == [
        each.replace("-", "_") for each in option["details"]
    ]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(policy(), id="no option"),
        pytest.param(policy(ONCE, id="other"), id="another kind of policy"),
        pytest.param(policy({**ONCE, "details": []}), id="no method"),
        pytest.param(policy({**ONCE, "details": ["twice_only"]}), id="unknown method"),
        pytest.param(policy({**ONCE, "details": [1]}), id="method no text"),
        pytest.param(policy({**ONCE, **LIMITED, "details": ["once_only", "limited_time"]}), id="A and B"),
        pytest.param(policy({**ONCE, "details": ["per-relying-party"]}), id="neither A nor B"),
        pytest.param(policy({**ONCE, "details": ["once_only", "per-relying-party"]}), id="A before D"),
        pytest.param(policy({**ONCE, "details": ["once_only", "once_only"]}), id="A twice"),
        pytest.param(policy({**ONCE, "batch_size": None}), id="A without batch size"),
        pytest.param(policy({**ONCE, "batch_size": 0}), id="batch of none"),
        pytest.param(policy({**ONCE, "reissue_trigger_unused": None}), id="A without trigger"),
        pytest.param(policy({**ONCE, "reissue_trigger_unused": 30}), id="trigger as large as the batch"),
        pytest.param(policy({**LIMITED, "reissue_trigger_lifetime_left": None}), id="B without trigger"),
        pytest.param(policy({**LIMITED, "reissue_trigger_unused": 1}), id="B with a trigger and no batch"),
        pytest.param(policy({**LIMITED, "details": ["rotating-batch", "limited_time"]}), id="C without batch size"),
    ],
)
def test_a_policy_with_a_defect_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        parse_reuse_policy(wrong)


def test_the_first_method_that_the_wallet_supports_is_chosen() -> None:
    parsed = parse_reuse_policy(
        policy(
            {
                **ONCE,
                "details": ["per-relying-party", "rotating-batch", "once_only"],
                "reissue_trigger_lifetime_left": 1,
            }
        )
    )
    every, needed = set(ReuseMethod), {ReuseMethod.ONCE_ONLY, ReuseMethod.LIMITED_TIME}

    assert select_reuse(parsed, supported=every).method is ReuseMethod.PER_RELYING_PARTY
    assert select_reuse(parsed, supported=every - {ReuseMethod.PER_RELYING_PARTY}).method is ReuseMethod.ROTATING_BATCH
    chosen = select_reuse(parsed, supported=needed)
    assert (chosen.method, chosen.option.batch_size) == (ReuseMethod.ONCE_ONLY, 30)


def test_later_options_are_tried_in_order() -> None:
    parsed = parse_reuse_policy(policy(LIMITED, ONCE))

    assert select_reuse(parsed, supported={ReuseMethod.ONCE_ONLY}).method is ReuseMethod.ONCE_ONLY


@pytest.mark.hostile
def test_a_wallet_that_supports_no_method_must_not_pretend() -> None:
    with pytest.raises(PeerError):
        select_reuse(parse_reuse_policy(policy(ONCE)), supported={ReuseMethod.LIMITED_TIME})
