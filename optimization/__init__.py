"""CumulativeDemand × supply to Thresholds, Risk and Orders.

Reading order: lead_time, protection, thresholds, risk, planning, replay.
"""
