"""The commands of `bce-conformance`, a module each.

Each module has ``add(commands)``, which adds its parser, and imports what it runs with only when it
is run: --help must not wait for frameworks, oracles or case files.
"""
