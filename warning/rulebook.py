"""The rulebook: how rules are written in a file, changed, kept as versions, and which are in force on a date.

This module owns the way from `[[rules]]` to rules and back, and what a changed file means for the versions
that there are. It reads and writes nothing itself, but for the text of a file of rules.
"""

import dataclasses
import datetime as dt
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ingestion.errors import Problem
from warning.rules import PRESETS, Rule, in_order
from warning.selection import nearest

DATED = ("valid_from", "valid_until")
BY_KIND = ("basis", "stock", "hysteresis")  # a change of kind takes the new kind's, unless it names them
WRITABLE = tuple(field.name for field in fields(Rule))


@dataclass(frozen=True)
class Saved:
    """One version of a rule as it was saved.

    rule: valid_from is the date from which this version holds
    enabled: false where the version withdraws the rule
    author, reason: who saved it and why
    """

    rule: Rule
    enabled: bool
    author: str
    reason: str


def configured_rules(
    preset: str, entries: Sequence[Mapping[str, Any]] = (), pilot: Mapping[str, Any] | None = None
) -> tuple[Rule, ...]:
    """The rules that forestock.toml asks for: a preset with the changes of `[[rules]]`.

    pilot: where rules about items are live that name no pilot of their own; elsewhere they are in shadow

    >>> rules = configured_rules("default", [{"name": "overstock", "tiers": {"notice": 0.5}, "version": 2}])
    >>> [(rule.tiers, rule.version, rule.basis) for rule in rules if rule.name == "overstock"]
    [({'notice': 0.5}, 2, 'overstock_level')]
    """
    rules = changed(PRESETS[preset](), entries)
    if not pilot:
        return rules
    return tuple(
        replace(rule, pilot=pilot) if rule.shape.subject == "item" and not rule.pilot else rule
        for rule in rules
    )


def changed(rules: Sequence[Rule], entries: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rules with changes: an entry names a rule and the fields that change, or is a whole new rule.

    `enabled = false` leaves a rule out. In the order in which they speak.
    """
    found = {rule.name: rule for rule in rules}
    for name, values in _entries(entries):
        if not values.pop("enabled"):
            found.pop(name, None)
        else:
            found[name] = _rule(name, values, found)
    return tuple(in_order(tuple(found.values())))


def in_force(configured: Sequence[Rule], saved: Iterable[Saved], day: dt.date) -> tuple[Rule, ...]:
    """The rules of a date: of every rule that was saved the last version that holds by then.

    A rule saved takes the place of the configured one of its name, from its first date on. After its last
    date it gives way to the one before it; a version that withdraws the rule does so for good.
    """
    found = {rule.name: rule for rule in configured}
    for one in sorted(saved, key=lambda one: one.rule.version):
        name, first, last = one.rule.name, one.rule.valid_from, one.rule.valid_until
        if first is not None and first > day:
            continue
        if not one.enabled:
            found.pop(name, None)
        elif last is None or last >= day or name not in found:
            found[name] = one.rule
    return tuple(in_order(tuple(found.values())))


def versions_to_save(
    rules: Sequence[Rule],
    saved: Sequence[Saved],
    entries: Sequence[Mapping[str, Any]],
    day: dt.date,
    *,
    author: str,
    reason: str,
) -> list[Saved]:
    """What saving a file of rules adds: a version, one higher, of each rule that it really changes.

    rules: those in force; saved: all versions so far; day: from which the new ones hold, where an entry does
    not say
    """
    last: dict[str, int] = {}
    for rule in (*rules, *(one.rule for one in saved)):
        last[rule.name] = max(last.get(rule.name, 0), rule.version)
    now = {rule.name: rule for rule in rules}
    added = []
    for name, values in _entries(entries):
        enabled, begins = values.pop("enabled"), values.get("valid_from")
        if not enabled and name not in now:
            continue
        rule = now[name] if not enabled else _rule(name, values, now)
        if enabled and _says(rule) == _says(now.get(name)):
            continue
        rule = replace(rule, version=last.get(name, 0) + 1, valid_from=begins or day)
        added.append(Saved(rule, enabled, author, reason))
    return added


def spec_of(rule: Rule) -> dict[str, Any]:
    """All fields of a rule as JSON can carry them; `rule_of` reads them back.

    >>> rule_of(spec_of(Rule("low", "low_stock", {"notice": 0.1}))).tiers
    {'notice': 0.1}
    """
    return json.loads(json.dumps(dataclasses.asdict(rule), default=_iso))


def rule_of(spec: Mapping[str, Any]) -> Rule:
    """The rule that `spec_of` gave the fields of."""
    return Rule(**_dated(str(spec.get("name")), spec))


def read_rules(path: Path) -> list[dict[str, Any]]:
    """The entries of a file of rules: TOML with `[[rules]]`, or JSON with a list of rules.

    Problem where it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} cannot be read as text: {error}; name a TOML or JSON file of rules") from None
    try:
        content = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path} is not {path.suffix.lstrip('.') or 'TOML'}: {error}; correct it") from None
    entries = content.get("rules", []) if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries:
        raise Problem(f'{path} holds no rules; write [[rules]] with name = "…" and what it changes')
    return entries


def write_rules(rules: Iterable[Rule]) -> str:
    """Rules as a TOML file that `read_rules` reads back: what a rule does not say is left out."""
    blocks = []
    for rule in rules:
        lines = ["[[rules]]"]
        for name in WRITABLE:
            value = getattr(rule, name)
            if name in ("name", "kind", "tiers", "version") or value not in (_defaults()[name], "none"):
                lines.append(f"{name} = {_toml(value)}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _entries(entries: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Each entry's name and the fields it names, with `enabled`."""
    if not isinstance(entries, list | tuple):
        raise Problem(f"rules must be a list of tables, got {entries!r}; write each as [[rules]]")
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        where = f"rules[{number}]"
        values = dict(_table(entry, where))
        name = values.pop("name", None)
        if not isinstance(name, str) or not name:
            raise Problem(f'{where} must have a name, got {name!r}; write name = "overstock"')
        if name in seen:
            raise Problem(f"rule {name!r} stands twice among the rules; keep one of the two")
        seen.add(name)
        for key in values:
            if key not in (*WRITABLE, "enabled"):
                raise Problem(f"rule {name!r} has no {key!r}; {nearest(key, [*WRITABLE, 'enabled'])}")
        enabled = values.setdefault("enabled", True)
        if not isinstance(enabled, bool):
            raise Problem(f"rule {name!r}: enabled must be true or false, got {enabled!r}; write it so")
        yield name, _dated(name, values)


def _rule(name: str, values: Mapping[str, Any], known: Mapping[str, Rule]) -> Rule:
    if name in known:
        before = known[name]
        if values.get("kind", before.kind) != before.kind:
            values = {"basis": "", "stock": "", "hysteresis": float("nan"), **values}
        return replace(before, **values)
    if "kind" in values and "tiers" in values:
        return Rule(name, **values)
    raise Problem(
        f"rule {name!r} is new and needs kind and tiers, got {', '.join(values) or 'nothing'}; add them, or "
        f"change one that there is: {nearest(name, list(known))}"
    )


def _says(rule: Rule | None) -> dict[str, Any] | None:
    """What a rule does, apart from its version and its first date."""
    if rule is None:
        return None
    return {name: value for name, value in spec_of(rule).items() if name not in ("version", "valid_from")}


def _dated(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with dates that were written as text."""
    found = dict(values)
    for key in DATED:
        if isinstance(found.get(key), str):
            try:
                found[key] = dt.date.fromisoformat(found[key])
            except ValueError:
                raise Problem(
                    f"rule {name!r}: {key} must be a date, got {found[key]!r}; write it as 2024-12-31"
                ) from None
    return found


def _defaults() -> dict[str, Any]:
    return {
        field.name: field.default_factory() if callable(field.default_factory) else field.default
        for field in fields(Rule)
    }


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dt.date):
        return value.isoformat()
    # TOML's strings are JSON's, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _iso(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"a rule cannot hold {value!r}")


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Problem(f"{where} must be a table, got {value!r}; write it with keys and values")
    return value
