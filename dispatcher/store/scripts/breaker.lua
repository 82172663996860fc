-- breaker: holds the provider when too many of the last sends failed by its fault. settle has noted each such failure
-- with the number of sends made by then.
-- ARGV: sends to look back on, failures among them that hold the provider, times to the first probe and between probes
--       (JSON list, ms), id of the hold.
-- Answer: 1 when the hold is new. Safe to repeat. While the provider is held, failures say nothing new.
local window, most = ARGV[1], ARGV[2]
if not load_hold('provider') then
  redis.call('ZREMRANGEBYSCORE', 'bf:breaker', '-inf', text(sends_made() - window))
  if redis.call('ZCARD', 'bf:breaker') < tonumber(most) then return 0 end
end
local cause = most .. ' of the last ' .. window .. ' sends met no connection, no answer or a 5xx'
local new = open_hold(ARGV[4], 'provider', 'provider_unavailable', cause, cjson.decode(ARGV[3]), math.floor(now_us() / 1000))
redis.call('UNLINK', 'bf:breaker')
return new
