"""Folding: an equal model of stock Keras layers alone, for inference."""
