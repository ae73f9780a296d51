// Only its files are wanted: the CustomResourceDefinitions that the Prometheus operator's users have.
module fairlead.dev/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
