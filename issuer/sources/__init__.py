"""Adapters to authentic sources: SQL databases, files, HTTP services. Each gives rows; a mapping file makes records."""
