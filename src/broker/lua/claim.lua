-- claim.lua: take messages off queues and record them as unacked and held by one consumer, in one step.
--
-- KEYS[1]       unacked        hash: delivery tag -> '[envelope, exchange, routing key]'
-- KEYS[2]       unacked_index  zset: delivery tag scored by claim time, Unix seconds of this server
-- KEYS[3]       held           set of the delivery tags that this consumer holds
-- KEYS[4..6]    dead letters   zset id -> time, hash id -> element, hash id -> information
-- KEYS[7]       leases         zset: consumer id -> end of its lease, Unix seconds
-- KEYS[8..7+P]  parked         one zset a queue: delivery tag scored by its ETA
-- KEYS[8+P..]   lists          most urgent step first, the Q queues of a step side by side; the right end is the head
-- ARGV[1]       how many messages at most
-- ARGV[2]       how many of them to look for from the least urgent list upwards, so that it does not starve
-- ARGV[3]       a fresh unique text, from which tags and dead letter ids are made where one is needed
-- ARGV[4]       consumer id
-- ARGV[5]       length of a lease, seconds
-- ARGV[6]       after how many bytes no further message is claimed, 1 or more
-- ARGV[7]       P: Q, or 0 where parked messages are not asked for
-- ARGV[8..]     names of the Q queues
--
-- Returns {seconds until the next ETA or '', due, fresh, unreadable}: due is {queue number, tag, record, ...}, fresh is
-- {queue number, tag, envelope, ...}, unreadable is {queue number, dead letter id, ...}; numbers count from 1.
--
-- Cost: O(1) a message claimed, O(log M) for its index entry with M unacked messages; envelopes are not decoded
-- unless they are written unusually. Where messages are large, some are read that are not claimed then. Messages are copied as text: cjson would write [] back as {} and round
-- large integers, and a Python worker may be the one that restores the record.
--
-- Redis does not roll a script back, so every list is trimmed last: an error in between leaves a message in both
-- places, never in none, and the next claim finds its tag taken and gives it one of our own.

local UNACKED, INDEX, HELD = KEYS[1], KEYS[2], KEYS[3]
local DEAD_INDEX, DEAD_ELEMENTS, DEAD_INFO = KEYS[4], KEYS[5], KEYS[6]
local LEASES = KEYS[7]
local FIRST_PARKED = 8
local limit, low_share, unique = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local consumer, lease, bytes_left = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local parked_count = tonumber(ARGV[7])
local FIRST_NAME = 8
-- So many are read first, and each time at most so many times as many as before, since nothing tells their length.
local FIRST_READ, READ_GROWTH = 16, 4
local queues = #ARGV - FIRST_NAME + 1
local FIRST_LIST = FIRST_PARKED + parked_count

-- A server out of memory lets a script that has written go on. Claiming takes little and for a short time; without it a
-- full queue could never be emptied.
redis.call('SREM', HELD, '')

local time = redis.call('TIME')
local now = string.format('%d.%06d', time[1], time[2])
local due, fresh, unreadable = {}, {}, {}
local remaining = limit
local made = 0

-- Nothing is held without a lease that outlasts it: of a consumer whose lease is over, others take only what it claimed
-- before that end, so what it claimed later would be nobody's once it is gone.
local has_lease = false
local function prolong_lease()
  if has_lease then return end
  has_lease = true
  redis.call('ZADD', LEASES, string.format('%.6f', tonumber(now) + lease), consumer)
end

local function make_id()
  made = made + 1
  return unique .. '-' .. made
end

-- Where the text after the only occurrence of a key begins, or nil where it stands more than once or not at all. Inside
-- a JSON string the quotes would be escaped, so a hit is a key, though perhaps not the one that is meant.
-- A search stops at every occurrence of what it begins with: quotes are everywhere, underscores are rare.
local function after_only(message, head, tail)
  local found
  local first, last = string.find(message, tail, 1, true)
  while first do
    if string.sub(message, first - #head, first - 1) == head then
      if found then return nil end
      found = last + 1
    end
    first, last = string.find(message, tail, last + 1, true)
  end
  return found
end

-- Returns tag (nil where the sender gave none), exchange and routing key as JSON texts; false if this is no object.
local function identify(message, queue)
  local at_tag = after_only(message, '"delivery', '_tag"')
  local at_info = after_only(message, '"delivery', '_info"')
  if at_tag and at_info then
    local tag = string.match(message, '^%s*:%s*"([^"\\]+)"', at_tag)
    local exchange, routing_key = string.match(message,
      '^%s*:%s*{%s*"exchange"%s*:%s*("[^"\\]*")%s*,%s*"routing_key"%s*:%s*("[^"\\]*")', at_info)
    if tag and exchange then return tag, exchange, routing_key end
  end
  local ok, envelope = pcall(cjson.decode, message)
  if not ok or type(envelope) ~= 'table' or not string.find(message, '^%s*{') then return false end
  local properties = type(envelope.properties) == 'table' and envelope.properties or {}
  local info = type(properties.delivery_info) == 'table' and properties.delivery_info or {}
  local tag = properties.delivery_tag
  if type(tag) ~= 'string' or tag == '' then tag = nil end
  local exchange = type(info.exchange) == 'string' and info.exchange or ''
  local routing_key = type(info.routing_key) == 'string' and info.routing_key or queue
  return tag, cjson.encode(exchange), cjson.encode(routing_key)
end

local function bury(queue_number, element)
  local id = make_id()
  local info = { code = 'UNREADABLE', message = 'the element is not a JSON object', queue = ARGV[FIRST_NAME + queue_number - 1] }
  redis.call('HSET', DEAD_ELEMENTS, id, element)
  redis.call('HSET', DEAD_INFO, id, cjson.encode(info))
  redis.call('ZADD', DEAD_INDEX, now, id)
  unreadable[#unreadable + 1] = queue_number
  unreadable[#unreadable + 1] = id
end

-- Take up to `count` messages off the head of a list, as long as there are bytes left.
local function take(list_number, count)
  local key = KEYS[FIRST_LIST + list_number - 1]
  local queue_number = (list_number - 1) % queues + 1
  local queue = ARGV[FIRST_NAME + queue_number - 1]
  local tags, records, claimed, seen = {}, {}, {}, {}
  local taken, largest = 0, 1
  local wanted = count < FIRST_READ and count or FIRST_READ
  local at_once = wanted
  while wanted > 0 do
    local messages = redis.call('LRANGE', key, -taken - wanted, -taken - 1)
    for i = #messages, 1, -1 do
      if bytes_left <= 0 then break end
      local message = messages[i]
      taken = taken + 1
      bytes_left = bytes_left - #message
      if #message > largest then largest = #message end
      local tag, exchange, routing_key = identify(message, queue)
      if tag == false then
        bury(queue_number, message)
      else
        if not tag or seen[tag] then tag = make_id() end
        seen[tag] = true
        tags[#tags + 1] = tag
        records[#records + 1] = '[' .. message .. ', ' .. exchange .. ', ' .. routing_key .. ']'
        claimed[#claimed + 1] = message
      end
    end
    if #messages < wanted or bytes_left <= 0 then break end
    at_once = at_once * READ_GROWTH
    wanted = math.min(count - taken, at_once, math.ceil(bytes_left / largest))
  end
  if taken == 0 then return end
  if #tags > 0 then
    -- Some senders give every message the same tag: one that is in flight must not be overwritten.
    local present = redis.call('HMGET', UNACKED, unpack(tags))
    local fields, scores = {}, {}
    for i = 1, #tags do
      if present[i] then tags[i] = make_id() end
      fields[2 * i - 1], fields[2 * i] = tags[i], records[i]
      scores[2 * i - 1], scores[2 * i] = now, tags[i]
      fresh[#fresh + 1] = queue_number
      fresh[#fresh + 1] = tags[i]
      fresh[#fresh + 1] = claimed[i]
    end
    prolong_lease()
    redis.call('HSET', UNACKED, unpack(fields))
    redis.call('ZADD', INDEX, unpack(scores))
    redis.call('SADD', HELD, unpack(tags))
  end
  redis.call('LTRIM', key, 0, -(taken + 1))
  remaining = remaining - taken
end

local next_eta = ''
for queue_number = 1, parked_count do
  local parked = KEYS[FIRST_PARKED + queue_number - 1]
  if remaining > 0 and bytes_left > 0 then
    local found = redis.call('ZRANGEBYSCORE', parked, '-inf', now, 'WITHSCORES', 'LIMIT', 0, remaining)
    for i = 1, #found, 2 do
      if bytes_left <= 0 then break end
      local tag, eta = found[i], found[i + 1]
      local record = redis.call('HGET', UNACKED, tag)
      -- Whoever restored or claimed it meanwhile has rewritten the score, and then it is theirs.
      if record and redis.call('ZSCORE', INDEX, tag) == eta then
        prolong_lease()
        redis.call('ZADD', INDEX, now, tag)
        redis.call('SADD', HELD, tag)
        due[#due + 1] = queue_number
        due[#due + 1] = tag
        due[#due + 1] = record
        remaining = remaining - 1
        bytes_left = bytes_left - #record
      end
      redis.call('ZREM', parked, tag)
    end
  end
  local first = redis.call('ZRANGE', parked, 0, 0, 'WITHSCORES')
  if first[2] and (next_eta == '' or tonumber(first[2]) < tonumber(next_eta)) then next_eta = first[2] end
end

local lists = #KEYS - FIRST_LIST + 1
local list_number = lists
while low_share > 0 and remaining > 0 and bytes_left > 0 and list_number >= 1 do
  local before = remaining
  take(list_number, math.min(low_share, remaining))
  low_share = low_share - (before - remaining)
  list_number = list_number - 1
end
for number = 1, lists do
  if remaining <= 0 or bytes_left <= 0 then break end
  take(number, remaining)
end

if next_eta ~= '' then next_eta = string.format('%.6f', math.max(0, tonumber(next_eta) - tonumber(now))) end
return { next_eta, due, fresh, unreadable }
