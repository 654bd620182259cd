"""Rules: what is watched, against which level, and how bad each distance from it is.

This module owns a rule's shape, what makes one valid, the two presets and their changes by configuration.
A rule measures one distance, larger being worse, and each tier has a bound on it:

| kind | measure | tier is reached |
|---|---|---|
| no_position | 0 where the stock on hand is unknown | at the bound 0 |
| out_of_stock | −available ÷ safety stock | at the bound 0: nothing is available |
| stockout_risk | chance of a stockout within lead time + review | chance ≥ bound |
| low_stock | (basis − stock) ÷ basis: share below the basis | share ≥ bound; .1 = 10 % below, inclusive |
| overstock | (stock − basis) ÷ basis: share above the basis | share ≥ bound; .2 = 20 % above, inclusive |
"""

import difflib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

from ingestion.errors import Problem

Kind = Literal["no_position", "out_of_stock", "stockout_risk", "low_stock", "overstock"]
TIERS = ("notice", "warning", "critical")  # yellow, orange, red: ascending


class Shape(NamedTuple):
    """What a kind of rule may say: its levels, its stocks (the defaults first), its range of bounds."""

    bases: tuple[str, ...]
    stocks: tuple[str, ...]
    bounds: tuple[float, float]


KINDS: dict[str, Shape] = {
    "no_position": Shape(("none",), ("available",), (0.0, 0.0)),
    "out_of_stock": Shape(("safety_stock",), ("available",), (0.0, 0.0)),
    "stockout_risk": Shape(("none",), ("projected",), (1e-6, 1.0)),
    "low_stock": Shape(
        ("safety_stock", "reorder_point"), ("projected", "available", "position"), (0.0, math.inf)
    ),
    "overstock": Shape(
        ("overstock_level", "order_up_to", "reorder_point", "safety_stock"),
        ("available", "position"),
        (0.0, math.inf),
    ),
}
SHORTAGES = (
    "out_of_stock",
    "stockout_risk",
    "low_stock",
)  # one cause, one alert: the first inhibits the rest


@dataclass(frozen=True)
class Rule:
    """One thing to watch.

    name: identifies the rule in alerts; letters, digits, _ and -
    kind: what it measures, see the table above
    tiers: tier → bound on the measure; more severe tiers have larger bounds
    version: rises whenever the rule changes; every alert names it
    basis: the level the stock is compared with; empty takes the kind's default
    stock: available (on hand − reserved), projected (at the end of the lead time, inbound included) or
        position (available + inbound likely to arrive); empty takes the kind's default
    hysteresis: how far the measure must fall back below a tier's bound before the tier ends
    min_money: money at risk below which no alert is opened; unknown money always opens
    selector: column of the facts → values it may have; empty watches everything

    >>> Rule("low", "low_stock", {"warning": 0.1}, selector={"category": ["milk"]}).selects
    {'category': ('milk',)}
    """

    name: str
    kind: Kind
    tiers: Mapping[str, float] = field(hash=False)
    version: int = 1
    basis: str = ""
    stock: str = ""
    hysteresis: float = 0.1
    min_money: float = 0.0
    selector: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Fill the kind's defaults; refuse what cannot be meant."""
        _one_of(self, "kind", self.kind, tuple(KINDS))
        shape = KINDS[self.kind]
        object.__setattr__(self, "basis", self.basis or shape.bases[0])
        object.__setattr__(self, "stock", self.stock or shape.stocks[0])
        _one_of(self, "basis", self.basis, shape.bases)
        _one_of(self, "stock", self.stock, shape.stocks)
        if not self.name or not self.name.replace("_", "").replace("-", "").isalnum():
            raise Problem(f"rule name must be letters, digits, _ and -, got {self.name!r}; rename the rule")
        if isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 1:
            _refuse(self, "version", self.version, "a whole number from 1", "raise it by one at each change")
        _check_number(self, "hysteresis", self.hysteresis)
        _check_number(self, "min_money", self.min_money)
        _check_tiers(self, shape.bounds)
        _check_selector(self)

    @property
    def selects(self) -> dict[str, tuple[str, ...]]:
        """Column → the values it may have, as text; one value may be written without a list."""
        return {
            column: (str(value),) if isinstance(value, str | int | float) else tuple(map(str, value))
            for column, value in self.selector.items()
        }

    @property
    def is_shortage(self) -> bool:
        """Whether the rule warns of too little."""
        return self.kind in SHORTAGES


def default_rules() -> tuple[Rule, ...]:
    """The rules of a new workspace, earlier ones inhibiting later ones of the same cause.

    Low stock is read where an order placed now would arrive: stock below the safety stock today with a
    delivery due tomorrow needs nobody. Overstock begins at the overstock level, which is the policy's factor
    (1.2 unless said) times the order-up-to level, because healthy stock is safety stock plus cycle stock.
    """
    return (
        Rule("no_position", "no_position", {"warning": 0.0}),
        Rule("out_of_stock", "out_of_stock", {"critical": 0.0}, hysteresis=0.0),
        Rule("stockout_risk", "stockout_risk", {"notice": 0.3, "warning": 0.5, "critical": 0.8}),
        Rule("below_safety_stock", "low_stock", {"notice": 0.1, "warning": 0.5}),
        Rule("overstock", "overstock", {"notice": 0.0, "warning": 0.5}),
    )


def literal_rules() -> tuple[Rule, ...]:
    """The plain rule: 10 % below the safety stock replenish, 20 % above it clear, both on stock at hand."""
    low = Rule("below_safety_stock", "low_stock", {"warning": 0.1}, stock="available")
    high = Rule("overstock", "overstock", {"notice": 0.2}, basis="safety_stock")
    return (*default_rules()[:3], low, high)


PRESETS = {"default": default_rules, "literal": literal_rules}


def configured_rules(config: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules that the `[warning]` table of forestock.toml asks for.

    config: preset (default or literal) and rules: name → changed fields of a preset rule, or a whole new
        rule; `enabled = false` leaves a rule out. A new rule comes before those of its kind, so that the
        more specific one speaks.

    >>> rules = configured_rules({"rules": {"overstock": {"tiers": {"notice": 0.5}, "version": 2}}})
    >>> rules[-1].tiers, rules[-1].version, rules[-1].basis
    ({'notice': 0.5}, 2, 'overstock_level')
    """
    _known(config, ("preset", "rules"), "warning")
    preset = config.get("preset", "default")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise Problem(f"warning.preset must be one of {', '.join(PRESETS)}, got {preset!r}; choose one")
    rules = {rule.name: rule for rule in PRESETS[preset]()}
    added: list[Rule] = []
    for name, change in _table(config.get("rules", {}), "warning.rules").items():
        values = _change(name, change)
        if not values.pop("enabled", True):
            rules.pop(name, None)
        elif name in rules:
            rules[name] = replace(rules[name], **_for_kind(rules[name], values))
        elif "kind" in values and "tiers" in values:
            added.append(Rule(name, **values))
        else:
            raise Problem(
                f"warning.rules.{name} is a new rule and needs kind and tiers, got "
                f"{', '.join(values) or 'nothing'}; add them, or use one of the names {', '.join(rules)}"
            )
    return tuple(sorted((*added, *rules.values()), key=lambda rule: list(KINDS).index(rule.kind)))


def _change(name: str, change: object) -> dict[str, Any]:
    """The fields of a rule that configuration names, and `enabled`."""
    where = f"warning.rules.{name}"
    _known(change, (*(f.name for f in fields(Rule) if f.name != "name"), "enabled"), where)
    values = dict(_table(change, where))
    if not isinstance(values.get("enabled", True), bool):
        raise Problem(f"{where}.enabled must be true or false, got {values['enabled']!r}; write it so")
    return values


def _for_kind(rule: Rule, values: dict[str, Any]) -> dict[str, Any]:
    """A change of kind takes the new kind's basis and stock unless it names them."""
    if values.get("kind", rule.kind) == rule.kind:
        return values
    return {"basis": "", "stock": "", **values}


def _refuse(rule: Rule, what: str, value: object, allowed: str, remedy: str) -> None:
    raise Problem(f"rule {rule.name!r}: {what} must be {allowed}, got {value!r}; {remedy}")


def _one_of(rule: Rule, what: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        _refuse(rule, what, value, f"one of {', '.join(allowed)}", "choose one of these")


def _check_number(rule: Rule, what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        _refuse(rule, what, value, "a number from 0", "write 10 % as 0.1")


def _check_tiers(rule: Rule, bounds: tuple[float, float]) -> None:
    if not isinstance(rule.tiers, Mapping) or not rule.tiers or not set(rule.tiers) <= set(TIERS):
        named = list(rule.tiers) if isinstance(rule.tiers, Mapping) else rule.tiers
        _refuse(rule, "tiers", named, f"from {', '.join(TIERS)}", "give at least one with its bound")
    ascending = [rule.tiers[tier] for tier in TIERS if tier in rule.tiers]
    for bound in ascending:
        _check_number(rule, "bound", bound)
        if not bounds[0] <= bound <= bounds[1]:
            allowed = f"from {bounds[0]:g} to {bounds[1]:g}"
            _refuse(rule, "bound", bound, allowed, "write 80 % as 0.8" if bounds[1] else "write 0")
    if any(low >= high for low, high in itertools.pairwise(ascending)):
        text = "rising from notice to critical"
        _refuse(rule, "tiers", dict(rule.tiers), text, "give the more severe tier the larger bound")


def _check_selector(rule: Rule) -> None:
    if not isinstance(rule.selector, Mapping):
        _refuse(rule, "selector", rule.selector, "a table", 'write selector = { category = "milk" }')
    for column, value in rule.selector.items():
        if not isinstance(value, str | int | float | list | tuple) or value in ([], ()):
            _refuse(rule, f"selector.{column}", value, "a value or a list of values", "name at least one")


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Problem(f"{where} must be a table, got {value!r}; write it as [{where}] with keys below it")
    return value


def _known(value: object, allowed: tuple[str, ...], where: str) -> None:
    for key in _table(value, where):
        if key not in allowed:
            close = difflib.get_close_matches(key, allowed, 1)
            remedy = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(allowed)}"
            raise Problem(f"{where} has no {key!r}; {remedy}")
