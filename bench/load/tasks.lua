-- Requests of the benches for wrk: `wrk -s tasks.lua URL -- find|list|only|post|paths ROWS [TOKEN]`; with
-- `paths`, each line of standard input is one to GET.
-- Prints one line of JSON: requests, seconds, p50, p95 and p99 in microseconds, failures.
local requests, count = {}, 0

function init(arguments)
  local what, rows = arguments[1], tonumber(arguments[2])
  if arguments[3] and arguments[3] ~= "" then wrk.headers["authorization"] = "Bearer " .. arguments[3] end
  math.randomseed(os.time())
  if what == "find" then
    for id = 1, rows do requests[id] = wrk.format("GET", "/tasks/" .. id) end
  elseif what == "paths" then
    for path in io.lines() do requests[#requests + 1] = wrk.format("GET", path) end
  elseif what == "post" then
    local body = '{"title":"Prepare report","description":"Collect monthly data"}'
    wrk.headers["content-type"] = "application/json"
    requests[1] = wrk.format("POST", "/tasks", nil, body)
  else
    requests[1] = wrk.format("GET", (what == "list" and "/tasks" or "/only-tasks") .. "?limit=100")
  end
  count = #requests
end

function request()
  return count == 1 and requests[1] or requests[math.random(count)]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"seconds":%.6f,"p50":%.1f,"p95":%.1f,"p99":%.1f,"failures":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
