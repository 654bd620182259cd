"""Commands about warning rules: rules list, show, preview, save."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer

from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Workspace, date_of, opened
from serving.settings import Settings

if TYPE_CHECKING:  # it takes seconds to import
    from serving.store.store import Store

app = typer.Typer(
    name="rules", help="Warning rules: what is watched, since when, and what a change would do."
)
SHOWN = 20
File = Annotated[
    Path, typer.Argument(help="TOML with \\[\\[rules]], or JSON: rules by name and what changes.")
]


@app.command("list")
def list_rules(
    out: Annotated[Path | None, typer.Option(help="Write them as a file of rules (.toml).")] = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """The rules in force on a date, in the order in which they speak."""
    from warning.rulebook import spec_of, write_rules

    with opened(workspace, config) as (settings, store):
        day, book = _day(as_of, settings, store), store.rules(settings.rules)
        rules, saved = book.in_force(day), {one.rule.name for one in book.versions()}
    if out is not None:
        out.write_text(write_rules(rules), encoding="utf-8")
        show.summary({"rules": len(rules), "out": str(out)}, json)
    elif json:
        show.summary({"as_of": day, "rules": [spec_of(rule) for rule in rules]}, True)
    else:
        lines = [
            {
                "rule": rule.name,
                "version": rule.version,
                "kind": rule.kind,
                "tiers": ", ".join(f"{tier} {bound:g}" for tier, bound in rule.tiers.items()),
                "for": ", ".join(f"{column} {'/'.join(values)}" for column, values in rule.selects.items()),
                "mode": "pilot" if rule.pilot else rule.mode,
                "since": rule.valid_from or "",
                "from": "store" if rule.name in saved else "configuration",
            }
            for rule in rules
        ]
        show.words.print(f"[bold]Rules in force on {day}[/]", highlight=False)
        show.lines(pd.DataFrame(lines))


@app.command("show")
def show_rule(
    name: Annotated[str, typer.Argument(help="The rule's name.")],
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """One rule: what is in force now, and every version that was saved, who saved it and why."""
    from ingestion.errors import Problem
    from warning.rulebook import spec_of, write_rules
    from warning.selection import nearest

    with opened(workspace, config) as (settings, store):
        book = store.rules(settings.rules)
        now = {rule.name: rule for rule in book.in_force(_day(None, settings, store))}
        versions = book.versions(name)
    if name not in now and not versions:
        raise Problem(f"there is no rule {name!r}; {nearest(name, list(now))}")
    lines: list[dict[str, Any]] = [
        {
            "version": one.rule.version,
            "since": one.rule.valid_from,
            "enabled": one.enabled,
            "author": one.author,
            "reason": one.reason,
            "rule": spec_of(one.rule),
        }
        for one in versions
    ]
    if json:
        show.summary({"name": name, "in_force": name in now and spec_of(now[name]), "versions": lines}, True)
        return
    if name in now:
        show.words.print(write_rules([now[name]]), markup=False, highlight=False)
    else:
        show.words.print(f"{name} is withdrawn.", highlight=False)
    if lines:
        show.lines(pd.DataFrame(lines).drop(columns="rule"))


@app.command("preview")
def preview_rules(
    file: File,
    days: Annotated[int, typer.Option(min=1, max=400, help="Days to look back on.")] = 30,
    stored: Annotated[bool, typer.Option("--stored", help="Only days whose facts were kept.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write every difference: .csv, .parquet, .json.")] = None,
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """What changed rules would have fired over the last days, against those in force; nothing is saved."""
    from serving.hindsight import all_days, kept_days
    from serving.results import Results, write_table
    from warning.preview import preview
    from warning.rulebook import changed, read_rules

    with opened(workspace, config) as (settings, store), show.progress() as stage:
        now = store.rules(settings.rules).in_force(_day(None, settings, store))
        wanted = changed(now, read_rules(file))
        results = Results(settings.workspace / "results")
        seen = kept_days(settings, store, results, days) if stored else all_days(settings, store, days, stage)
        stage("trying the rules")
        found = preview(wanted, now, seen.days)
    if out is not None:
        write_table(found.differences, out)
    notes = [*seen.notes, *found.notes]
    if json:
        daily = found.daily.assign(date=found.daily["date"].dt.strftime("%Y-%m-%d"))
        worst = found.differences.head(100).astype(object).where(found.differences.head(100).notna(), None)
        told = {"daily": daily.to_dict("records"), "differences": worst.to_dict("records"), "notes": notes}
        show.summary(found.summary() | told, True)
        return
    show.summary({name: value for name, value in found.summary().items() if name != "notes"}, False)
    show.lines(found.daily.assign(date=found.daily["date"].dt.date))
    shown = found.differences.assign(
        **{name: pd.to_datetime(found.differences[name]).dt.date for name in ("opened_on", "opened_before")}
    )
    show.words.print("[bold]What would differ, the most money first[/]")
    show.lines(shown.head(SHOWN).assign(money_at_risk=shown["money_at_risk"].head(SHOWN).round(2)))
    if len(shown) > SHOWN:
        show.words.print(f"… and {len(shown) - SHOWN} more: --out FILE")
    for note in notes:
        show.words.print(note, markup=False, highlight=False)


@app.command("save")
def save_rules(
    file: File,
    author: Annotated[str, typer.Option(help="Who changes them.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    since: Annotated[
        str | None, typer.Option("--from", help="First business date (default: the last one evaluated).")
    ] = None,
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Save what a file of rules changes, as new versions; the same file again changes nothing."""
    from warning.rulebook import read_rules

    entries = read_rules(file)
    with opened(workspace, config) as (settings, store):
        book, day = store.rules(settings.rules), _day(since, settings, store)
        store.check_rules(book.would_be(entries, day))
        saved = book.save(entries, day, datetime.now(UTC), author=author, reason=reason)
    lines = [
        f"{one.rule.name} version {one.rule.version} from {one.rule.valid_from}"
        + ("" if one.enabled else ", withdrawn")
        for one in saved
    ]
    show.summary({"saved": len(lines), **({"rules": lines} if json else {})}, json)
    for line in [] if json else lines:
        show.words.print(line, markup=False, highlight=False)


def _day(text: str | None, settings: Settings, store: "Store") -> date:
    """A business date as typed; the last one that was evaluated, or is known, where none is."""
    from serving.watching import business_date

    given = date_of(text)
    return business_date(settings, store) if given is None else given.date()
