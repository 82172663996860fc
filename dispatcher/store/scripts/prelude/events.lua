-- Put in front of every script: events for producers, which the script appends that makes the change. batch_events.py
-- says what there is. An entry of the stream has the fields type, batch (empty: an event of the account), sequence (the
-- batch's own number of it) and data (JSON; of job.final: row:state:category:type).

local function write_event(batch, kind, data)
  local sequence
  if batch == '' then
    sequence = redis.call('INCR', KEY['events:account'])
  elseif redis.call('HEXISTS', batch_key(batch), 'control') == 1 then
    sequence = redis.call('HINCRBY', batch_key(batch), 'events', 1)
  else
    return
  end
  redis.call('XADD', KEY.events, '*', 'type', kind, 'batch', batch, 'sequence', text(sequence), 'data', data)
end

-- Nothing that is sent waits for the stream, even if it cannot be written. A number that is missing shows the loss.
local function append_event(batch, kind, data)
  alone(write_event, batch, kind, type(data) == 'table' and cjson.encode(data) or data)
end
