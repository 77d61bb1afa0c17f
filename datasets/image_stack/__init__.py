"""The image_stack data set."""
