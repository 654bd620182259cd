"""Thresholds × positions to alerts, and each alert's life.

Reading order: rules, engine.
"""
