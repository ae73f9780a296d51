-- paced=1: each connection waits a random time before its next request, so that the server is far from its limit.
math.randomseed(os.time())
local think_ms = tonumber(os.getenv("THINK_MS") or "0")
if think_ms > 0 then
  delay = function() return math.random(0, 2 * think_ms) end
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "failed": %d, "p50": %d, "p90": %d, "p99": %d, "mean": %f}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.mean))
end
