-- bury.lua: move one held message to the dead letters.
--
-- KEYS[1]     unacked        hash: delivery tag -> record
-- KEYS[2]     unacked_index  zset: delivery tag -> time
-- KEYS[3]     held           set of the delivery tags that this consumer holds
-- KEYS[4..6]  dead letters   zset id -> time, hash id -> element, hash id -> information
-- ARGV[1]     delivery tag
-- ARGV[2]     id of the dead letter
-- ARGV[3]     the envelope as it stood on the list
-- ARGV[4]     information, JSON
--
-- Returns 1, or 0 where the message is no longer this consumer's. Cost: O(log M).

if redis.call('SISMEMBER', KEYS[3], ARGV[1]) == 0 then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[5], ARGV[2], ARGV[3])
redis.call('HSET', KEYS[6], ARGV[2], ARGV[4])
redis.call('ZADD', KEYS[4], string.format('%d.%06d', time[1], time[2]), ARGV[2])
redis.call('SREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
