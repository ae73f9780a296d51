"""What the evidence promises, by simulation: `python -m tests.bench.evidence` writes docs/measurements/evidence.md."""
