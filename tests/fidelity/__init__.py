"""Official schemas as judges."""
