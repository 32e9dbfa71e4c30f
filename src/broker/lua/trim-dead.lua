-- trim-dead.lua: drop the oldest dead letters where there are too many, and those that are too old.
--
-- KEYS[1..3]  dead letters  zset id -> time, hash id -> element, hash id -> information
-- ARGV[1]     how many to keep at most
-- ARGV[2]     seconds for which to keep one; 0 for ever
-- ARGV[3]     how many to drop in one call at most
--
-- Returns how many were dropped. Cost: O(1) where there is nothing to drop, else O(log D) each.

local most = tonumber(ARGV[3])
local excess = math.min(redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[1]), most)
local dropped = {}
if excess > 0 then dropped = redis.call('ZRANGE', KEYS[1], 0, excess - 1) end
if ARGV[2] ~= '0' and #dropped < most then
  local before = redis.call('TIME')[1] - tonumber(ARGV[2])
  local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. before, 'LIMIT', 0, most)
  -- Both are the oldest ones, so the longer list holds the other.
  if #old > #dropped then dropped = old end
end
if #dropped == 0 then return 0 end
redis.call('ZREM', KEYS[1], unpack(dropped))
redis.call('HDEL', KEYS[2], unpack(dropped))
redis.call('HDEL', KEYS[3], unpack(dropped))
return #dropped
