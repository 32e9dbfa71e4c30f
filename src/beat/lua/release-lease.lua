-- release-lease.lua: give the lease up, if it is still the caller's.
--
-- KEYS[1]  lock: string, the token of the beat that holds the lease
-- ARGV[1]  the caller's token
--
-- Returns 1 if it was the caller's, else 0. Cost: O(1).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
