"""Layers that act on whole regular fields."""
