"""The pages, for people. Reading order: words, overview, item, pages; then templates, catalog and static."""
