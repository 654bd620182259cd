"""How the store's tables came to be: Alembic's environment and one file per change."""
