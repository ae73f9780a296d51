"""From cumulative counters of two revisions to evidence: readings, tallies, bets. `docs/evidence.md` derives it."""
