-- ack.lua: forget messages that are done with, unless they were restored to somebody else meanwhile.
--
-- KEYS[1]  unacked        hash: delivery tag -> record
-- KEYS[2]  unacked_index  zset: delivery tag -> time
-- KEYS[3]  held           set of the delivery tags that this consumer holds
-- ARGV     delivery tags, at most a few hundred
--
-- Returns how many were still this consumer's. Cost: O(1) a tag, O(log M) for the index with M unacked.
-- A tag keeps its name over a restore, so without the look into `held` a late ack would delete the record of
-- the consumer that has the message now.

local mine = {}
local held = redis.call('SMISMEMBER', KEYS[3], unpack(ARGV))
for i = 1, #ARGV do
  if held[i] == 1 then mine[#mine + 1] = ARGV[i] end
end
if #mine > 0 then
  redis.call('SREM', KEYS[3], unpack(mine))
  redis.call('ZREM', KEYS[2], unpack(mine))
  redis.call('HDEL', KEYS[1], unpack(mine))
end
return #mine
