-- renew-lease.lua: keep the lease for some longer, if it is still the caller's.
--
-- KEYS[1]  lock: string, the token of the beat that holds the lease
-- ARGV[1]  the caller's token
-- ARGV[2]  milliseconds from now for which to keep it
--
-- Returns 1 if it was the caller's, else 0. Cost: O(1).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
