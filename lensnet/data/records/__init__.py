"""Prepared records: how they are written, named, listed and read."""
