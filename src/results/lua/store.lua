-- store.lua: store states of tasks and tell those who wait for them.
--
-- KEYS     result keys, celery-task-meta-<task id>; each is a channel of the same name, too
-- ARGV[1]  'respect' the server's memory limit, or 'exceed' it: the caller is going to free more than this takes
-- ARGV[2..]  for each key: time to live in seconds (0: none), text
--
-- Returns how many were written; a stored SUCCESS is left as it is (wire protocol, section 10.1).
-- Cost: O(1) a key. The status is read off the head of the stored text, where Celery and this runtime write it;
-- only a text that starts otherwise is decoded.

local function is_success(stored)
  local status = string.match(stored, '^{%s*"status"%s*:%s*"([^"]*)"')
  if not status and string.sub(stored, 1, 1) == '{' then
    local ok, meta = pcall(cjson.decode, stored)
    status = ok and meta.status
  end
  return status == 'SUCCESS'
end

-- A server out of memory lets a script that has written go on, whatever became of the write.
if ARGV[1] == 'exceed' then redis.pcall('SREM', KEYS[1], '') end

local written = 0
for i = 1, #KEYS do
  local ttl, text = tonumber(ARGV[2 * i]), ARGV[2 * i + 1]
  local life = ttl > 0 and { 'EX', ttl } or {}
  -- Most results are the first under their key, so what is stored is looked at only where there is something.
  local stored = not redis.call('SET', KEYS[i], text, 'NX', unpack(life))
  if stored and not is_success(redis.call('GET', KEYS[i])) then
    redis.call('SET', KEYS[i], text, unpack(life))
    stored = false
  end
  if not stored then
    redis.call('PUBLISH', KEYS[i], text)
    written = written + 1
  end
end
return written
