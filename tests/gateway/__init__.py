"""The real Envoy with the files that the gateway renders, in front of servers whose every answer is known."""
