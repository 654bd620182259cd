"""The catalogue of KPIs: what each is called, what it is counted in, and which way is better.

This module owns the words, English and Chinese; the formulas are those of `warning.kpis`, by the same names.
"""

from typing import Literal, NamedTuple

Unit = Literal["times a year", "share", "money", "days", "hours"]
Direction = Literal["up", "down"]


class Kpi(NamedTuple):
    """One figure: name, unit, the direction that is better, its title and its formula in words."""

    name: str
    unit: Unit
    better: Direction
    en: str
    zh: str
    formula_en: str
    formula_zh: str


KPIS = {
    kpi.name: kpi
    for kpi in (
        Kpi(
            "inventory_turnover", "times a year", "up", "Inventory turnover", "库存周转率",
            "cost of what was used, a year ÷ mean value of stock", "年化出库成本 ÷ 平均库存金额",
        ),
        Kpi(
            "stockout_rate", "share", "down", "Stockout rate", "断货率",
            "items and periods with unmet demand ÷ all watched", "出现缺货的品项期数 ÷ 全部监控的品项期数",
        ),
        Kpi(
            "slow_moving_share", "share", "down", "Slow-moving share", "滞销库存占比",
            "value of stock that lasts longer than 90 days ÷ value of stock",
            "可销天数超过 90 天的库存金额 ÷ 库存总金额",
        ),
        Kpi(
            "handling_timeliness", "share", "up", "Alerts handled in time", "预警处理及时率",
            "alerts acted upon by their deadline ÷ alerts due", "期限内处理的预警数 ÷ 到期预警数",
        ),
        Kpi(
            "overstock_rate", "share", "down", "Overstock rate", "库存积压率",
            "value above the overstock level ÷ value of stock", "超出积压警戒线的金额 ÷ 库存总金额",
        ),
        Kpi(
            "material_shortage_rate", "share", "down", "Material-shortage rate", "断料率",
            "needs of materials that met an empty shelf ÷ all needs",
            "未被满足的用料需求次数 ÷ 全部用料需求次数",
        ),
        Kpi(
            "capital_tied_up", "money", "down", "Capital tied up", "资金占用",
            "mean of stock × unit cost", "平均库存数量 × 单位成本",
        ),
        Kpi(
            "storage_cost", "money", "down", "Storage cost", "仓储成本",
            "sum over periods of stock × holding cost", "各期库存 × 单位持有成本之和",
        ),
        Kpi(
            "markdown_and_expiry_loss", "money", "down", "Markdown and expiry loss", "降价与过期损失",
            "price given up on units cleared + cost of units expired", "清仓让价金额 + 过期报废成本",
        ),
        Kpi(
            "days_of_cover", "days", "down", "Days of cover", "库存可销天数",
            "value of stock ÷ value used a day", "库存金额 ÷ 日均出库成本",
        ),
        Kpi(
            "response_time", "hours", "down", "Response time", "预警响应时间",
            "median hours from opening to the first answer", "从预警产生到首次响应的小时数（中位数）",
        ),
        Kpi(
            "hit_rate", "share", "up", "Hit rate", "命中率",
            "hits ÷ (hits + late + false)", "命中 ÷（命中 + 迟报 + 误报）",
        ),
        Kpi(
            "false_rate", "share", "down", "False-alarm rate", "误报率",
            "false ÷ (hits + late + false)", "误报 ÷（命中 + 迟报 + 误报）",
        ),
        Kpi(
            "missed_rate", "share", "down", "Missed rate", "漏报率",
            "missed and late ÷ (hits + missed and late), of what could be foreseen",
            "漏报与迟报 ÷（命中 + 漏报与迟报），仅计可预见者",
        ),
        Kpi(
            "forecast_value_added", "share", "up", "Forecast value added", "预测增值",
            "1 − model's error ÷ naive error", "1 − 模型误差 ÷ 朴素预测误差",
        ),
        Kpi(
            "accepted_share", "share", "up", "Suggestions accepted", "建议采纳率",
            "suggestions accepted ÷ suggestions decided upon", "采纳的建议数 ÷ 已决定的建议数",
        ),
    )
}  # fmt: skip
