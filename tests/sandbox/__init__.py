"""The sandbox, and the sandbox against the official schemas."""
