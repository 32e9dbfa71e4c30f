-- reserve-turn.lua: reserve the next of the turns that follow each other in a fixed interval.
--
-- KEYS[1]  rate     string: when the next turn is, Unix microseconds of this server
-- ARGV[1]  interval between two turns, microseconds
-- ARGV[2]  how far ahead a turn may be to be reserved, microseconds
--
-- Returns {1 where it is reserved or 0, microseconds until it}. Cost: O(1).
-- The key goes when its turn has come and nobody needs to wait for the next one.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval, most_ahead = tonumber(ARGV[1]), tonumber(ARGV[2])
local next_turn = tonumber(redis.call('GET', KEYS[1]) or 0)
-- A turn farther away than anybody may reserve is from before the server's clock was set back.
local turn = (next_turn > now and next_turn - now <= most_ahead + interval) and next_turn or now
local wait = turn - now
if wait > most_ahead then return { 0, wait } end
local after = turn + interval
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', string.format('%.0f', math.ceil((after - now) / 1000)))
return { 1, wait }
