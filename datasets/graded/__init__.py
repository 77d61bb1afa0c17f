"""The graded data set."""
