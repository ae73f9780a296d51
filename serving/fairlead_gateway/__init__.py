"""The gateway: turns `status.traffic` and EndpointSlices into Envoy's files, beside Envoy in the same pod."""
