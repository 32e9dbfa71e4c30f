-- keep-slots.lua: put off the end of the time of some holders of slots.
--
-- KEYS[1]   slots   zset: holder scored by the end of its time, Unix milliseconds of this server
-- ARGV[1]   milliseconds from now
-- ARGV[2..] holders; they are added where they were lost, as their tasks run
--
-- Returns how many there are. Cost: O(log L) a holder for a limit of L.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = tonumber(ARGV[1])
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + lease), ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 2 * lease))
return #ARGV - 1
