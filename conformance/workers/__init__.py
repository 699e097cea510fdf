"""Adapters that answer in a process of their own, by the protocol of docs/protocol.md."""
