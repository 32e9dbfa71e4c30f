-- chord-extend.lua: expect parts of tasks that are added to a chord while its header runs.
--
-- KEYS[1]  how many were added, celery-taskset-meta-<group id>.t
-- KEYS[2]  ids of those that were added here, the same with .lovage
-- ARGV[1]  time to live in seconds; 0: none
-- ARGV[2..]  ids of the tasks
--
-- Returns how many of them are new: an id counts once, so that the call can be repeated.
-- Cost: O(ids)

local new = 0
for i = 2, #ARGV do
  new = new + redis.call('SADD', KEYS[2], ARGV[i])
end
if new > 0 then redis.call('INCRBY', KEYS[1], new) end
local ttl = tonumber(ARGV[1])
if ttl > 0 then
  redis.call('EXPIRE', KEYS[1], ttl)
  redis.call('EXPIRE', KEYS[2], ttl)
end
return new
