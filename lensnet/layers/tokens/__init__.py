"""Tokens that are learnt, and vectors and scores of their positions."""
