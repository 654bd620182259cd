"""The command line. Reading order: options, show, app, then data, model, stock and service (the commands)."""
