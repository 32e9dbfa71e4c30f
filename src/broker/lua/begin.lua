-- begin.lua: note in the record of a held message that its task begins.
--
-- KEYS[1]  unacked  hash: delivery tag -> record
-- KEYS[2]  held     set of the delivery tags that this consumer holds
-- ARGV[1]  delivery tag
-- ARGV[2]  the envelope as it was claimed
-- ARGV[3]  the envelope to put in its place
--
-- Returns 1, or 0 where the message is no longer this consumer's. Cost: O(length of the record).
-- A tag without a record was restored by somebody who does not know of `held`; it is dropped.
-- A record that does not contain the envelope is left as it is, and the task may run: an envelope that is not
-- valid text looks different to its reader.

-- A server out of memory lets a script that has written go on: what was lost before has to end as well.
redis.call('SREM', KEYS[2], '')

if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then return 0 end
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then
  redis.call('SREM', KEYS[2], ARGV[1])
  return 0
end
local first, last = string.find(record, ARGV[2], 1, true)
if first then
  redis.call('HSET', KEYS[1], ARGV[1], string.sub(record, 1, first - 1) .. ARGV[3] .. string.sub(record, last + 1))
end
return 1
