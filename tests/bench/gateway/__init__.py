"""What the gateway costs, against the pod asked directly: `make bench-gateway`."""
