-- chord-part.lua: record parts of one chord's header, each task's once.
--
-- KEYS[1]  parts that returned, celery-taskset-meta-<group id>.j; a sorted set by index in the group, or a list
-- KEYS[2]  who sends the chord's body, the same with .lovage: "sending <task id>", then "sent"
-- KEYS[3]  of a list only, the same with .lovage.places: place by task id; under '' how many elements have been entered there
-- ARGV[1]  form of KEYS[1] where it does not exist yet: 'zset' or 'list' (Celery's result_chord_ordered)
-- ARGV[2]  time to live in seconds that KEYS[1] gets; 0: none
-- ARGV[3]  the same of KEYS[3]
-- ARGV[4..]  for each part: index in the group or '+inf', task id, state, text as Celery writes it
--
-- Returns for each part how many there are after it; nil where the body was sent already: then nothing is recorded.
-- A task that was delivered again has a part already, maybe of another text. It counts once, and as in results a
-- SUCCESS is never replaced (wire protocol, section 11.3; docs/decisions/0007-chord-parts.md).
-- Cost: a sorted set: O(log parts) a part, and O(parts of the same index). A list: O(1) a part, and O(1) for each that
-- another worker recorded since.

-- The task id and state of a part that any worker may have written, in JSON, YAML or msgpack.
local function identify(text)
  local id, state = string.match(text, '^%[%s*1%s*,%s*"([^"\\]*)"%s*,%s*"([^"]*)"')
  if id then return id, state end
  id, state = string.match(text, '^%- 1\n%- ["\']?([^\n"\']*)["\']?\n%- ([^\n]*)')
  if id then return id, state end
  local decode = string.byte(text) == 0x94 and cmsgpack.unpack or cjson.decode
  local ok, part = pcall(decode, text)
  if ok and type(part) == 'table' then return part[2], part[3] end
end

local sorted_set = {}

function sorted_set.find(task, index)
  for _, text in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], index, index)) do
    local id, state = identify(text)
    if id == task then return text, state end
  end
end

function sorted_set.add(index, text) redis.call('ZADD', KEYS[1], index, text) end

function sorted_set.replace(earlier, index, text)
  redis.call('ZREM', KEYS[1], earlier)
  redis.call('ZADD', KEYS[1], index, text)
end

function sorted_set.count() return redis.call('ZCARD', KEYS[1]) end

local list = {}

-- What Python appended since the last call is entered first: elements are never removed.
function list.find(task)
  local length = redis.call('LLEN', KEYS[1])
  for place = tonumber(redis.call('HGET', KEYS[3], '') or 0), length - 1 do
    local id = identify(redis.call('LINDEX', KEYS[1], place))
    if id then redis.call('HSETNX', KEYS[3], id, place) end
  end
  redis.call('HSET', KEYS[3], '', length)
  redis.call('EXPIRE', KEYS[3], ARGV[3])
  local place = redis.call('HGET', KEYS[3], task)
  if not place then return end
  local _, state = identify(redis.call('LINDEX', KEYS[1], place))
  return place, state
end

function list.add(_, text) redis.call('RPUSH', KEYS[1], text) end

function list.replace(place, _, text) redis.call('LSET', KEYS[1], place, text) end

function list.count() return redis.call('LLEN', KEYS[1]) end

if redis.call('GET', KEYS[2]) == 'sent' then return nil end

local form = redis.call('TYPE', KEYS[1]).ok
if form == 'none' then form = ARGV[1] end
local parts = form == 'list' and list or sorted_set

local counts = {}
for i = 4, #ARGV, 4 do
  local index, task, state, text = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local earlier, earlier_state = parts.find(task, index)
  if not earlier then
    parts.add(index, text)
  elseif earlier_state ~= 'SUCCESS' and state == 'SUCCESS' then
    parts.replace(earlier, index, text)
  end
  counts[#counts + 1] = parts.count()
end
local ttl = tonumber(ARGV[2])
if ttl > 0 then redis.call('EXPIRE', KEYS[1], ttl) end
return counts
