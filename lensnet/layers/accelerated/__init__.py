"""Keras's own layers, computed faster on a CPU."""
