"""The two custom resources, their status, and what is read back from Kubernetes: parsed once, typed from then on."""
