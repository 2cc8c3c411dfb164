"""PURE: how conflicts are decided. ``merge`` (two edits of one booking), ``clash`` (two
bookings, one room, one time), ``policy`` (who wins), ``alternatives`` (what is free instead)."""
