"""The page of the monthly review: figures beside the month before, what came of alerts, what to change."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
from fastapi import FastAPI, Request
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ingestion.errors import Problem
from serving.proposing import decide
from serving.report import LABELS, bars, compared
from serving.settings import Settings
from serving.store.proposals import BEFORE, Kept
from serving.web.forms import onward, read_form, who
from serving.web.frame import SHOWN, Frame
from serving.web.words import Words
from warning.kpi_catalogue import KPIS

PAST = 20  # decided proposals that the page lists


class ReviewPages:
    """The pages over one store's reviews and proposals."""

    def __init__(self, frame: Frame, settings: Settings) -> None:
        self._frame = frame
        self._store = frame.store
        self._settings = settings

    def install(self, app: FastAPI) -> None:
        """Add the pages to an application."""
        app.add_api_route("/review", self.review, **SHOWN)
        app.add_api_route("/proposals/{proposal_id}", self.decide, methods=["POST"], **SHOWN)

    def review(self, request: Request) -> Response:
        """A month that was reviewed, the last one unless another is asked for, and the proposals."""
        words = self._frame.words(request)
        months = self._store.outcomes.months()
        asked = request.query_params.get("month", "")
        month = asked if asked in months else next(iter(months), "")
        lines: list[dict[str, Any]] = []
        counts: dict[str, int] = {}
        prevented = 0
        if month:
            whole = pd.Period(month, "M")
            before = self._store.outcomes.reviewed(str(whole - 1)) or {}
            now = self._store.outcomes.reviewed(month) or {}
            currency = self._settings.currency
            lines = [compared(kpi, now, before, words.language, currency) for kpi in KPIS.values()]
            span = whole.start_time.date(), whole.end_time.date()
            counts, prevented = self._store.outcomes.counts(*span)
        kept = self._store.proposals.list()
        return self._frame.page(
            request,
            "review.html",
            words,
            months=months,
            month=month,
            lines=lines,
            outcomes=Markup(bars({name: counts.get(name, 0) for name in LABELS}, _names(words))),  # noqa: S704
            judged=sum(counts.values()),
            prevented=prevented,
            waiting=[_line(one, words) for one in kept if one.state == "proposed"],
            decided=[_line(one, words) for one in kept if one.state != "proposed"][:PAST],
            who=who(request),
        )

    async def decide(self, request: Request, proposal_id: str) -> Response:
        """Carry a proposal out, say no to it, or take it back."""
        form = await read_form(request)
        now, said = datetime.now(UTC), form.said(datetime.now(UTC))
        state = next((state for state in BEFORE if state == form["do"]), None)
        if state is None:
            raise Problem(f"a proposal can be {', '.join(BEFORE)}, got {form['do']!r}; use the buttons")
        await run_in_threadpool(
            lambda: decide(
                *(self._settings, self._store, proposal_id, state), by=said.by, reason=said.reason, at=now
            )
        )
        return onward(form, "/review#proposals")


def _names(words: Words) -> dict[str, str]:
    return {name: words(f"outcome.{name}") for name in LABELS}


def _line(one: Kept, words: Words) -> dict[str, Any]:
    proposal = one.proposal
    return {
        "id": proposal.proposal_id,
        "state": one.state,
        "kind": proposal.kind,
        "rule": proposal.rule,
        "segment": f"{proposal.column} {proposal.segment}".strip(),
        "why": proposal.why.get(words.language) or proposal.why["en"],
        "change": _plainly(proposal.change),
        "now": _plainly({name: proposal.undo.get(name) for name in proposal.change}),
        "by": one.decided_by or "",
        "reason": one.reason or "",
    }


def _plainly(values: Any) -> str:
    """What is set, as `name value`, however deep it lies.

    >>> _plainly({"sensitivity": {"category": {"milk": 0.5}}, "mode": "live"})
    'sensitivity category milk 0.5, mode live'
    """
    if isinstance(values, dict):
        parts = (f"{name} {_plainly(value)}".strip() for name, value in values.items())
        return ", ".join(part for part in parts)
    if isinstance(values, list):
        return "/".join(map(str, values))
    return "–" if values is None else str(values)
