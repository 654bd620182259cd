"""Commands about looking back: review, with approve, decline, rollback and verdict."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer

from serving.cli import show
from serving.cli.options import AsOf, Config, Json, Workspace, date_of, opened

if TYPE_CHECKING:  # they take seconds to import
    from serving.reviewing import Review
    from serving.store.proposals import Kept, State

app = typer.Typer(
    name="review",
    help="Look back on a month: outcomes, rates, KPIs; and propose, approve and roll back changes.",
    invoke_without_command=True,
)
WHOLE = 32  # characters of an alert's id
By = Annotated[str, typer.Option("--by", help="Who decides.")]


@app.callback()
def review(
    context: typer.Context,
    month: Annotated[str | None, typer.Option(help="Such as 2026-10 (default: the last complete).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report: .html.")] = None,
    proposals: Annotated[bool, typer.Option("--proposals", help="Try other settings of the rules.")] = False,
    by: Annotated[str, typer.Option("--segment", help="Column that tells segments apart.")] = "category",
    days: Annotated[int, typer.Option(min=30, max=400, help="Days that proposals rest on.")] = 90,
    compute: Annotated[
        bool, typer.Option("--compute", help="Compute days again whose facts were not kept.")
    ] = False,
    language: Annotated[str | None, typer.Option(help="Of the report: en or zh.")] = None,
    workspace: Workspace = None,
    config: Config = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Judge a month's alerts, measure it, and write the report."""
    if context.invoked_subcommand is not None:
        return
    from ingestion.errors import UsageProblem
    from serving import proposing, reviewing
    from serving.walk import Walk

    if out is not None and out.suffix.lower() != ".html":
        raise UsageProblem(f"--out must end in .html, got {out.name!r}; the figures come with --json")
    at = datetime.now(UTC)
    with opened(workspace, config) as (settings, store), show.progress() as stage:
        walk = Walk(settings, date_of(as_of), stage)
        if proposals:
            proposing.make_proposals(walk, store, at, column=by, days=days, compute=compute)
        found = reviewing.review(walk, store, reviewing.month_of(month, walk), at)
    if out is not None:
        from serving.report import write_report

        text = write_report(found, language or settings.language, settings.currency)
        out.write_text(text, encoding="utf-8")
    if json:
        show.summary(found.summary() | ({"out": str(out)} if out else {}), True)
        return
    _show(found, settings.currency)
    if out is not None:
        show.words.print(f"Report → {out}", highlight=False)


def _decision(name: str, state: "State", what: str) -> None:
    """A command that decides about a proposal."""

    @app.command(name, help=what)
    def decide(
        proposal: Annotated[str, typer.Argument(help="The proposal's id.")],
        by: By,
        reason: Annotated[str, typer.Option(help="Why.")] = "",
        workspace: Workspace = None,
        config: Config = None,
        json: Json = False,
    ) -> None:
        from serving import proposing

        with opened(workspace, config) as (settings, store):
            now = datetime.now(UTC)
            done = proposing.decide(settings, store, proposal, state, by=by, reason=reason, at=now)
        show.summary({"proposal": proposal, "rule": done.proposal.rule, "state": done.state, "by": by}, json)


_decision("approve", "approved", "Carry a proposal out, as a new version of its rule.")
_decision("rollback", "rolled_back", "Take an approved proposal back, as another version of its rule.")
_decision("decline", "declined", "Say no to a proposal: it is not made again.")


@app.command()
def verdict(
    alert: Annotated[
        str, typer.Argument(help="The alert's id or its first characters, or that of a missed stockout.")
    ],
    outcome: Annotated[str, typer.Argument(help="hit, late, false or missed.")],
    by: By,
    reason: Annotated[str, typer.Option(help="Why the computed outcome is wrong.")],
    workspace: Workspace = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Overrule what was computed of an alert; the next review counts it so."""
    with opened(workspace, config) as (_, store):
        alert = alert if len(alert) >= WHOLE else store.alert_named(alert)
        store.outcomes.say(alert, outcome, author=by, reason=reason, at=datetime.now(UTC))
    show.summary({"alert": alert, "outcome": outcome, "by": by}, json)


def _show(found: "Review", currency: str) -> None:
    """The review in a few tables."""
    from serving.report import written
    from warning.kpi_catalogue import KPIS

    counted = found.summary()
    show.summary({name: counted[name] for name in ("month", "outcomes", "prevented", "stockouts")}, False)
    lines = [
        {
            "figure": kpi.en,
            "better": "↑" if kpi.better == "up" else "↓",
            "this month": written(kpi, found.figures.get(name, float("nan")), currency),
            "month before": written(kpi, found.before.get(name, float("nan")), currency),
        }
        for name, kpi in KPIS.items()
    ]
    show.lines(pd.DataFrame(lines))
    old = found.rules[found.rules["old"].astype(bool)]
    for name, age in zip(old["rule"], old["age_days"], strict=True):
        show.words.print(f"→ {name} has not been changed for {age} days: look whether it still fits")
    if found.proposals:
        show.lines(pd.DataFrame([_line(one) for one in found.proposals]))


def _line(one: "Kept") -> dict[str, Any]:
    proposal = one.proposal
    where = f"{proposal.column} {proposal.segment}".strip() or "all"
    return {
        "proposal": proposal.proposal_id,
        "state": one.state,
        "kind": proposal.kind,
        "rule": proposal.rule,
        "for": where,
        "why": proposal.why["en"],
    }
