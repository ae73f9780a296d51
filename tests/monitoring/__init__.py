"""Alerts and dashboard, on the real promtool and the real Prometheus."""
