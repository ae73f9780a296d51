"""Envoy's messages as typed values, as far as the gateway uses them. Pure."""
