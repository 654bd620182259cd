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
    "no_position": {"en": "{item} at {location}: stock unknown", "zh": "{location} {item}：库存未知"},
    "out_of_stock": {"en": "{item} at {location} is out of stock", "zh": "{location} {item}：已断货"},
    "stockout_risk": {
        "en": "{item} at {location}: {chance} chance of running out",
        "zh": "{location} {item}：断货概率 {chance}",
    },
    "low_stock": {
        "en": "{item} at {location}: {share} below the {level}",
        "zh": "{location} {item}：低于{level} {share}",
    },
    "overstock": {
        "en": "{item} at {location}: {share} above the {level}",
        "zh": "{location} {item}：高于{level} {share}",
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
CAUSES = {
    "no_position": {
        "en": "No stock count is known, so neither shortage nor surplus can be told.",
        "zh": "没有库存数据，无法判断短缺或积压。",
    },
    "out_of_stock": {"en": "Nothing is available for sale.", "zh": "当前无可用库存。"},
    "stockout_risk": {
        "en": "The chance of running out within lead time and review is {chance} (limit {bound}).",
        "zh": "在提前期加补货周期内断货的概率为 {chance}（限值 {bound}）。",
    },
    "low_stock": {
        "en": "{stock_word} is {stock}, {share} below the {level} of {basis} (limit {limit}).",
        "zh": "{stock_word}为 {stock}，低于{level} {basis} 达 {share}（限值：{limit}）。",
    },
    "overstock": {
        "en": "{stock_word} is {stock}, {share} above the {level} of {basis} (limit {limit}).",
        "zh": "{stock_word}为 {stock}，高于{level} {basis} 达 {share}（限值：{limit}）。",
    },
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
UNAVOIDABLE = {"en": ", of which an order today cannot save {late}", "zh": "，其中 {late} 今天下单也来不及"}
STOP = {"en": ".", "zh": "。"}
SURPLUS = {
    "en": " Surplus above {healthy}: {units}{money}.",
    "zh": "超出 {healthy} 的部分为 {units}{money}。",
}

REMEDIES = {
    "order": {
        "en": "Order {quantity}{supplier}{when}{money}.",
        "zh": "{when}{supplier}订购 {quantity}{money}。",
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
VALUE = {"en": " ({})", "zh": "（{}）"}
COUNT = {"en": "Load a stock count for it.", "zh": "请导入库存数据。"}
HOLD = {"en": " Hold back the {inbound} on order.", "zh": "暂缓在途 {inbound}。"}
FROM = {
    "order": {"en": " from {}", "zh": "向 {} "},
    "expedite": {"en": " from {}", "zh": " {} 的"},
}
BY = {"en": " by {}", "zh": "{} 前"}
ARRIVES = {"en": " (arrives {})", "zh": "（{} 到货）"}
COSTS = {"en": ", cost {}", "zh": "，金额 {}"}
OVERDUE = {"en": " (overdue)", "zh": "（已逾期）"}
