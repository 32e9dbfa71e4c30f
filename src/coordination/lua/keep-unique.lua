-- keep-unique.lua: set anew for how long a task keeps its key.
--
-- KEYS[1]  unique   string: id of the task that has the key
-- ARGV[1]  task id
-- ARGV[2]  milliseconds from now; 0 gives it back
--
-- Returns 1, or 0 where the task does not have it (any more). Cost: O(1).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
