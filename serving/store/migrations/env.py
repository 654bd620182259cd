"""Alembic's environment: runs on the connection that `serving.store.database` hands over."""

from alembic import context

from serving.store.schema import metadata

if config := getattr(context, "config", None):  # there is none where a tool only imports the file
    context.configure(
        connection=config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=False,  # the caller's transaction holds all steps together
    )
    context.run_migrations()
