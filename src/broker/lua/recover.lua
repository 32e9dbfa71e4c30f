-- recover.lua: read the records of messages that a consumer holds without knowing, since the reply to its claim was lost.
--
-- KEYS[1]  unacked  hash: delivery tag -> record
-- KEYS[2]  held     set of the delivery tags that this consumer holds
-- ARGV     delivery tags, at most a few hundred
--
-- Returns {tag, record, ...} of those that are still held. Cost: O(1) a tag.
-- A tag without a record was restored by somebody who does not know of `held`; it is dropped, or it would be renewed
-- for ever.

local found = {}
for i = 1, #ARGV do
  local tag = ARGV[i]
  if redis.call('SISMEMBER', KEYS[2], tag) == 1 then
    local record = redis.call('HGET', KEYS[1], tag)
    if record then
      found[#found + 1] = tag
      found[#found + 1] = record
    else
      redis.call('SREM', KEYS[2], tag)
    end
  end
end
return found
