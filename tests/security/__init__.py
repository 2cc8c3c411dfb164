"""Attacks on calsync, one module a kind. SECURITY.md names the test of each threat."""
