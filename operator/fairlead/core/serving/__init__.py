"""Decides about a ModelDeployment: roles of revisions, children, traffic, status."""
