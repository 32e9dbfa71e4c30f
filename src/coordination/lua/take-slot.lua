-- take-slot.lua: take one of the slots of a key, if there is one.
--
-- KEYS[1]  slots    zset: holder scored by the end of its time, Unix milliseconds of this server
-- ARGV[1]  holder
-- ARGV[2]  how many slots there are
-- ARGV[3]  milliseconds for which it is taken
--
-- Returns how many are free then, or -1 where none was. Cost: O(log L) for a limit of L.
-- Holders whose time is over are dead: they put its end off for as long as they live.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local limit, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local taken = redis.call('ZCARD', KEYS[1])
local is_mine = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not is_mine then
  if taken >= limit then return -1 end
  taken = taken + 1
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + lease), ARGV[1])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 2 * lease))
return math.max(0, limit - taken)
