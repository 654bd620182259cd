"""The entrances: settings, the store, the pipeline, the API, the pages and the command line."""
