-- reply.lua: push a reply onto a caller's queue, if the caller still waits.
--
-- KEYS[1]  binding  set of the reply exchange
-- KEYS[2]  reply    list of the caller
-- ARGV[1]  the caller's member of the binding
-- ARGV[2]  envelope
-- ARGV[3]  seconds after which a list is gone that nobody reads any more
--
-- Returns 1, or 0 where the caller has left. Cost: O(1).
-- A caller that was killed leaves its binding behind, so the list must not stay for ever.

if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
