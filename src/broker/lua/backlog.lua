-- backlog.lua: how much waits in some queues and is held, and what is at the ends of their lists, all at one instant.
--
-- KEYS[1]        unacked_index  zset: delivery tag scored by claim time, or by its ETA while it is parked
-- KEYS[2..]      for each queue: parked, a zset of delivery tags scored by ETA, and its lists, the most urgent first; the
--                right end is the head
-- ARGV[1]        how many lists a queue has
--
-- Returns {seconds, microseconds, messages held by workers, {parked, ETA of the first one or '', length of each list,
-- ...}, {delivery tags of head and tail of each list, ...}, ...}: two arrays for each queue. A tag is '' where there is none.
-- Cost: O(log M) for M unacked messages, and the reading of two messages of each list.

local function tag_of(message)
  -- A search stops at every occurrence of what it begins with: quotes are everywhere, underscores are rare.
  local at = message and string.find(message, '_tag"', 1, true)
  while at do
    if string.sub(message, at - 9, at - 1) == '"delivery' then
      return string.match(message, '^_tag"%s*:%s*"([^"\\]*)"', at) or ''
    end
    at = string.find(message, '_tag"', at + 1, true)
  end
  return ''
end

local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
local held = redis.call('ZCOUNT', KEYS[1], '-inf', now)
local result = { time[1], time[2], 0 }
local per_queue = tonumber(ARGV[1]) + 1
for first = 2, #KEYS, per_queue do
  local parked = KEYS[first]
  local eta = redis.call('ZRANGE', parked, 0, 0, 'WITHSCORES')[2] or ''
  local counts, tags = { redis.call('ZCARD', parked), eta }, {}
  -- Those whose ETA has come look as if they were held.
  held = held - redis.call('ZCOUNT', parked, '-inf', now)
  for i = first + 1, first + per_queue - 1 do
    counts[#counts + 1] = redis.call('LLEN', KEYS[i])
    tags[#tags + 1] = tag_of(redis.call('LINDEX', KEYS[i], -1))
    tags[#tags + 1] = tag_of(redis.call('LINDEX', KEYS[i], 0))
  end
  result[#result + 1] = counts
  result[#result + 1] = tags
end
result[3] = math.max(0, held)
return result
