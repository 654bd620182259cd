"""CumulativeDemand × supply to Thresholds, Risk and Orders.

Reading order: receipts, pooling, drift, contract, lead_time (how long supply takes); classes, order_days,
supply (what an item is, from whom, when, in which lots); sums, protection (demand until help can come);
undershoot (what lots change), lot_sizing, perishing, fixed_costs (formulas of cost); king, classic (rules to
compare with); validity, targets, explanation, suppliers, thresholds, ahead; position, lots, projection, risk,
overstock; cost_levels, lost_sales, lost_fill, planning; replay, exchange, pictures (the proof).
"""
