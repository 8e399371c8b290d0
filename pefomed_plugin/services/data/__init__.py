"""Preparing a data set: examination, leakage, our own schema, shards."""
