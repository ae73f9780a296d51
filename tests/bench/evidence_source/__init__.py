"""What it costs the operator to ask every gateway pod for its evidence: `make bench-evidence-source`."""
