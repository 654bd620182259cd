"""Tables in: what a business knows, read, checked and kept.

Reading order: periods, subjects, weekdays; fields, contracts (what a table must be); sources, readers,
databases, shaping (from files to its columns); quality (rows set aside); staging, manifest, warehouse,
loading (kept, and switched at once); reconciliation, slips, health, reporting (what to know before
trusting it); mapping (a first configuration); then retailer, a simulated business.
"""
