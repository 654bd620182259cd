"""Forms: what a person sends from a page of ours, who sends it, and what it asks for.

A form must come from a page of ours: browsers say where a request comes from, and any other place is refused.
Who sends one is typed once and remembered in a cookie until there are accounts.
"""

from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingestion.errors import Problem
from serving.responding import DEEDS, Ask
from serving.store.lifecycle import Said
from warning.lifecycle import STEPS

MOST_BYTES = 32768  # of a form
SNOOZES = (1, 3, 7)  # days that the pages offer
WHO = "who"  # the cookie that remembers a name
YEAR = 365 * 24 * 3600


class ElsewhereError(Problem):
    """A form that was not sent from a page of ours."""


class Form:
    """The fields of a form that came from a page of ours."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        """What was filled in; "" where nothing was."""
        return next((value for key, value in reversed(self._fields) if key == name), "")

    @property
    def names(self) -> set[str]:
        """The fields that were sent with something in them, or empty."""
        return {name for name, _ in self._fields}

    def all(self, name: str) -> list[str]:
        """Everything that was filled in or picked under a name."""
        return [value for key, value in self._fields if key == name]

    def said(self, now: datetime) -> Said:
        """Who sends it, and the reason that is given; Problem where it is nobody."""
        return Said(self["by"], now, self["reason"][:2000])

    def ask(self, now: datetime) -> Ask:
        """What it asks to be done with alerts; Problem where no button of ours asks so."""
        if self["do"] not in DEEDS:
            raise Problem(f"the page offers {', '.join(STEPS)} and more, got {self['do']!r}; use its buttons")
        return Ask(self["do"], self["owner"], self.end(now) if self["do"] == "snooze" else None)

    def end(self, now: datetime) -> datetime:
        """The end of what lasts some days from now."""
        days = self["days"]
        if not days.isdigit() or len(days) > 4:
            raise Problem(f"days must be a whole number, got {days!r}; choose one from the list")
        return now + timedelta(days=int(days))


async def read_form(request: Request) -> Form:
    """A form's fields; ElsewhereError where it is none of ours, Problem where it is too large."""
    origin, site = request.headers.get("origin", ""), request.headers.get("sec-fetch-site", "same-origin")
    if urlsplit(origin).netloc != request.headers.get("host") or site != "same-origin":
        raise ElsewhereError(
            f"a form is sent from a page of this service, this one came from {origin or 'nowhere'!r}; "
            f"open the page and send it from there, or use the API"
        )
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Problem(f"a form has at most {MOST_BYTES} bytes, got more; write less")
    fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return Form([(name, value.strip()) for name, value in fields])


def who(request: Request) -> str:
    """The name that the browser remembers."""
    return unquote(request.cookies.get(WHO, ""))


def onward(form: Form, address: str) -> Response:
    """On to a page of ours once a form is done; the browser remembers who sent it."""
    answer = RedirectResponse(address, status_code=303)
    answer.set_cookie(WHO, quote(form["by"]), max_age=YEAR, httponly=True, samesite="strict")
    return answer
