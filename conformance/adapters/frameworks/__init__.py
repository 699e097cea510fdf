"""Frameworks that people compare, an adapter each, that import theirs and nothing else."""
