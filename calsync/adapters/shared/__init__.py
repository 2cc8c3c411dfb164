"""What several adapters need: the seal of a tag, bounded reading, words for people, the room as one
who is invited. It knows no adapter."""
