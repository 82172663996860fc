-- Put in front of the scripts that open holds or let probes through: what is held and why, in the hash bf:holds.
-- core/holding.py is the oracle of the times.

-- Opens a hold; one that stands already keeps its beginning and its probes. Returns 1 when it is new.
local function open_hold(scope, category, cause, probes_ms, now)
  local hold = {scope = scope, category = category, cause = cause, since_ms = now, set_ms = now, probe_at_ms = 0,
    probes = 0}
  if #probes_ms > 0 then hold.probes_ms, hold.probe_at_ms = probes_ms, now + probes_ms[1] end
  local new = redis.call('HSETNX', 'bf:holds', scope, cjson.encode(hold))
  if new == 1 then add_total('holds|' .. category, 1) end
  return new
end

-- Sends whose end is known: a slot that was missed and a 429 say nothing of how the provider works.
local function sends_made()
  local sends = 0
  for _, outcome in ipairs({'accepted', 'refused', 'unclear', 'not_sent'}) do
    sends = sends + total('attempts|' .. outcome)
  end
  return sends
end

-- Whether a hold lets a probe through now. A clock that is before the time at which the probe's was set was set back.
local STEP_MS = 2000
local function is_probe_due(hold, now)
  hold = cjson.decode(hold)
  return hold.probes_ms and (hold.probe_at_ms <= now or now + STEP_MS < (hold.set_ms or hold.since_ms))
end

local function change_hold(scope, change)
  local hold = redis.call('HGET', 'bf:holds', scope)
  if not hold then return end
  hold = cjson.decode(hold)
  if not hold.probes_ms then return end
  change(hold)
  hold.set_ms = math.floor(now_us() / 1000)
  redis.call('HSET', 'bf:holds', scope, cjson.encode(hold))
end

-- A probe was leased: nobody else probes until it has gone or its lease is over.
local function put_off_probe(scope, until_ms)
  change_hold(scope, function(hold) hold.probe_at_ms = until_ms end)
end

-- A probe goes: the next one has its time by the series, and not before this one's answer or time-out.
local function note_probe(scope, sent_ms, sending_ms)
  change_hold(scope, function(hold)
    hold.probes = hold.probes + 1
    local interval = hold.probes_ms[math.min(hold.probes, #hold.probes_ms - 1) + 1]
    hold.probe_at_ms = sent_ms + math.max(interval, sending_ms)
  end)
end
