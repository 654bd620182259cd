"""The warning loop on 180 simulated days: is it right, in time, steady, and does tuning make it better?

    python benchmarks/warning_loop.py [--items 50] [--stores 3] [--seed 0] [--kept FOLDER]

A simulated retailer is watched day by day, each as of that day, with planted stockouts, late suppliers,
counts that waver and a source that falls silent. On the first 90 days the default rules are judged against
the truth; then the tuner proposes changes from what was known by then, all are approved, and the next 90 days
tell what they were worth. Nobody acts on the alerts: the stores order as they always do. --kept keeps what
the rules see on each day (most of the time goes there) for the next time.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from warning.history import History
from warning.inhibition import cause
from warning.judging import Judgement, judge
from warning.kinds import SHORTAGES
from warning.outcomes import rates
from warning.rerun import Day, decisions
from warning.rulebook import changed
from warning.rules import Rule, default_rules
from warning.sweep import fire, read
from warning.trial import Past, Stakes
from warning.tuning import Proposal, entry_of, propose
from warning_world import SERIES, SILENT, World, build, terms, watch

BEFORE, SPAN, AFTER = 14, 90, 26  # days that are played first, judged, and needed to judge the last of these
STOCK = ("out_of_stock", "stockout_risk", "low_stock", "overstock", "slow_stock", "dead_stock", "expiry")
MOST_FALSE, LEAST_IN_TIME = 0.20, 0.95
PER_ALERT = 5.0  # money that looking into a false alert takes


@dataclass(frozen=True)
class Watched:
    """What the engine did day by day.

    alerts: of shortages; crowd: most alerts open at once for one position and cause
    silent: stock alerts that opened on positions of the silent source while it was known to be stale
    told: data alerts that opened about a stale source
    """

    alerts: pd.DataFrame
    crowd: int
    silent: int
    told: int


def run_engine(rules: Sequence[Rule], days: Sequence[Day]) -> Watched:
    """The engine itself over all days, starting with nothing open."""
    known = {rule.name: rule for rule in rules}
    lives: dict[str, dict[str, Any]] = {}
    crowd = silent = told = 0
    for day, decision, held in decisions(rules, days):
        blind = set(map(tuple, day.facts.loc[day.facts["stale_source"].notna(), SERIES].to_numpy()))
        opened = decision.opened[decision.opened["kind"].isin(STOCK)]
        silent += sum(place in blind for place in map(tuple, opened[SERIES].to_numpy()))
        told += int((decision.opened["kind"] == "stale_data").sum())
        for frame, over in ((decision.opened, False), (decision.resolved, True)):
            for row in frame[frame["kind"].isin(SHORTAGES)].to_dict("records"):
                life = lives.setdefault(str(row["alert_id"]), {str(k): v for k, v in row.items()})
                life["resolved_on"] = day.today if over else pd.NaT
        if len(held):
            items = held[held["sku"].notna() & (held["sku"].astype(str) != "") & held["rule"].isin(known)]
            causes = [cause(known[name]) for name in items["rule"]]
            crowd = max(crowd, int(items.assign(cause=causes).groupby([*SERIES, "cause"]).size().max()))
    return Watched(pd.DataFrame(list(lives.values())), crowd, silent, told)


def within(found: Judgement, first: pd.Timestamp, last: pd.Timestamp) -> Judgement:
    """Warnings that opened, and stockouts that came, from `first` to `last`."""
    rows = found.outcomes[found.outcomes["alert_id"] == found.outcomes["chain"]]
    opened = pd.to_datetime(rows["opened_on"])
    came = found.stockouts
    return Judgement(
        rows[(opened >= first) & (opened <= last)], came[(came["date"] >= first) & (came["date"] <= last)]
    )


def summary(found: Judgement) -> dict[str, float]:
    """Warnings, shares and counts of one span of days."""
    rows, came = found
    shares = rates(rows["outcome"].to_numpy(), rows["avoidable"].to_numpy())
    possible = came[came["possible"]]
    risk = rows[
        rows["kind"].isin(("stockout_risk", "out_of_stock")) & rows["outcome"].isin(("hit", "late", "false"))
    ]
    return {
        "warnings": float(len(rows)),
        "false": float((rows["outcome"] == "false").sum()),
        "missed": float(rows["avoidable"].sum()),
        "false rate": shares["false_rate"],
        "false rate, stockout alerts": float((risk["outcome"] == "false").mean()),
        "stockouts": float(len(came)),
        "foreseeable": float(len(possible)),
        "in time, of all": float((came["announced"] == "in time").mean()),
        "in time, of foreseeable": float((possible["announced"] == "in time").mean()),
        "not in time": float((possible["announced"] != "in time").sum()),
    }


def until(history: History, periods: int) -> History:
    """What was known after so many periods; of what was to be expected nobody but the truth knows."""
    cut = {name: getattr(history, name)[:, :periods] for name in ("wanted", "available", "short", "seen")}
    return replace(history, **cut, expected=cut["wanted"])


def tune(world: World, days: Sequence[Day], rules: Sequence[Rule], history: History) -> list[Proposal]:
    """What the tuner proposes from the first days."""
    items = world.retailer.tables["items"].set_index("sku").reindex(world.keys["sku"])
    known = until(history, world.first + len(days))
    past = Past(
        read(rules, days, world.keys[SERIES]),
        known,
        world.keys["category"].to_numpy(dtype=object),
        Stakes(
            np.nanmean(known.wanted[:, -SPAN:], axis=1),
            (items["unit_price"] - items["unit_cost"]).to_numpy(dtype=float),
            PER_ALERT,
        ),
    )
    return propose(past, "category")


def approve(rules: Sequence[Rule], proposals: Sequence[Proposal]) -> list[Rule]:
    """The rules with every proposal carried out, in its order."""
    for one in proposals:
        if one.kind in ("trigger", "hysteresis"):
            mine = next(rule for rule in rules if rule.name == one.rule)
            rules = changed(rules, [entry_of(one, mine)])
    return list(rules)


def measure(world: World, days: Sequence[Day]) -> tuple[pd.DataFrame, list[dict[str, Any]], list[Proposal]]:
    """Figures of both spans, the promises beside what was found, and the proposals."""
    rules = list(default_rules())
    history = world.history(*terms(world, list(days)))
    middle, dates = BEFORE + SPAN, [day.today for day in days]
    engine = run_engine(rules, days[: middle + AFTER])
    first = summary(within(judge(engine.alerts, history), dates[BEFORE], dates[middle - 1]))
    row, opened = history.row(engine.alerts), history.column(pd.to_datetime(engine.alerts["opened_on"]))
    first["most alerts of a wavering shelf"] = np.bincount(
        row[world.wavering[row, opened]], minlength=1
    ).max()
    proposals = tune(world, days[:middle], rules, history)
    later = {}
    for name, tried in (("before tuning", rules), ("after tuning", approve(rules, proposals))):
        span = days[middle - BEFORE :]
        fired = fire(read(tried, span, world.keys[SERIES]))
        later[name] = summary(within(judge(fired, history), dates[middle], dates[middle + SPAN - 1]))
    figures = pd.DataFrame(
        {"first 90 days": first} | {f"next 90, {name}": row for name, row in later.items()}
    )
    old, new = later["before tuning"], later["after tuning"]
    return (
        figures,
        [
            _promise(
                "foreseeable stockouts warned a lead time ahead",
                first["in time, of foreseeable"],
                LEAST_IN_TIME,
                1,
            ),
            _promise("false rate", first["false rate"], MOST_FALSE, -1),
            _promise("alerts open at once for one cause", engine.crowd, 1, -1),
            _promise("stock alerts from stale data", engine.silent, 0, -1),
            _promise("alerts that a source is stale", engine.told, 1, 1),
            _promise("false alerts after tuning", new["false"], old["false"] - 1, -1),
            _promise("missed after tuning", new["missed"], old["missed"], -1),
            _promise("stockouts not in time after tuning", new["not in time"], old["not in time"], -1),
        ],
        proposals,
    )


def _promise(what: str, found: float, limit: float, better: int) -> dict[str, Any]:
    kept = found >= limit if better > 0 else found <= limit
    return {
        "what": what,
        "found": found,
        "limit": ("≥ " if better > 0 else "≤ ") + f"{limit:g}",
        "kept": kept,
    }


def main() -> None:
    """Reads the arguments, watches, prints the tables and whether every promise is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--stores", type=int, default=3)
    parser.add_argument("--history", type=int, default=730)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path)
    given = parser.parse_args()
    watched = BEFORE + 2 * SPAN + AFTER
    size = {"items": given.items, "stores": given.stores, "history": given.history, "watched": watched}
    world = build(given.seed, **size)
    with tempfile.TemporaryDirectory() as folder:
        days = list(watch(world, given.kept or Path(folder)))
        figures, promises, proposals = measure(world, days)
    print(f"{len(world.keys)} series, silent source: {SILENT}, seed {given.seed}\n")
    print(figures.round(3).to_string(), "\n")
    for one in proposals:
        print(f"{one.kind:<10} {one.segment or 'all':<16} {one.rule:<20} {one.why['en']}")
    print("\n" + pd.DataFrame(promises).round(3).to_string(index=False))
    raise SystemExit(0 if all(one["kept"] for one in promises) else 1)


if __name__ == "__main__":
    main()
