"""The pages of alerts and items: each reads the store, makes a view and renders a template."""

from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlencode

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from ingestion.subjects import VERDICTS
from serving.responding import respond, respond_to_several, silence_several
from serving.results import Results
from serving.standby import Standby
from serving.store.alerts import AlertFilter
from serving.store.store import Missing
from serving.web import overview as work
from serving.web.forms import SNOOZES, Form, onward, read_form, who
from serving.web.frame import HERE, SHOWN, Frame, is_htmx
from serving.web.item import item_view
from serving.web.response import alert_view
from serving.web.what_if import try_out
from warning.routing import Desk
from warning.worklist import NOW

SILENCES = (7, 30, 90)  # days that the worklist offers


class Pages:
    """The pages over one store."""

    def __init__(self, frame: Frame, results: Results, standby: Standby, desk: Desk) -> None:
        self._frame = frame
        self._store = frame.store
        self._results = results
        self._standby = standby
        self._desk = desk

    def install(self, app: FastAPI) -> None:
        """Add the pages to an application."""
        app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
        app.add_api_route("/", self.overview, **SHOWN)
        app.add_api_route("/items/{rest:path}", self.item, **SHOWN)
        app.add_api_route("/alerts/{alert_id}", self.alert, **SHOWN)
        app.add_api_route("/alerts", self.respond_to_several, methods=["POST"], **SHOWN)
        app.add_api_route("/alerts/{alert_id}", self.respond, methods=["POST"], **SHOWN)

    def overview(self, request: Request) -> Response:
        """What needs attention now; with htmx, only the list under other filters."""
        words = self._frame.words(request)
        found = self._store.overview()
        chosen, cursor = _worklist_of(request)
        lines, next_cursor, total = work.lines(self._store, chosen, cursor, words)
        done = request.query_params.get("done", "")
        return self._frame.render(
            request,
            "_worklist.html" if is_htmx(request) else "overview.html",
            words,
            overview=found,
            fresh=work.freshness(found, self._frame.today()),
            tiers=work.tiers(found),
            waiting=work.waiting(found),
            lines=lines,
            next_cursor=next_cursor,
            total=total,
            chosen=chosen,
            is_first=cursor is None,
            rules=sorted(found.distribution["rule"].unique()),
            owners=tuple(self._desk.owners),
            together=[] if is_htmx(request) else work.together(self._store),
            who=who(request),
            snoozes=SNOOZES,
            silences=SILENCES,
            done=int(done) if done.isdigit() and len(done) < 4 else 0,
        )

    def item(self, request: Request) -> Response:
        """One sku at one location; with htmx, only the answer to a what-if."""
        words = self._frame.words(request)
        sku, location = _item_of(request)
        item = self._store.item(sku, location)
        view = item_view(item, self._results, words)
        return self._frame.page(
            request,
            "_what_if.html" if is_htmx(request) else "item.html",
            words,
            view=view,
            tried=try_out(item, view.charts["forecast"]["date"], request.query_params, self._standby),
        )

    def alert(self, request: Request, alert_id: str) -> Response:
        """One alert: its life, who was told, and what may be done."""
        words, now = self._frame.words(request), datetime.now(UTC)
        view = alert_view(self._store, self._desk, alert_id, words, now)
        return self._frame.page(
            request, "alert.html", words, view=view, who=who(request), snoozes=SNOOZES, verdicts=VERDICTS
        )

    async def respond(self, request: Request, alert_id: str) -> Response:
        """Do what a form asks for and show the alert again."""
        form = await read_form(request)
        await run_in_threadpool(self._respond, alert_id, form, datetime.now(UTC))
        return onward(form, f"/alerts/{quote(alert_id, safe='')}")

    async def respond_to_several(self, request: Request) -> Response:
        """Do what a form asks for with all alerts that were picked, and show the list again.

        Where some cannot be taken, a page says which and why, and what was done with the others.
        """
        form = await read_form(request)
        now, back = datetime.now(UTC), _back(form)
        if form["do"] == "silence":
            named = form.all("alert")
            end, said = form.end(now), form.said(now)
            await run_in_threadpool(silence_several, self._store, self._desk, named, end, said)
            return onward(form, f"{back}done={len(named)}")
        responses, ask, said = self._store.responses(self._desk), form.ask(now), form.said(now)
        done, refused = await run_in_threadpool(respond_to_several, responses, form.all("alert"), ask, said)
        if not refused:
            return onward(form, f"{back}done={len(done)}")
        reasons = [(alert_id, *str(problem).rpartition("; ")[::2]) for alert_id, problem in refused.items()]
        words = self._frame.words(request)
        return self._frame.page(
            request,
            "refused.html",
            words,
            status=409,
            done=len(done),
            reasons=reasons,
            back=back.rstrip("?&"),
        )

    def _respond(self, alert_id: str, form: Form, now: datetime) -> None:
        said, responses = form.said(now), self._store.responses(self._desk)
        if form["do"] == "decide":
            responses.decide(form["draft"], form["decision"], said)
        elif form["do"] == "verdict":
            self._store.outcomes.say(alert_id, form["outcome"], author=said.by, reason=said.reason, at=now)
        else:
            respond(responses, alert_id, form.ask(now), said)


def _back(form: Form) -> str:
    """Address of the list that a form was sent from, to which a further parameter can be added."""
    asked = {name: form[f"at_{name}"] for name in work.FILTERS if form[f"at_{name}"]}
    return f"/?{urlencode(asked)}&" if asked else "/?"


def _worklist_of(request: Request) -> tuple[AlertFilter, str | None]:
    """The filters and the page that the address asks for; what is empty leaves a filter open."""
    asked = {name: request.query_params.get(name, "").strip()[:200] or None for name in work.FILTERS}
    chosen = AlertFilter(
        location=asked["location"],
        tier=asked["tier"],
        rule=asked["rule"],
        text=asked["q"],
        attention=asked["attention"] or NOW,
        owner=asked["owner"],
        supplier=asked["supplier"],
    )
    return chosen, request.query_params.get("cursor") or None


def _item_of(request: Request) -> tuple[str, str]:
    """Sku and location as they stand in the address, a slash within either being written %2F."""
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    parts = raw.decode("ascii", "replace").partition("?")[0].removeprefix("/items/").split("/")
    if len(parts) != 2 or not all(parts):
        raise Missing("an item is named /items/SKU/LOCATION; start from the overview: /")
    sku, location = (unquote(part) for part in parts)
    return sku, location
