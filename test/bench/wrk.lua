-- test/bench/wrk.lua - what wrk asks: a random line of the file that
-- BENCH_SAMPLE names, "AUTHORIZATION <tab> TARGET" ("-": none). BENCH_CLOSE: a
-- connection for each request. At the end one line of figures.
local requests = {}

function init()
	wrk.headers["Connection"] = os.getenv("BENCH_CLOSE") and "close" or nil
	for line in io.lines(os.getenv("BENCH_SAMPLE")) do
		local who, target = line:match("^(.-)\t(.*)$")
		wrk.headers["Authorization"] = who ~= "-" and who or nil
		requests[#requests + 1] = wrk.format("GET", target)
	end
	math.randomseed(1)
end

function request()
	return requests[math.random(#requests)]
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format("figures %d %d %d %d\n",
		summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(99)))
end
