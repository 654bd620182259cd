"""The HTTP API.

Reading order: problems, metrics, edge, formats, questions, schemas, routes, what_if, health, app.
"""
