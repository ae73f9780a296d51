"""Kubernetes objects from decisions. Pure."""
