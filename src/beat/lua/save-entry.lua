-- save-entry.lua: write an entry's state, for the beat that holds the lease and knows the present state.
--
-- KEYS[1]  lock: string, the token of the beat that holds the lease
-- KEYS[2]  entries: hash, entry name -> state as JSON
-- ARGV[1]  the caller's token
-- ARGV[2]  entry name
-- ARGV[3]  the state's text as the caller knows it; empty where there is none yet
-- ARGV[4]  the new state's text
--
-- Returns 1 when it was written, 0 when the entry has another state, -1 when the lease is not the caller's.
-- Cost: O(1).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if (redis.call('HGET', KEYS[2], ARGV[2]) or '') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
return 1
