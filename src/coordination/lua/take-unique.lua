-- take-unique.lua: take a key for a task, unless another task has it.
--
-- KEYS[1]  unique   string: id of the task that has the key
-- ARGV[1]  task id
-- ARGV[2]  milliseconds for which it is kept
-- ARGV[3]  id of a task that is to lose it, if it still has it; '' where there is none
--
-- Returns the id of the task that has it now. Cost: O(1).
-- A task that has it already keeps it for the time that is left: a call that is repeated must not put off the end.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
