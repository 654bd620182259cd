"""CumulativeDemand × supply to Thresholds, Risk and Orders.

Reading order: receipts, pooling, drift, contract, lead_time (how long supply takes); classes, supply
(what an item is, from whom, in which lots); sums, protection (demand until help can come); king, classic
(rules to compare with); targets, explanation, suppliers, thresholds; position, projection, risk;
lost_sales, planning; replay, exchange, pictures (the proof).
"""
