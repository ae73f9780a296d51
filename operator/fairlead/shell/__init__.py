"""Watch, queue, gather, decide, apply: the thin, impure shell around the pure core."""
