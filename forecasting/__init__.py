"""History to CumulativeDemand.

Reading order: piecewise, cumulative (the object every later room uses), panel, calendar, features,
models, calibration, backtest, training, tracking.
"""
