"""Layers that act on the plane of pixels, whatever the channels mean, and on whole networks."""
