"""Searches for the inputs at which an adapter's error is largest."""
