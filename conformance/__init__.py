"""Test vectors with proven answers for the losses of machine learning."""

__version__ = "0.1.0"
__all__ = ["__version__"]
