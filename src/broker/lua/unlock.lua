-- unlock.lua: release a mutex if it is still ours.
--
-- KEYS[1]  the mutex
-- ARGV[1]  the token it was taken with
--
-- Returns 1 if it was. Cost: O(1).

if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
