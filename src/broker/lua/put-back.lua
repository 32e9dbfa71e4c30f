-- put-back.lua: return unacked messages to their queues, each only while the given claim on it holds.
--
-- KEYS[1]    unacked        hash: delivery tag -> record
-- KEYS[2]    unacked_index  zset: delivery tag -> time
-- KEYS[3]    held           set of the delivery tags of the consumer concerned
-- KEYS[4]    leases         zset: consumer id -> end of its lease, Unix seconds
-- KEYS[5..]  queue lists
-- ARGV[1]    'held'     this consumer's own messages
--            'expired'  messages of the consumer ARGV[2], if its lease is over
--            'overdue'  anybody's messages whose score in the index is ARGV[2] or less
-- ARGV[2]    see above
-- ARGV[3]    'front' (RPUSH: read next) or 'back' (LPUSH: end of the line)
-- ARGV[4..]  list number (from 1), delivery tag, envelope; repeated
--
-- Returns how many were put back. Cost: O(log M) a message.

local claim, subject, push = ARGV[1], ARGV[2], ARGV[3] == 'front' and 'RPUSH' or 'LPUSH'

-- A score above this is somebody else's: claimed or renewed after the claim at hand was void.
local newest = math.huge
if claim == 'overdue' then newest = tonumber(subject) end
if claim == 'expired' then
  local lease_end = redis.call('ZSCORE', KEYS[4], subject)
  local time = redis.call('TIME')
  if not lease_end or tonumber(lease_end) > tonumber(time[1]) + tonumber(time[2]) / 1e6 then return 0 end
  newest = tonumber(lease_end)
end

local put_back = 0
for i = 4, #ARGV, 3 do
  local list, tag, envelope = KEYS[4 + tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2]
  local score = redis.call('ZSCORE', KEYS[2], tag)
  local valid = score and tonumber(score) <= newest
  if claim ~= 'overdue' then valid = redis.call('SREM', KEYS[3], tag) == 1 and valid end
  if valid and redis.call('HDEL', KEYS[1], tag) == 1 then
    redis.call('ZREM', KEYS[2], tag)
    redis.call(push, list, envelope)
    put_back = put_back + 1
  end
end

if claim == 'expired' and redis.call('EXISTS', KEYS[3]) == 0 then redis.call('ZREM', KEYS[4], subject) end
return put_back
