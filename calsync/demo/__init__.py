"""The main job shown and judged: a synthetic tenant, the real `calsync serve`, and people.

`stage` sets it up as processes, `driver` plays the people, `watcher` looks on, `view` shows it,
`records` gathers what both stores and the sandbox's log say at the end, and `judge` (pure) decides
from that alone whether anything was lost, invented or booked twice.
"""
