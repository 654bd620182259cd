"""Wording: every sentence an alert is told in, English and Chinese.

This module owns the text alone. `warning.messages` fills in the numbers.
"""

from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

LEVEL_WORDS = {
    "safety_stock": {"en": "safety stock", "zh": "安全库存"},
    "reorder_point": {"en": "reorder point", "zh": "再订货点"},
    "order_up_to": {"en": "order-up-to level", "zh": "最高库存（补货目标）"},
    "overstock_level": {"en": "overstock level", "zh": "积压警戒线"},
}
STOCK_WORDS = {
    "available": {"en": "Available stock", "zh": "可用库存"},
    "projected": {"en": "The stock projected for the end of the lead time", "zh": "提前期末预计库存"},
    "position": {"en": "Stock with what is on order", "zh": "可用与在途合计"},
}
UNKNOWN = {"en": "unknown", "zh": "未知"}

TITLES = {
    "stale_data": {
        "en": "{about}: no new data for {measured} days",
        "zh": "{about}：{measured} 天没有新数据",
    },
    "contradictory_data": {
        "en": "{about}: figures disagree for {share} of what it tells of",
        "zh": "{about}：{share} 的数据互相矛盾",
    },
    "no_position": {"en": "{item} at {location}: stock unknown", "zh": "{location} {item}：库存未知"},
    "supplier_late": {
        "en": "{about}: {share} of its open orders are overdue",
        "zh": "{about}：{share} 的未到订单已逾期",
    },
    "supplier_shift": {"en": "{about}: lead times {share} longer", "zh": "{about}：交期变长 {share}"},
    "out_of_stock": {"en": "{item} at {location} is out of stock", "zh": "{location} {item}：已断货"},
    "stockout_risk": {
        "en": "{item} at {location}: {chance} chance of running out",
        "zh": "{location} {item}：断货概率 {chance}",
    },
    "low_stock": {
        "en": "{item} at {location}: {share} below the {level}",
        "zh": "{location} {item}：低于{level} {share}",
    },
    "late_inbound": {
        "en": "{item} at {location}: a delivery is {measured} days overdue",
        "zh": "{location} {item}：到货已逾期 {measured} 天",
    },
    "expiry": {
        "en": "{item} at {location}: {chance} chance that stock expires unsold",
        "zh": "{location} {item}：到期前卖不完的概率 {chance}",
    },
    "dead_stock": {
        "en": "{item} at {location}: nothing sold for {measured} days",
        "zh": "{location} {item}：{measured} 天没有销售",
    },
    "slow_stock": {
        "en": "{item} at {location}: stock for {measured} days",
        "zh": "{location} {item}：库存可用 {measured} 天",
    },
    "overstock": {
        "en": "{item} at {location}: {share} above the {level}",
        "zh": "{location} {item}：高于{level} {share}",
    },
    "abnormal_demand_high": {
        "en": "{item} at {location}: demand far above the forecast",
        "zh": "{location} {item}：需求远高于预测",
    },
    "abnormal_demand_low": {
        "en": "{item} at {location}: demand far below the forecast",
        "zh": "{location} {item}：需求远低于预测",
    },
    "low_stock_easing": {
        "en": "{item} at {location}: just above the {level} again",
        "zh": "{location} {item}：刚回到{level}之上",
    },
    "overstock_easing": {
        "en": "{item} at {location}: just below the {level} again",
        "zh": "{location} {item}：刚回到{level}之下",
    },
    "unneeded": {"en": "{item} at {location}: stock without demand", "zh": "{location} {item}：有库存无需求"},
}
_ABNORMAL = {
    "en": "{demand_seen} were sold in the last {demand_days} days, {demand_expected} were expected: so far "
    "out lies one such window in {odds} (limit {bound_number}).",
    "zh": "最近 {demand_days} 天销售 {demand_seen}，预测为 {demand_expected}：偏离之大，{odds} 次中仅一次"
    "（限值 {bound_number}）。",
}
CAUSES = {
    "stale_data": {
        "en": "Its last data are of {last}, {measured} days behind the newest source. {positions} items rest "
        "on it; until newer data come, no stock alert is raised or ended for them.",
        "zh": "最新数据为 {last}，比最新的数据源晚 {measured} 天。{positions} 个库存单元依赖该数据；"
        "新数据到达前不会触发或解除其库存预警。",
    },
    "contradictory_data": {
        "en": "{contradictions} of {positions} do not fit (limit {bound}). {details}",
        "zh": "{positions} 个中有 {contradictions} 个不一致（限值 {bound}）。{details}",
    },
    "no_position": {
        "en": "No stock count is known, so neither shortage nor surplus can be told.",
        "zh": "没有库存数据，无法判断短缺或积压。",
    },
    "supplier_late": {
        "en": "{overdue} of {open_orders} open order lines are past their promise (limit {bound}); "
        "{positions} items wait for {late} units. {details}",
        "zh": "{open_orders} 行未到订单中有 {overdue} 行已过承诺日期（限值 {bound}）；{positions} 个库存单元"
        "在等待 {late}。{details}",
    },
    "supplier_shift": {
        "en": "Deliveries of late took {share} longer than in the year before, which is more than luck "
        "(limit {bound}). {details}",
        "zh": "近期交期比上年长 {share}，并非偶然（限值 {bound}）。{details}",
    },
    "out_of_stock": {
        "en": "Nothing is available for sale.",
        "zh": "当前无可用库存。",
    },
    "stockout_risk": {
        "en": "The chance of running out within lead time and review is {chance} (limit {bound}).",
        "zh": "在提前期加补货周期内断货的概率为 {chance}（限值 {bound}）。",
    },
    "low_stock": {
        "en": "{stock_word} is {stock}, {share} below the {level} of {basis} (limit {limit}).",
        "zh": "{stock_word}为 {stock}，低于{level} {basis} 达 {share}（限值：{limit}）。",
    },
    "late_inbound": {
        "en": "{late} units on order are overdue, the oldest by {measured} days (limit {bound_number}).",
        "zh": "在途 {late} 已逾期，最久 {measured} 天（限值 {bound_number}）。",
    },
    "expiry": {
        "en": "Of {stock} available, {expiring_units} are expected to expire unsold, the first after "
        "{first_expiry_on}; the chance that some do is {chance} (limit {bound}).",
        "zh": "可用库存 {stock} 中预计 {expiring_units} 到期前卖不完，最早 {first_expiry_on} 到期；概率 "
        "{chance}（限值 {bound}）。",
    },
    "dead_stock": {
        "en": "Nothing was sold for {measured} days (limit {bound_number}).",
        "zh": "已 {measured} 天没有销售（限值 {bound_number}）。",
    },
    "slow_stock": {
        "en": "What is on hand lasts for about {measured} days (limit {bound_number}).",
        "zh": "在库预计可用约 {measured} 天（限值 {bound_number}）。",
    },
    "overstock": {
        "en": "{stock_word} is {stock}, {share} above the {level} of {basis} (limit {limit}).",
        "zh": "{stock_word}为 {stock}，高于{level} {basis} 达 {share}（限值：{limit}）。",
    },
    "abnormal_demand_high": _ABNORMAL,
    "abnormal_demand_low": _ABNORMAL,
    "low_stock_easing": {
        "en": "{stock_word} is {stock}, above the {level} of {basis} again, but by {share} only.",
        "zh": "{stock_word}为 {stock}，已回到{level} {basis} 之上，但仅高 {share}。",
    },
    "overstock_easing": {
        "en": "{stock_word} is {stock}, below the {level} of {basis} again, but by {share} only.",
        "zh": "{stock_word}为 {stock}，已回到{level} {basis} 之下，但仅低 {share}。",
    },
    "unneeded": {
        "en": "{stock_word} is {stock}, and none is needed.",
        "zh": "{stock_word}为 {stock}，但没有需求。",
    },
}
LIMITS = {
    "low_stock": {"en": "{threshold}, {bound} below", "zh": "低 {bound}，即 {threshold}"},
    "overstock": {"en": "{threshold}, {bound} above", "zh": "高 {bound}，即 {threshold}"},
}
POSITION = {
    "en": " On hand {on_hand}, reserved {reserved}, inbound {inbound}, projected {projected}"
    " at the end of the lead time; safety stock {safety_stock}, reorder point {reorder_point}.",
    "zh": "在库 {on_hand}，预留 {reserved}，在途 {inbound}，提前期末预计 {projected}；"
    "安全库存 {safety_stock}，再订货点 {reorder_point}。",
}
DAYS = {"en": " Days to stockout: about {days}.", "zh": "预计约 {days} 天后断货。"}
LOST = {"en": " Expected lost sales: {units}{money}", "zh": "预计损失销量 {units}{money}"}
UNAVOIDABLE = {"en": ", of which the next order cannot save {late}", "zh": "，其中 {late} 下次下单也来不及"}
STOP = {"en": ".", "zh": "。"}
SURPLUS = {
    "en": " Surplus above {healthy}: {units}{money}.",
    "zh": "超出 {healthy} 的部分为 {units}{money}。",
}
TIED_UP = {"en": " What does not pay to keep: {units}{money}.", "zh": "不值得继续持有的为 {units}{money}。"}
SPOILT = {"en": " At stake: {units}{money}.", "zh": "涉及 {units}{money}。"}

REMEDIES = {
    "order": {
        "en": "Order {quantity}{supplier}{when}{money}.",
        "zh": "{when}{supplier}订购 {quantity}{money}。",
    },
    "transfer": {
        "en": "Move {quantity}{supplier}{when}{money}.",
        "zh": "{when}{supplier}调拨 {quantity}{money}。",
    },
    "expedite": {
        "en": "Expedite the {quantity} on order{supplier}{overdue}.",
        "zh": "催交{supplier}在途 {quantity}{overdue}。",
    },
    "promote": {"en": "Promote {quantity}{money}.", "zh": "促销 {quantity}{money}。"},
    "clear": {"en": "Clear {quantity}{money}.", "zh": "清理 {quantity}{money}。"},
    "fix_data": {
        "en": "No order can be worked out: name a supplier for it in `sourcing`.",
        "zh": "无法计算订单：请在 sourcing 中补充供应商。",
    },
    "watch": {"en": "Nothing to order now; keep an eye on it.", "zh": "暂无需下单，请持续关注。"},
}
# What to do about these kinds does not depend on numbers.
ADVICE = {
    "stale_data": {"en": "Load a newer export of {about}.", "zh": "请导入 {about} 的最新数据。"},
    "contradictory_data": {
        "en": "Correct the source that is wrong; until then trust neither of the figures.",
        "zh": "请更正有误的数据源；更正前两方数据均不可信。",
    },
    "no_position": {"en": "Load a stock count for it.", "zh": "请导入库存数据。"},
    "supplier_shift": {
        "en": "Levels follow the new lead times already; agree with {about} on dates that hold, or order "
        "elsewhere.",
        "zh": "库存水位已按新交期调整；请与 {about} 确认可靠的交期，或另选供应商。",
    },
    "abnormal_demand_high": {
        "en": "Find the reason: tag an event that will not come again, correct a wrong figure, or let the "
        "model learn what lasts.",
        "zh": "请查明原因：一次性事件请打标签，错误数据请更正，持续变化则由模型学习。",
    },
    "abnormal_demand_low": {
        "en": "Find the reason: an empty shelf, missing sales data, or demand that has gone.",
        "zh": "请查明原因：货架无货、销售数据缺失，或需求下降。",
    },
    "notify_only": {
        "en": "This rule only tells; nothing is ordered by it.",
        "zh": "本规则仅通知，不触发订货。",
    },
}
VALUE = {"en": " ({})", "zh": "（{}）"}
HOLD = {"en": " Hold back the {inbound} on order.", "zh": "暂缓在途 {inbound}。"}
FROM = {
    "order": {"en": " from {}", "zh": "向 {} "},
    "transfer": {"en": " from {}", "zh": "从 {} "},
    "expedite": {"en": " from {}", "zh": " {} 的"},
}
BY = {"en": " by {}", "zh": "{} 前"}
ARRIVES = {"en": " (arrives {})", "zh": "（{} 到货）"}
COSTS = {"en": ", cost {}", "zh": "，金额 {}"}
OVERDUE = {"en": " (overdue)", "zh": "（已逾期）"}
