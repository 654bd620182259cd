"""Words: the pages' language, its phrases, and how it writes numbers, money and dates.

Phrases stand in catalog/LANGUAGE.json, the same keys in each. Sentences about an alert or a threshold come
with it, in both languages, from the room that made it.
"""

import json
import math
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

CATALOG = Path(__file__).parent / "catalog"
LANGUAGES = ("en", "zh")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MISSING = "–"


class Words:
    """One language, as a template uses it.

    >>> Words("en").units(1234.5), Words("en").day(date(2026, 3, 9), date(2026, 3, 8))
    ('1,234', '9 Mar')
    """

    def __init__(self, language: str, currency: str = "") -> None:
        self.language = language
        self._currency = currency
        self._phrases = phrases(language)

    def __call__(self, key: str, **values: Any) -> str:
        """The phrase of a key with its values put in; a KeyError is a mistake of ours."""
        return self._phrases[key].format(**values)

    def known(self, prefix: str, name: str) -> str:
        """The phrase of prefix.name; the name itself where a workspace invented it."""
        return self._phrases.get(f"{prefix}.{name}", name)

    def count(self, key: str, number: int) -> str:
        """The phrase for a number of things; English tells one from many."""
        form = f"{key}.one" if number == 1 else f"{key}.many"
        return self._phrases[form].format(n=f"{number:,}")

    def units(self, value: float | None) -> str:
        """Units of stock: at most one decimal, none from a hundred on."""
        if value is None or not math.isfinite(value):
            return MISSING
        text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}".removesuffix(".0")
        return "0" if text == "-0" else text.replace("-", "\N{MINUS SIGN}")

    def money(self, value: float | None) -> str:
        """Money in whole units of the workspace's currency."""
        if value is None or not math.isfinite(value):
            return MISSING
        return f"{value:,.0f} {self._currency}".rstrip()

    def percent(self, value: float | None) -> str:
        """A share that never claims a certainty it has not."""
        if value is None or not math.isfinite(value):
            return MISSING
        if 0.995 <= value < 1:
            return ">99%"
        return "<1%" if 0 < value < 0.005 else f"{value:.0%}"

    def change(self, value: float | None) -> str:
        """A relative change with its sign.

        >>> Words("en").change(0.204), Words("en").change(-0.5), Words("en").change(0.001)
        ('+20%', '−50%', '0%')
        """
        if value is None or not math.isfinite(value):
            return MISSING
        text = f"{value:+.0%}".replace("-", "\N{MINUS SIGN}")
        return "0%" if text[1:] == "0%" else text

    def days(self, value: float | None) -> str:
        """Time until something happens, in whole days: a few hours are less than one, none is now."""
        if value is None or not math.isfinite(value):
            return MISSING
        if value < 0.5:
            return self("days.less" if value > 0 else "days.now")
        return self.count("days", round(value))

    def day(self, value: date | None, today: date | None = None) -> str:
        """A date; without its year where that is this year's."""
        if value is None:
            return MISSING
        year = today is None or value.year != today.year
        if self.language == "zh":
            return (f"{value.year}年" if year else "") + f"{value.month}月{value.day}日"
        return f"{value.day} {MONTHS[value.month - 1]}" + (f" {value.year}" if year else "")

    def relative(self, value: date, today: date) -> str:
        """A date as it is seen from today."""
        ahead = (value - today).days
        if abs(ahead) > 13:
            return self.day(value, today)
        named = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(ahead)
        if named:
            return self(f"day.{named}")
        return self("day.ago" if ahead < 0 else "day.ahead", n=abs(ahead))

    def of(self, row: Mapping[str, Any], name: str) -> str:
        """A sentence that came with a row, in this language where it has it."""
        own = row.get(f"{name}_{self.language}") if self.language != "en" else None
        text = own or row.get(name)
        return text if isinstance(text, str) else ""


@cache
def phrases(language: str) -> dict[str, str]:
    """All phrases of a language."""
    return json.loads((CATALOG / f"{language}.json").read_text(encoding="utf-8"))


def chosen_language(asked: str | None, kept: str | None, accepted: str, default: str) -> str:
    """The language to answer in: asked for now, else kept from before, else the browser's first known one.

    >>> chosen_language(None, None, "fr;q=0.9, zh-CN;q=0.8, en;q=0.5", "en")
    'zh'
    >>> chosen_language("en", "zh", "", "zh"), chosen_language("xx", None, "", "zh")
    ('en', 'zh')
    """
    for wish in (asked, kept):
        if wish in LANGUAGES:
            return wish
    ranked = []
    for place, part in enumerate(accepted.split(",")):
        name, _, weight = part.partition(";q=")
        try:
            ranked.append((-float(weight or 1), place, name.strip().lower()[:2]))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(ranked) if name in LANGUAGES), default)
