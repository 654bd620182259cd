"""Inhibition: of one cause only the first speaks, and what is doubtful does not speak at all.

This module owns which kinds share a cause, and what silences what: out of stock before a risk of it before
low stock before a late delivery, whose remedy the former name already; dead before slow before too much
stock; a supplier that is late as such before its single late orders; stale data before all that rests on
them.
"""

import numpy as np
import pandas as pd

from warning.kinds import Subject
from warning.rules import Rule

CAUSES = {
    **dict.fromkeys(("out_of_stock", "stockout_risk", "low_stock", "late_inbound"), "shortage"),
    **dict.fromkeys(("dead_stock", "slow_stock", "overstock"), "surplus"),
}


def cause(rule: Rule) -> str:
    """What the rule warns of; of the rules of one cause the first speaks."""
    return CAUSES.get(rule.kind, rule.kind)


def blinded(facts: pd.DataFrame, subject: Subject) -> np.ndarray:
    """(n,) where nothing can be told: the position or the supplier rests on a source that is stale."""
    if subject == "source":
        return np.zeros(len(facts), dtype=bool)
    return facts["stale_source"].notna().to_numpy()


class Voices:
    """Who has spoken so far, rule by rule in their order.

    over: voices that these must heed as well
    """

    def __init__(self, over: "Voices | None" = None) -> None:
        self._spoken: dict[str, np.ndarray] = {}
        self._late: set[str] = set()
        self._over = over

    def silenced(self, rule: Rule, facts: pd.DataFrame) -> np.ndarray:
        """(n,) where another rule speaks for the same cause already."""
        silent = self._spoken.get(cause(rule), np.zeros(len(facts), dtype=bool))
        if rule.kind == "late_inbound" and self._late:
            silent = silent | facts["late_supplier"].isin(self._late).to_numpy()
        return silent if self._over is None else silent | self._over.silenced(rule, facts)

    def speak(self, rule: Rule, facts: pd.DataFrame, where: np.ndarray) -> None:
        """Note that a rule has alerts at these positions, (n,)."""
        known = self._spoken.get(cause(rule))
        self._spoken[cause(rule)] = where if known is None else known | where
        if rule.kind == "supplier_late":
            self._late |= set(facts.loc[where, "about"])
