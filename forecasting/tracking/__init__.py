"""Training runs in MLflow: recorded, registered, and found again as they were known at a date.

The only place that imports MLflow, which takes seconds to load: callers import these modules when they train
or look for the model in force. Read in this order: store → registry → served_model → recording → listing.

A training is one run, and each candidate a run nested in it. The model that serves is registered as a
version: a model that MLflow loads by itself, and within it the sealed folder of `persisted`, which is all
that serving reads.
"""
