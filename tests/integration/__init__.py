"""Adapters against the sandbox, over HTTP on loopback."""
