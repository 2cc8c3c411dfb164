"""One process that keeps all rooms in sync: triggers, control loop, bounded pool, signals."""
