"""The pages, for people.

Reading order: words, overview, item, what_if, pages; then templates, catalog and static.
"""
