"""What maintainers of the project run, and nothing else needs."""
