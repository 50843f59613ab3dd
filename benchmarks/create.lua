-- wrk's requests: users of 1.1 KB, each with an address of its own. Environment: SEED, USER_JSON, DELAY_MS.
local before, after = os.getenv("USER_JSON"):match('^(.*"email":")[^"]*(".*)$')
local path = "/api/v1/user-command?seed=" .. os.getenv("SEED")
local delay_ms = tonumber(os.getenv("DELAY_MS") or "0")
local number = 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

request = function()
  number = number + 1
  return wrk.format(nil, path, nil, before .. "user" .. number .. "@example.com" .. after)
end

if delay_ms > 0 then
  delay = function() return math.random(0, 2 * delay_ms) end
end

done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('{"requests": %d, "failed": %d, "p50_ms": %.2f, "p99_ms": %.2f}\n',
    summary.requests, failed, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
