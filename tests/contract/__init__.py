"""The contract that every side of a pair passes."""
