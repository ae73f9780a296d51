"""What `make demo` does: train, register, serve and ask, on a real cluster."""
