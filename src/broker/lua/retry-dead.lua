-- retry-dead.lua: move dead letters back to the end of their queues.
--
-- KEYS[1..3]  dead letters  zset id -> time, hash id -> element, hash id -> information
-- KEYS[4..]   queue lists
-- ARGV        id, list number (from 1), what to push; repeated
--
-- Returns how many were moved. Cost: O(log D) each, with D dead letters.
-- One that somebody else has moved or purged meanwhile is left out, so none is sent twice.
-- Redis does not roll a script back, so each is pushed first: an error in between leaves it in both places, never in none.

local moved = 0
for i = 1, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('LPUSH', KEYS[3 + tonumber(ARGV[i + 1])], ARGV[i + 2])
    redis.call('HDEL', KEYS[2], ARGV[i])
    redis.call('HDEL', KEYS[3], ARGV[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
    moved = moved + 1
  end
end
return moved
