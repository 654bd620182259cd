"""The frame of every page: templates, language, and how an answer is dressed."""

import hashlib
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from serving.store.store import Store
from serving.web import overview as work
from serving.web.words import LANGUAGES, Words, chosen_language, phrases

HERE = Path(__file__).parent
SHOWN: dict[str, Any] = {"response_class": HTMLResponse, "include_in_schema": False}  # of a page's route
ISO_DATE = re.compile(r"(\d{4}-\d\d-\d\d)")
YEAR = 365 * 24 * 3600


class Frame:
    """What all pages of one service have in common."""

    def __init__(self, store: Store, *, currency: str, language: str, today: Callable[[], date]) -> None:
        self.store = store
        self.today = today
        self._currency = currency
        self._language = language
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
            "asked": work.asked,
            "item_url": work.item_url,
        }
        self._templates.filters |= {"as_date": date.fromisoformat, "dated": _dated}

    def words(self, request: Request) -> Words:
        """The language that a reader asked for, now or before, or that the browser knows."""
        accepted = request.headers.get("accept-language", "")
        kept = request.cookies.get("lang")
        language = chosen_language(request.query_params.get("lang"), kept, accepted, self._language)
        return Words(language, self._currency)

    def page(self, request: Request, template: str, words: Words, **values: Any) -> Response:
        """A page of the service, which says how old what it shows is."""
        fresh = work.freshness(self.store.overview(), self.today())
        return self.render(request, template, words, fresh=fresh, **values)

    def render(self, request: Request, template: str, words: Words, **values: Any) -> Response:
        """A template filled in."""
        text = self._templates.get_template(template).render(
            t=words,
            today=self.today(),
            path=request.url.path,
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

    def error(self, request: Request, status: int, detail: str, remedy: str) -> Response:
        """A page for what went wrong, in the reader's language as far as it is ours to say."""
        return self.render(
            request,
            "error.html",
            self.words(request),
            status=status,
            detail=detail,
            remedy=remedy,
            request_id=request.state.request_id,
            fresh=None,
            title=f"error.{status}" if status in (404, 409, 503) else "error.other",
            known=status == 404,
        )


def is_htmx(request: Request) -> bool:
    """Whether only a part of the page is asked for."""
    return request.headers.get("hx-request") == "true"


def _dated(text: str) -> Markup:
    """A sentence whose dates do not break at their hyphens."""
    parts = ISO_DATE.split(text)
    return Markup("").join(
        Markup("<time>%s</time>") % part if place % 2 else part for place, part in enumerate(parts)
    )


def _mark(path: Path) -> str:
    """A name of a file's content, so that a browser keeps no older one."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
