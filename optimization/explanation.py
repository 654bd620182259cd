"""Why a threshold is what it is, in the sentence a planner reads, English and Chinese.

It owns words and number formats only; every figure comes from the row of thresholds it explains.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

PARTS = ("from_demand", "from_lead_time", "from_review")
PERIODS = {"day": ("day", "天"), "week": ("week", "周"), "month": ("month", "个月")}
SOURCES = {
    "receipts of supplier × lane × item": "该供应商在此线路此物料的到货记录",
    "receipts of supplier × lane": "该供应商在此线路的到货记录",
    "receipts of the supplier": "该供应商的到货记录",
    "receipts of all suppliers": "全部供应商的到货记录",
    "contract": "合同",
    "contract, certain": "合同（固定）",
    "default": "默认值",
}
PROMISE = {
    "cycle_service": "in {share} of cycles that covers",
    "fill_rate": "with it {share} of units are served from the shelf during",
    "cost": "holding and shortage costs balance at {share} cover of",
}
PROMISE_ZH = {
    "cycle_service": "{share}的周期内足以满足",
    "fill_rate": "{share}的需求可由现货满足，覆盖",
    "cost": "持有与缺货成本在{share}处平衡，覆盖",
}


def amount(value: float) -> str:
    """A quantity as a planner writes it.

    >>> amount(1234.4), amount(12.34), amount(7.0), amount(0.04)
    ('1,234', '12.3', '7', '0.04')
    """
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 1 else f"{value:.2g}"


def percent(share: float) -> str:
    """A share as a planner writes it; what is not all is not called 100%.

    >>> percent(0.95), percent(0.8333), percent(0.99954), percent(1.0)
    ('95%', '83.3%', '99.95%', '100%')
    """
    text = f"{100 * share:.3g}"
    return f"{100 * min(share, 0.9999):.2f}%" if text == "100" and share < 1 else f"{text}%"


def explain(thresholds: pd.DataFrame, period: str) -> tuple[list[str], list[str]]:
    """English and Chinese sentences, one per row of `thresholds`.

    thresholds: with the columns of thresholds.derive_thresholds that carry numbers, and shelf_limited:
        whether a shelf life keeps the order-up-to level down; expected: units of demand that the reorder
        point is to cover, on average
    period: day, week or month
    """
    word, word_zh = PERIODS[period]
    rows = list(_rows(thresholds))
    return [_english(row, word) for row in rows], [_chinese(row, word_zh) for row in rows]


def _rows(thresholds: pd.DataFrame) -> Iterator[dict[str, str]]:
    shown = ["reorder_point", "expected", "lead_time_mean", "review_periods", "order_up_to"]
    texts = {name: [amount(x) for x in thresholds[name].tolist()] for name in shown}
    texts["safety_stock"], *parts = _parts(thresholds)
    texts |= dict(zip(PARTS, parts, strict=True))
    texts["share"] = [percent(x) for x in thresholds["target"].tolist()]
    texts["beyond"] = [percent(x) if x >= 0.05 else "" for x in thresholds["beyond_horizon"].tolist()]
    for name in ("measure", "lead_time_source"):
        texts[name] = thresholds[name].tolist()
    below = thresholds["reorder_point"].to_numpy() < thresholds["expected"].to_numpy()
    texts["below"] = np.where(below, "yes", "").tolist()
    texts["fresh"] = ["yes" if limited else "" for limited in thresholds["shelf_limited"].tolist()]
    names = list(texts)
    return (dict(zip(names, row, strict=True)) for row in zip(*texts.values(), strict=True))


def _parts(thresholds: pd.DataFrame) -> list[list[str]]:
    """The safety stock and its parts in words, rounded so that what is shown adds up too."""
    safety, demand, lead = (thresholds[name].to_numpy() for name in ("safety_stock", *PARTS[:2]))
    small = 1.0 - np.floor(np.log10(np.maximum(safety, 1e-9)))
    decimals = np.where(safety >= 100, 0, np.where(safety >= 1, 1, small)).astype(np.int64)
    scale = 10.0**decimals
    safety, demand, lead = (np.round(units * scale) for units in (safety, demand, lead))
    parts = safety, demand, lead, safety - demand - lead
    return [
        [_decimal(x, d) for x, d in zip((units / scale + 0.0).tolist(), decimals.tolist(), strict=True)]
        for units in parts
    ]


def _decimal(value: float, decimals: int) -> str:
    """A part as finely as its whole: one that is larger must not lose what makes them add up.

    >>> _decimal(-0.114, 3), _decimal(2.0, 1), _decimal(1234.0, 0)
    ('-0.114', '2', '1,234')
    """
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _english(row: dict[str, str], period: str) -> str:
    lead, review = _counted(row["lead_time_mean"], period), _counted(row["review_periods"], period)
    said = (
        f"Order when stock and open orders fall below {row['reorder_point']}, up to {row['order_up_to']}: "
        f"{PROMISE[row['measure']].format(share=row['share'])} demand until the next order can help "
        f"({lead} of lead time by {row['lead_time_source']}, {review} of review; "
        f"{row['expected']} expected). "
    )
    if row["safety_stock"] == "0":
        why = (
            "the target asks for less than is expected"
            if row["below"]
            else "what is expected is already enough"
        )
        said += f"No safety stock: {why}."
    else:
        said += (
            f"{row['safety_stock']} of it is safety stock: {_part(row['from_demand'])} for uncertain demand, "
            f"{_part(row['from_lead_time'])} for uncertain delivery, {_part(row['from_review'])} for review "
            "and lots."
        )
    if row["fresh"]:
        said += " More than that at once would not sell within its shelf life."
    if row["beyond"]:
        said += (
            f" {row['beyond']} of deliveries take longer than the forecast reaches; its growth was continued."
        )
    return said


def _part(units: str) -> str:
    return f"{units[1:]} less" if units.startswith("-") else units


def _part_zh(units: str) -> str:
    return f"减{units[1:]}" if units.startswith("-") else units


def _counted(number: str, period: str) -> str:
    return f"{number} {period}" if number == "1" else f"{number} {period}s"


def _chinese(row: dict[str, str], period: str) -> str:
    source = SOURCES.get(row["lead_time_source"], row["lead_time_source"])
    said = (
        f"库存加在途低于{row['reorder_point']}时订货，补至{row['order_up_to']}："
        f"{PROMISE_ZH[row['measure']].format(share=row['share'])}下一批货起作用之前的需求"
        f"（交期{row['lead_time_mean']}{period}，依据{source}；复核周期{row['review_periods']}{period}；"
        f"预计需求{row['expected']}）。"
    )
    if row["safety_stock"] == "0":
        said += f"无需安全库存：{'目标低于预计需求' if row['below'] else '预计需求已足够'}。"
    else:
        said += (
            f"其中安全库存{row['safety_stock']}：需求波动{_part_zh(row['from_demand'])}，"
            f"交期波动{_part_zh(row['from_lead_time'])}，复核与批量{_part_zh(row['from_review'])}。"
        )
    if row["fresh"]:
        said += "一次多订则保质期内卖不完。"
    if row["beyond"]:
        said += f"{row['beyond']}的交货超出预测范围，按其增长趋势外推。"
    return said
