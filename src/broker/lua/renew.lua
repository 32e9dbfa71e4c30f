-- renew.lua: prolong a consumer's lease and refresh the scores of all it holds.
--
-- KEYS[1]  leases         zset: consumer id -> end of its lease, Unix seconds
-- KEYS[2]  held           set of the delivery tags that this consumer holds
-- KEYS[3]  unacked_index  zset: delivery tag -> time
-- KEYS[4]  handed         list of the messages it was handed while it waited, and has not recorded as unacked
-- ARGV[1]  consumer id
-- ARGV[2]  length of the lease, seconds
--
-- Returns {how many messages are held, how many were handed over, 1 where this consumer's own lease was over, {ids of
-- consumers whose lease is over}}: the caller compares the first two with what it knows of, and puts back what the others
-- held.
-- Cost: O(H log M) for H held messages, bounded by the prefetch count.
-- Scores are refreshed with XX: a tag that was acked or restored meanwhile must not come back.

-- A server out of memory lets a script that has written go on; nothing here takes more memory than before.
redis.call('ZREM', KEYS[1], '')

local time = redis.call('TIME')
local seconds = tonumber(time[1]) + tonumber(time[2]) / 1e6
local now = string.format('%d.%06d', time[1], time[2])
local lease_end = redis.call('ZSCORE', KEYS[1], ARGV[1])
local was_over = lease_end and tonumber(lease_end) < seconds and 1 or 0
redis.call('ZADD', KEYS[1], string.format('%.6f', seconds + tonumber(ARGV[2])), ARGV[1])
local held = redis.call('SMEMBERS', KEYS[2])
for first = 1, #held, 1000 do
  local scores = {}
  for i = first, math.min(first + 999, #held) do
    scores[#scores + 1] = now
    scores[#scores + 1] = held[i]
  end
  redis.call('ZADD', KEYS[3], 'XX', unpack(scores))
end
return { #held, redis.call('LLEN', KEYS[4]), was_over, redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now) }
