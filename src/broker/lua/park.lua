-- park.lua: take a message with a future ETA off its consumer's hands; it stays in unacked until it is due.
--
-- KEYS[1]  unacked_index  zset: delivery tag -> time
-- KEYS[2]  held           set of the delivery tags that this consumer holds
-- KEYS[3]  parked         zset of the message's queue: delivery tag -> ETA
-- ARGV[1]  delivery tag
-- ARGV[2]  ETA, Unix seconds
--
-- Returns 1, or 0 where the message is no longer this consumer's. Cost: O(log M).
-- The index gets the ETA as its score: the sweep of a Python worker restores what is older than the visibility
-- timeout, so it leaves the message alone until it is overdue by that much, and nobody has to renew it.

if redis.call('SREM', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], 'XX', ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
return 1
