"""Convolutions of feature maps that keep the symmetry of an image."""
