"""Preview: what a changed rule would have fired is what a plain count of the days says."""

from dataclasses import replace

import numpy as np
import pandas as pd

from warning.preview import preview
from warning.rerun import Day, rerun
from warning.rules import Rule

START = pd.Timestamp("2024-05-01")
RISK = Rule("risk", "stockout_risk", {"notice": 0.5}, hysteresis=0.0, cooldown_days=0)


def days(chances: list[list[float]]) -> list[Day]:
    """One day per row, one item per column."""
    return [
        Day(
            START + pd.Timedelta(days=number),
            pd.DataFrame(
                {
                    "sku": [f"k{k}" for k in range(len(row))],
                    "location": "s",
                    "on_hand": 5.0,
                    "stockout_probability": row,
                    "expected_lost_money": [10.0 * (k + 1) for k in range(len(row))],
                }
            ),
        )
        for number, row in enumerate(chances)
    ]


def test_a_rerun_is_a_plain_count_of_breaches():
    chances = np.random.default_rng(3).uniform(0, 1, (30, 7))
    fired = rerun([RISK], days(chances.tolist()))
    breach = chances >= 0.5
    begins = breach & ~np.vstack([np.zeros((1, 7), dtype=bool), breach[:-1]])
    assert fired.daily["opened"].tolist() == begins.sum(axis=1).tolist()
    assert fired.daily["open"].tolist() == breach.sum(axis=1).tolist()
    assert len(fired.alerts) == begins.sum()
    assert int(fired.alerts["resolved_on"].isna().sum()) == breach[-1].sum()


SEEN = days([[0.9, 0.4, 0.1, 0.6], [0.9, 0.6, 0.3, 0.6], [0.9, 0.6, 0.3, 0.1]])


def told(changed: list[Rule]) -> dict[str, str]:
    found = preview(changed, [RISK], SEEN).differences
    return dict(zip(found["sku"], found["change"], strict=True))


def test_a_lower_bound_fires_more_and_earlier():
    found = preview([replace(RISK, tiers={"notice": 0.3}, version=2)], [RISK], SEEN)
    assert found.daily[["opened", "opened_before"]].to_numpy().tolist() == [[3, 2], [1, 1], [0, 0]]
    assert found.daily[["open", "open_before"]].to_numpy().tolist() == [[3, 2], [4, 3], [3, 2]]
    assert found.differences[["sku", "change", "money_at_risk"]].to_numpy().tolist() == [
        ["k2", "new", 30.0],
        ["k1", "earlier", 20.0],
    ]
    assert found.summary() == {
        "days": 3,
        "alerts_a_day": 0.5,
        "alerts_a_day_before": 0.5,
        "open_at_the_end": 3,
        "open_at_the_end_before": 2,
        "new": 1,
        "earlier": 1,
    }


def test_every_kind_of_difference_is_told():
    assert told([replace(RISK, tiers={"notice": 0.7})]) == {"k3": "gone", "k1": "gone"}
    assert told([replace(RISK, tiers={"notice": 0.5, "critical": 0.8})]) == {"k0": "graver"}
    assert told([replace(RISK, tiers={"critical": 0.5})]) == {"k0": "graver", "k1": "graver", "k3": "graver"}
    # The breach of k3 is over before it has lasted two days.
    assert told([replace(RISK, pending_days=2)]) == {"k0": "later", "k1": "gone", "k3": "gone"}
    assert told([]) == {"k0": "gone", "k1": "gone", "k3": "gone"}
    assert told([RISK]) == {}


def test_a_rule_in_shadow_is_tried_as_if_it_were_live_and_dates_are_passed_over():
    trial = Rule("trial", "stockout_risk", {"notice": 0.3}, mode="shadow", priority=-1)
    found = preview([RISK, trial], [RISK], SEEN)
    assert set(found.differences["rule"]) == {"trial"}
    assert any("trial would run in shadow" in note for note in found.notes)
    later = replace(RISK, tiers={"notice": 0.3}, version=2, valid_from=pd.Timestamp("2030-01-01").date())
    assert len(preview([later], [RISK], SEEN).differences) == 2


def test_a_flood_is_named():
    calm = days([[0.1] * 9] * 3 + [[0.4] * 9])
    found = preview([replace(RISK, tiers={"notice": 0.3})], [RISK], calm)
    assert any("more than twice as many" in note for note in found.notes)
