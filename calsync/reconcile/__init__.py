"""PURE: what to do so that both sides agree. ``observe`` (the three observation rules),
``classify``, ``decide`` (the table), ``plan`` (a whole room), ``order``, ``guard``, and
``settle`` (what an outcome means for its link)."""
