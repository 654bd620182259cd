"""The pages of rules and silences: see, try out, change with a reason, propose, roll back, be quiet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ingestion.errors import Problem
from serving.hindsight import kept_days
from serving.proposing import propose_change
from serving.results import Results
from serving.settings import Settings
from serving.store.rules import Rules
from serving.store.store import Missing
from serving.watching import business_date
from serving.web.forms import Form, onward, read_form, who
from serving.web.frame import SHOWN, Frame
from serving.web.rules import HIGH, WIDE, differences, entry_in, line_of, picture, restored, unit_of, view_of
from warning.kinds import KINDS, SHORTAGES
from warning.preview import Preview, preview
from warning.rulebook import changed
from warning.rules import Rule
from warning.selection import nearest
from warning.silences import COLUMNS, Silence, make_silence

LOOK_BACK = (7, 30, 90)  # days that a preview offers
SILENCED_BY = tuple(name for name in COLUMNS if name not in ("fingerprint", "alert_id"))
DEEDS = ("preview", "save", "propose", "withdraw", "restore")
# What a new rule of a kind begins with; a planner changes it before it is saved.
FIRST = {"out_of_stock": {"critical": 0.0}, "no_position": {"warning": 0.0}, "stale_data": {"warning": 7.0}}


@dataclass(frozen=True)
class Tried:
    """What a preview found, or why there is none."""

    found: Preview | None
    notes: tuple[str, ...] = ()
    problem: str = ""


class RulePages:
    """The pages over one store's rules and silences."""

    def __init__(self, frame: Frame, results: Results, settings: Settings) -> None:
        self._frame = frame
        self._store = frame.store
        self._results = results
        self._settings = settings

    def install(self, app: FastAPI) -> None:
        """Add the pages to an application."""
        app.add_api_route("/rules", self.rules, **SHOWN)
        app.add_api_route("/rules/{name}", self.rule, **SHOWN)
        app.add_api_route("/new-rule", self.new, **SHOWN)
        app.add_api_route("/rules", self.change, methods=["POST"], **SHOWN)
        app.add_api_route("/silences", self.silence, methods=["POST"], **SHOWN)

    def rules(self, request: Request) -> Response:
        """What is watched now and what will be; what nobody wants to hear of."""
        day, now = self._day(), datetime.now(UTC)
        book = self._book()
        versions = book.versions()
        saved = {one.rule.name: one.rule for one in versions}
        spoken = self._store.outcomes.first_spoken()
        lines = []
        for rule in book.in_force(day):
            since = rule.valid_from or spoken.get((rule.name, rule.version))
            age = None if since is None else (day - since).days
            lines.append(line_of(rule, saved.get(rule.name) == rule, since, age))
        return self._frame.page(
            request,
            "rules.html",
            self._frame.words(request),
            day=day,
            lines=lines,
            planned=[one for one in versions if one.rule.valid_from and one.rule.valid_from > day],
            silences=[_silence(one) for one in self._store.silences.list(now)],
            columns=SILENCED_BY,
            kinds=tuple(KINDS),
            rows=self._choices(),
            who=who(request),
            least=(day + timedelta(days=1)).isoformat(),
        )

    def rule(self, request: Request, name: str) -> Response:
        """One rule: its fields to change and try out, and all its versions."""
        book = self._book()
        now = {rule.name: rule for rule in book.in_force(self._day())}
        versions = book.versions(name)
        if name not in now and not versions:
            raise Missing(f"there is no rule {name!r}; {nearest(name, list(now))}")
        return self._show(request, now[name] if name in now else versions[-1].rule, is_new=False)

    def new(self, request: Request) -> Response:
        """An empty rule of a kind."""
        kind = request.query_params.get("kind", "low_stock")
        if kind not in KINDS:
            raise Problem(f"a rule's kind is one of {', '.join(KINDS)}, got {kind!r}; choose one of these")
        low, high = KINDS[kind].bounds
        tiers = FIRST.get(kind, {"warning": min(max(0.2, low), high) if unit_of(kind) == "percent" else 30.0})
        return self._show(request, Rule("new", kind, tiers, mode="shadow"), is_new=True)

    async def change(self, request: Request) -> Response:
        """Try a form's rule out, save it, propose it, withdraw it, or make an earlier version hold again."""
        form = await read_form(request)
        return await run_in_threadpool(self._change, request, form, datetime.now(UTC))

    async def silence(self, request: Request) -> Response:
        """Be quiet about what a form names, or end a silence."""
        form = await read_form(request)
        await run_in_threadpool(self._silence, form, datetime.now(UTC))
        return onward(form, "/rules#silences")

    def _change(self, request: Request, form: Form, now: datetime) -> Response:
        what, name = form["do"], form["name"]
        if what not in DEEDS:
            raise Problem(f"a rule's page offers {', '.join(DEEDS)}, got {what!r}; use its buttons")
        book, day = self._book(), self._day()
        known = {rule.name: rule for rule in book.in_force(day)}
        try:
            entry = self._entry(form, book)
            wanted = changed(tuple(known.values()), [entry])
            self._store.check_rules(wanted)
            if what == "preview":
                days = int(form["days"]) if form["days"].isdigit() else LOOK_BACK[1]
                tried = self._try(wanted, tuple(known.values()), min(max(days, 1), LOOK_BACK[-1]))
                rule = next(one for one in wanted if one.name == name)
                return self._show(request, rule, is_new=name not in known, tried=tried, form=form)
            said = form.said(now)
            if not said.reason.strip():
                raise Problem("a change of a rule needs a reason, got none; say why in the form")
            if what == "propose":
                propose_change(self._store, known.get(name), entry, by=said.by, reason=said.reason, at=now)
                return onward(form, "/review")
            book.save([entry], _begins(form, day), now, author=said.by, reason=said.reason)
        except Problem as problem:
            tried = Tried(None, problem=str(problem))
            kept = known.get(name)
            if kept is None and what != "preview" and form["kind"] not in KINDS:
                raise
            rule = kept or Rule("new", form["kind"], FIRST.get(form["kind"], {"warning": 1.0}), mode="shadow")
            return self._show(request, rule, is_new=kept is None, tried=tried, form=form)
        return onward(form, f"/rules/{quote(name, safe='')}")

    def _entry(self, form: Form, book: Rules) -> dict[str, Any]:
        """What a form asks of a rule, as an entry of the rulebook."""
        name = form["name"]
        if form["do"] == "withdraw":
            return {"name": name, "enabled": False}
        if form["do"] != "restore":
            return entry_in(form)
        for one in book.versions(name):
            if str(one.rule.version) == form["version"]:
                return restored(one)
        raise Missing(f"rule {name!r} has no version {form['version']!r}; reload its page")

    def _silence(self, form: Form, now: datetime) -> None:
        said = form.said(now)
        if form["do"] == "end":
            self._store.silences.end(form["silence"], now)
        else:
            zone = self._settings.desk.hours.zone
            try:
                end = datetime.fromisoformat(form["until"]).replace(tzinfo=zone).astimezone(UTC)
            except ValueError:
                raise Problem(f"a silence ends on a date, got {form['until']!r}; choose one") from None
            values = [value.strip() for value in form["values"].split(",") if value.strip()]
            silence = make_silence({form["column"]: values}, said.reason, said.by, now, end)
            self._store.silences.add(silence, now)
        self._store.attend(now, self._settings.desk)

    def _try(self, wanted: tuple[Rule, ...], now: tuple[Rule, ...], days: int) -> Tried:
        seen = kept_days(self._settings, self._store, self._results, days)
        found = preview(wanted, now, seen.days)
        return Tried(found, (*seen.notes, *found.notes))

    def _show(
        self,
        request: Request,
        rule: Rule,
        *,
        is_new: bool,
        tried: Tried | None = None,
        form: Form | None = None,
    ) -> Response:
        view = view_of(rule)
        found = tried.found if tried else None
        return self._frame.page(
            request,
            "rule.html",
            self._frame.words(request),
            status=400 if tried and tried.problem else 200,
            view=view,
            typed=_typed(view, form),
            is_new=is_new,
            is_in_force=any(one.name == rule.name for one in self._book().in_force(self._day())),
            is_shortage=rule.kind in SHORTAGES,
            versions=[] if is_new else list(reversed(self._book().versions(rule.name))),
            tried=tried,
            summary=found.summary() if found else {},
            bars=picture(found) if found else [],
            differences=differences(found) if found else [],
            size=(WIDE, HIGH),
            days=LOOK_BACK,
            columns=self._store.watched_columns().get(rule.shape.subject, ()),
            who=who(request),
            day=self._day(),
        )

    def _choices(self) -> dict[str, list[str]]:
        """Values that a silence may name, of the columns that have few."""
        seen = self._store.overview()
        rules = sorted({rule.name for rule in self._book().in_force(self._day())})
        return {"location": seen.locations, "rule": rules, "owner": list(self._settings.desk.owners)}

    def _book(self) -> Rules:
        return self._store.rules(self._settings.rules)

    def _day(self) -> date:
        return business_date(self._settings, self._store)


def _begins(form: Form, day: date) -> date:
    """From which date a form's rule holds; the business date where it does not say."""
    try:
        return date.fromisoformat(form["valid_from"]) if form["valid_from"] else day
    except ValueError:
        raise Problem(f"a rule holds from a date, got {form['valid_from']!r}; write 2026-12-31") from None


def _typed(view: Any, form: Form | None) -> Mapping[str, Any]:
    """The fields as they were typed, else as the rule has them."""
    kept = vars(view) | {f"tier_{tier}": text for tier, text in view.tiers.items()}
    if form is None:
        return {**kept, "reason": "", "valid_from": "", "days": str(LOOK_BACK[1]), "by": ""}
    said = {name: form[name] for name in kept if name in form.names}
    return {**kept, **said, "notify_only": form["notify_only"] == "on"} | {
        name: form[name] for name in ("reason", "valid_from", "days", "by")
    }


def _silence(one: Silence) -> dict[str, Any]:
    several = {"fingerprint", "alert_id"} & set(one.selector)
    return {
        "silence_id": one.silence_id,
        "selector": {} if several else one.selector,
        "count": sum(len(one.selector[name]) for name in several),
        "reason": one.reason,
        "author": one.author,
        "ends_at": one.ends_at,
    }
