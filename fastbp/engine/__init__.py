"""Whole epochs and many scores without going back to Python: networks as rows of numbers."""
