"""History to CumulativeDemand.

Reading order: piecewise, cumulative (the object every later room uses); calendar, plans, series, panel (tables
to arrays); arrays, structure, history, peers, features (arrays to rows); forecaster, baselines, gbm (what can be
fitted); calibration, fallback, persisted, models (what predicts); backtest, training, tracking (what is chosen).
"""
