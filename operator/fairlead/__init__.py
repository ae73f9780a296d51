"""Fairlead: a Kubernetes operator that trains, registers and serves machine-learning models."""

__version__ = "0.1.0"
