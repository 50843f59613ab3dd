-- wrk's requests: one of READ_USERS users, by e-mail. (wrk never sends the first few that create.lua makes.)
local users = tonumber(os.getenv("READ_USERS"))

request = function()
  return wrk.format("GET", "/api/v1/user-query/email?email=user" .. math.random(1000, users) .. "@example.com")
end

done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('{"requests": %d, "failed": %d, "p50_ms": %.2f, "p99_ms": %.2f}\n',
    summary.requests, failed, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
