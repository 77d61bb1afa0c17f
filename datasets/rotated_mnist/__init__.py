"""The rotated_mnist data set."""
