"""The report of a month: one HTML file that needs nothing beside it, in English or Chinese.

It owns how figures are written, the pictures (drawn as SVG within the page) and which phrases the page uses,
which stand in report_words.json beside it. The page itself is templates/report.html.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.reviewing import Review
from warning.kpi_catalogue import KPIS, Kpi

FOLDER = Path(__file__).parent
MISSING = "–"
LABELS = ("hit", "late", "false", "missed", "pending", "unjudged")
# Safe for the colour-blind, and told apart by their words as well.
COLOURS = {
    "hit": "#0072b2", "late": "#e69f00", "false": "#d55e00", "missed": "#8b3a62", "pending": "#999999",
    "unjudged": "#cccccc", "in time": "#0072b2",
}  # fmt: skip
ROW, WIDTH = 26, 640  # pixels
LATIN, WIDE = 8, 15  # pixels of a letter, and of a Chinese character


def written(kpi: Kpi, value: float, currency: str = "", language: str = "en") -> str:
    """A figure as a person reads it.

    >>> written(KPIS["false_rate"], 0.1834), written(KPIS["days_of_cover"], 31.26)
    ('18.3%', '31.3 days')
    >>> written(KPIS["days_of_cover"], 31.26, language="zh")
    '31.3 天'
    """
    if math.isnan(value):
        return MISSING
    if kpi.unit == "share":
        return f"{value:.1%}"
    if kpi.unit == "money":
        return f"{value:,.0f} {currency}".strip()
    if kpi.unit == "times a year":
        return f"{value:,.1f}×"
    return f"{value:,.1f} {phrases()[language][kpi.unit]}"


def write_report(review: Review, language: str, currency: str) -> str:
    """The whole page."""
    words = phrases()[language]
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "web" / "templates"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(
        language=language,
        words=words,
        month=review.month,
        made=review.made_at.strftime("%Y-%m-%d %H:%M UTC"),
        kpis=[compared(kpi, review.figures, review.before, language, currency) for kpi in KPIS.values()],
        outcomes=bars(_counts(review.outcomes["outcome"].tolist(), LABELS), words),
        announced=bars(_counts(review.stockouts["announced"].tolist(), ("in time", "late", "missed")), words),
        left=bars(_time_left(review), words),
        prevented=int(review.outcomes["prevented"].sum()),
        rules=review.summary()["rules"],
        proposals=[{**one.as_row(), "said": one.proposal.why[language]} for one in review.proposals],
    )


def bars(values: Mapping[str, int], words: Mapping[str, str]) -> str:
    """Horizontal bars as SVG, one a value, each with its name and number.

    >>> bars({"hit": 3}, {"hit": "Hit"}).count("<rect")
    1
    """
    most, height = max([1, *values.values()]), ROW * len(values) + 4
    left = 8 + max((_wide(words.get(name, name)) for name in values), default=0)
    rows = []
    for number, (name, count) in enumerate(values.items()):
        y, long = ROW * number + 4, (WIDTH - left - 60) * count / most
        colour = COLOURS.get(name, "#56b4e9")
        title = escape(words.get(name, name))
        rows.append(
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{title}</text>'
            f'<rect x="{left}" y="{y}" width="{long:.1f}" height="{ROW - 8}" fill="{colour}"/>'
            f'<text x="{left + long + 6:.1f}" y="{y + 14}">{count:,}</text>'
        )
    said = "; ".join(f"{words.get(name, name)} {count}" for name, count in values.items())
    head = f'<svg role="img" aria-label="{escape(said)}" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}">'
    return head + "".join(rows) + "</svg>"


def _wide(text: str) -> int:
    """Pixels that a text takes at most.

    >>> _wide("hit"), _wide("命中")
    (24, 30)
    """
    return sum(LATIN if ord(letter) < 0x2E80 else WIDE for letter in text)


@cache
def phrases() -> dict[str, dict[str, str]]:
    """Phrases by language; the same keys in each."""
    return json.loads((FOLDER / "report_words.json").read_text(encoding="utf-8"))


def compared(
    kpi: Kpi, figures: Mapping[str, Any], figures_before: Mapping[str, Any], language: str, currency: str
) -> dict[str, Any]:
    """A figure beside that of the month before: title, formula, better, now, before, change.

    change: better or worse; "" where it stayed, or one of the two is not known
    """
    now, before = (_number(each.get(kpi.name)) for each in (figures, figures_before))
    change = "" if math.isnan(now) or math.isnan(before) or now == before else "worse"
    if change and (now > before) == (kpi.better == "up"):
        change = "better"
    return {
        "title": kpi.en if language == "en" else kpi.zh,
        "formula": kpi.formula_en if language == "en" else kpi.formula_zh,
        "better": "↑" if kpi.better == "up" else "↓",
        "now": written(kpi, now, currency, language),
        "before": written(kpi, before, currency, language),
        "change": change,
    }


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _counts(labels: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    return {name: labels.count(name) for name in names}


def _time_left(review: Review) -> dict[str, int]:
    """How many right warnings left how many periods more than acting takes."""
    rows = review.outcomes[
        review.outcomes["outcome"].isin(["hit", "late"]) & review.outcomes["time_left"].notna()
    ]
    spare = (rows["time_left"] - rows["needed"]).to_numpy(dtype=float)
    edges = ((-math.inf, 0, "< 0"), (0, 1, "0"), (1, 3, "1–2"), (3, 7, "3–6"), (7, math.inf, "≥ 7"))
    return {name: int(((spare >= low) & (spare < high)).sum()) for low, high, name in edges}
