"""The HTTP API. Reading order: problems, metrics, edge, formats, questions, schemas, routes, health, app."""
