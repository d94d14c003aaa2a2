-- Making and dropping queues; posting.

-- Everything that a queue consists of.
local SUFFIXES = { ':q', ':g', ':m', ':s', ':r', ':c', ':d', ':h', ':x', ':k', ':u', ':o', ':t', ':p',
  ':v', ':b', ':n', ':i', ':e' }

local function drop(key)
  local keys = {}
  for i, suffix in ipairs(SUFFIXES) do keys[i] = key .. suffix end
  call('UNLINK', unpack(keys))
end

-- The epoch of the queue's data, or false.
local function epoch_of(key)
  local own = call('GET', key .. ':q')
  return own and sub(own, 1, 16)
end

-- Whether the epoch `a` (16 hexadecimal digits) is of an earlier life of the queue than `b`; to be sealed (bit 62) makes
-- no difference.
local function is_before(a, b)
  local high_a, high_b = tonumber(sub(a, 1, 8), 16), tonumber(sub(b, 1, 8), 16)
  if high_a >= 0xc0000000 then high_a = high_a - 0x40000000 end
  if high_b >= 0xc0000000 then high_b = high_b - 0x40000000 end
  if high_a ~= high_b then return high_a < high_b end
  return tonumber(sub(a, 9), 16) < tonumber(sub(b, 9), 16)
end

-- epoch, now, identity of the outgoing lists if it is new
operations.open = function(key, args)
  local epoch = epoch_of(key)
  if epoch == args[1] then return 1 end
  if epoch and not is_before(epoch, args[1]) then return gone() end
  if epoch then drop(key) end
  call('SET', key .. ':q', own_fields(args[1], 0, NEVER, NEVER, NEVER, NOBODY))
  call('HSET', key .. ':g', 'y', args[3])
  return 1
end

-- epoch
operations.drop = function(key, args)
  local epoch = epoch_of(key)
  if epoch and (epoch == args[1] or is_before(epoch, args[1])) then
    drop(key)
    ring(key, EVERYBODY)
  end
  return 1
end

-- Makes room for one of this id where the one that is there has expired: whether it is to be stored.
local function make_room(q, id)
  local ends = call('ZSCORE', q.key .. ':x', id)
  if ends and tonumber(ends) > q.now then return false end
  remove(q, { id }, { call('HGET', q.key .. ':s', id) })
  return true
end

-- The message with its position: mostly the one that was expected when the call was sent, for bodies are long.
local function placed_at(message, position)
  if int64(message, 1) == position then return message end
  return bytes8(position) .. sub(message, 9)
end

-- Of `new` (id, message, due or '' ..., from `from` on) those that are to be stored, each id once.
local function only_new(q, new, from)
  local ids, seen, kept = {}, {}, {}
  for i = from, #new, 3 do ids[#ids + 1] = new[i] end
  local there = values(q.key .. ':m', ids)
  for i, id in ipairs(ids) do
    if not seen[id] and (not there[i] or make_room(q, id)) then
      kept[#kept + 1] = from + 3 * (i - 1)
    end
    seen[id] = true
  end
  return kept
end

-- Stores new messages at the end, or among the delayed ones: how many at the end.
local function store(q, new, from)
  local key, bodies, ready, delayed, ends = q.key, {}, {}, {}, {}
  local end_bytes, expires
  for _, i in ipairs(only_new(q, new, from)) do
    local id, message, due = new[i], new[i + 1], new[i + 2]
    -- Mostly they end together.
    if sub(message, 9, 16) ~= end_bytes then
      end_bytes, expires = sub(message, 9, 16), int64(message, 9)
      note(q, expires)
      expires = score(expires)
    end
    push(ends, expires, id)
    if due == '' then
      local position = append(q)
      push(bodies, id, placed_at(message, position))
      push(ready, score(position), id)
      runs(q, message, position)
    else
      push(bodies, id, placed_at(message, 0))
      push(delayed, due, id)
      note(q, tonumber(due), 'due')
    end
  end
  many('HSET', key .. ':m', bodies)
  many('ZADD', key .. ':r', ready)
  many('ZADD', key .. ':d', delayed)
  many('ZADD', key .. ':x', ends)
  return #ready / 2
end

-- The same for one message on a queue where no delay is over, posted by the client of the last run: what most calls
-- are. Whether it could be done.
local function store_one(key, args)
  local own = call('GET', key .. ':q')
  if not own or sub(own, 1, 16) ~= args[1] then return false end
  local now, id, message = tonumber(args[2]), args[3], args[4]
  local last, due, claims_end, sweep = unpack_number('>dddd', own, 17)
  local client = sub(own, 49)
  if due <= now or not is_of(message, client) then return false end
  local position, place, ends = now, args[2], int64(message, 9)
  if last >= now then
    position = last + 1
    place, message = score(position), placed_at(message, position)
  end
  if call('HSETNX', key .. ':m', id, message) == 0 then return false end
  call('ZADD', key .. ':r', place, id)
  call('ZADD', key .. ':x', score(ends), id)
  call('SET', key .. ':q', own_fields(args[1], position, due, claims_end, min(sweep, ends), client))
  ring(key, 1)
  return true
end

-- epoch, now, then for each message: id, message, due or ''
operations.post = function(key, args)
  if #args == 5 and args[5] == '' and store_one(key, args) then return 1 end
  local q = enter(key, args)
  if not q then return gone() end
  settle_delays(q, 0, STEP)
  local ready = store(q, args, 3)
  leave(q)
  ring(key, ready)
  return 1
end
