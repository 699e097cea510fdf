"""Fuzzes what reads files from outside: case files, run files, and ledgers."""
