"""Tells a broken adapter from a framework that is wrong, before any score."""
