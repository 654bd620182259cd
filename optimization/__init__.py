"""CumulativeDemand × supply to Thresholds, Risk and Orders.

Reading order: receipts, pooling, drift, contract, lead_time (how long supply takes); supply (from whom, in
which lots); sums, protection (demand until help can come), king (the classic baseline); targets, explanation,
thresholds; position, projection, risk; lost_sales, planning; replay (the proof).
"""
