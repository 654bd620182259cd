"""History to CumulativeDemand.

Reading order, by what each step makes:
the object every later room uses: piecewise, cumulative;
arrays from tables: calendar, plans, series, panel, overlay;
features from arrays: arrays, structure, history, peers, features;
what can be fitted: forecaster, baselines, gbm;
what predicts: calibration, fallback, persisted, models;
what is chosen and kept: backtest, training, tracking.
"""
