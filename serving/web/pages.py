"""The pages' routes: each reads the store, makes a view and renders a template."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from fastapi import FastAPI, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from serving.results import Results
from serving.standby import Standby
from serving.store.alerts import AlertFilter
from serving.store.store import Missing, Store
from serving.web import overview as work
from serving.web.item import item_view
from serving.web.response import SNOOZES, WHO, alert_view, bounded_body, check_here, read_form, respond
from serving.web.what_if import try_out
from serving.web.words import LANGUAGES, Words, chosen_language, phrases
from warning.routing import Desk
from warning.worklist import NOW

HERE = Path(__file__).parent
ISO_DATE = re.compile(r"(\d{4}-\d\d-\d\d)")
YEAR = 365 * 24 * 3600


class Pages:
    """The pages over one store."""

    def __init__(
        self,
        store: Store,
        results: Results,
        standby: Standby,
        *,
        desk: Desk,
        currency: str,
        language: str,
        today: Callable[[], date],
    ) -> None:
        self._store = store
        self._results = results
        self._standby = standby
        self._desk = desk
        self._currency = currency
        self._language = language
        self._today = today
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        marks = {path.name: _mark(path) for path in (HERE / "static").rglob("*") if path.is_file()}
        self._templates.globals |= {
            "static": lambda path: f"/static/{path}?v={marks[Path(path).name]}",
            "list_url": work.list_url,
        }
        self._templates.filters |= {"as_date": date.fromisoformat, "dated": _dated}

    def install(self, app: FastAPI) -> None:
        """Add the pages to an application."""
        app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
        app.add_api_route("/", self.overview, response_class=HTMLResponse, include_in_schema=False)
        app.add_api_route(
            "/items/{rest:path}", self.item, response_class=HTMLResponse, include_in_schema=False
        )
        app.add_api_route(
            "/alerts/{alert_id}", self.alert, response_class=HTMLResponse, include_in_schema=False
        )
        app.add_api_route("/alerts/{alert_id}", self.respond, methods=["POST"], include_in_schema=False)

    def overview(self, request: Request) -> Response:
        """What needs attention now; with htmx, only the list under other filters."""
        words = self._words(request)
        found = self._store.overview()
        chosen, cursor = _worklist_of(request)
        lines, next_cursor, total = work.lines(self._store, chosen, cursor, words)
        return self._render(
            request,
            "_worklist.html" if request.headers.get("hx-request") == "true" else "overview.html",
            words,
            overview=found,
            fresh=work.freshness(found, self._today()),
            tiers=work.tiers(found),
            waiting=work.waiting(found),
            lines=lines,
            next_cursor=next_cursor,
            total=total,
            chosen=chosen,
            is_first=cursor is None,
            rules=sorted(found.distribution["rule"].unique()),
        )

    def item(self, request: Request) -> Response:
        """One sku at one location; with htmx, only the answer to a what-if."""
        words = self._words(request)
        sku, location = _item_of(request)
        item = self._store.item(sku, location)
        view = item_view(item, self._results, words)
        return self._render(
            request,
            "_what_if.html" if request.headers.get("hx-request") == "true" else "item.html",
            words,
            fresh=work.freshness(self._store.overview(), self._today()),
            view=view,
            tried=try_out(item, view.charts["forecast"]["date"], request.query_params, self._standby),
        )

    def alert(self, request: Request, alert_id: str) -> Response:
        """One alert: its life, who was told, and what may be done."""
        words, now = self._words(request), datetime.now(UTC)
        return self._render(
            request,
            "alert.html",
            words,
            fresh=work.freshness(self._store.overview(), self._today()),
            view=alert_view(
                self._store, self._desk, alert_id, words, now, unquote(request.cookies.get(WHO, ""))
            ),
            snoozes=SNOOZES,
        )

    async def respond(self, request: Request, alert_id: str) -> Response:
        """Do what a form asks for and show the alert again."""
        check_here(request)
        form = read_form(await bounded_body(request))
        responses = self._store.responses(self._desk)
        await run_in_threadpool(respond, responses, alert_id, form, datetime.now(UTC))
        answer = RedirectResponse(f"/alerts/{quote(alert_id, safe='')}", status_code=303)
        answer.set_cookie(WHO, quote(form["by"]), max_age=YEAR, httponly=True, samesite="strict")
        return answer

    def error(self, request: Request, status: int, detail: str, remedy: str) -> Response:
        """A page for what went wrong, in the reader's language as far as it is ours to say."""
        return self._render(
            request,
            "error.html",
            self._words(request),
            status=status,
            detail=detail,
            remedy=remedy,
            request_id=request.state.request_id,
            fresh=None,
            title=f"error.{status}" if status in (404, 409, 503) else "error.other",
        )

    def _words(self, request: Request) -> Words:
        accepted = request.headers.get("accept-language", "")
        kept = request.cookies.get("lang")
        language = chosen_language(request.query_params.get("lang"), kept, accepted, self._language)
        return Words(language, self._currency)

    def _render(self, request: Request, template: str, words: Words, **values: Any) -> Response:
        text = self._templates.get_template(template).render(
            t=words,
            today=self._today(),
            languages=[
                (name, phrases(name)["language"], request.url.include_query_params(lang=name).query)
                for name in LANGUAGES
            ],
            **values,
        )
        answer = HTMLResponse(text, status_code=values.get("status", 200))
        answer.headers.update(
            {
                "Cache-Control": "private, no-store",
                "Content-Language": {"en": "en", "zh": "zh-CN"}[words.language],
                "Vary": "Accept-Language, Cookie, HX-Request",
            }
        )
        if request.query_params.get("lang") in LANGUAGES:
            answer.set_cookie("lang", words.language, max_age=YEAR, httponly=True, samesite="lax")
        return answer


def _worklist_of(request: Request) -> tuple[AlertFilter, str | None]:
    """The filters and the page that the address asks for; what is empty leaves a filter open."""
    asked = {
        name: value.strip()[:200] or None for name, value in request.query_params.items() if name != "cursor"
    }
    chosen = AlertFilter(
        tier=asked.get("tier"),
        location=asked.get("location"),
        rule=asked.get("rule"),
        text=asked.get("q"),
        attention=asked.get("attention") or NOW,
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


def _dated(text: str) -> Markup:
    """A sentence whose dates do not break at their hyphens."""
    parts = ISO_DATE.split(text)
    return Markup("").join(
        Markup("<time>%s</time>") % part if place % 2 else part for place, part in enumerate(parts)
    )


def _mark(path: Path) -> str:
    """A name of a file's content, so that a browser keeps no older one."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
