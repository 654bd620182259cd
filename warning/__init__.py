"""Thresholds × positions to alerts, and each alert's life.

Reading order: rules (what to watch), facts (what a rule can see), grading (how bad it is),
remedies (what to do), messages (the words), engine (opened, updated, resolved); then lifecycle (the steps),
hours and owners (who by when), routing (where it is told), notices (what is said), outbox (when), channels.
"""
