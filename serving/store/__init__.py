"""What the service remembers: the only place with SQL.

Reading order: schema, migrations, database, rows, paging, snapshots, audit, outbox, claims, drafts, alerts,
lifecycle, store.
"""
