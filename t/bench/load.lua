-- What wrk sends: tokens of a file and keys, both in turn, from where the last run left off.
--
-- wrk ... -s load.lua URL -- PATH TOKENS COUNT FIRST KEYS FIELDS
--   PATH    with %d for the number of a key
--   TOKENS  a file with a token a line, or "-"
--   COUNT   so many of them
--   FIRST   the number of the first request, from 0
--   KEYS    so many keys, or 0
--   FIELDS  a file with further header lines, or "-"

local next_request

local function read(file)
    local input = assert(io.open(file, "rb"))
    local text = input:read("*a")
    input:close()
    return text
end

function init(args)
    local path, file, count, first, keys = args[1], args[2], tonumber(args[3]),
        tonumber(args[4]), tonumber(args[5])
    local more = args[6] == "-" and "" or read(args[6])
    local fields = { more }
    if file ~= "-" then
        fields = {}
        for line in io.lines(file) do
            fields[#fields + 1] = more .. "Authorization: Bearer " .. line .. "\r\n"
            if #fields == count then break end
        end
    end

    local number = first - 1
    if keys == 0 then
        local requests = {}
        for at, field in ipairs(fields) do
            requests[at] = "GET " .. path .. " HTTP/1.1\r\nHost: bench\r\n" .. field .. "\r\n"
        end
        next_request = function()
            number = number + 1
            return requests[number % #requests + 1]
        end
    else
        next_request = function()
            number = number + 1
            local uri = string.format(path, number % keys)
            return "GET " .. uri .. " HTTP/1.1\r\nHost: bench\r\n" ..
                fields[number % #fields + 1] .. "\r\n"
        end
    end
end

function request()
    return next_request()
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("\nresult %d %d %d %d %d\n", summary.requests, summary.duration,
        errors.status, errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(99)))
end
