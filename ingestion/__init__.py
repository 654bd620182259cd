"""Tables in: what a business knows, read, checked and kept.

Reading order: periods, contracts, sources, quality, warehouse, loading; then retailer, a simulated business.
"""
