-- Making and dropping queues; posting.

-- Everything that a queue consists of.
local SUFFIXES = { ':q', ':m', ':s', ':r', ':c', ':d', ':h', ':x', ':k', ':u', ':o', ':p' }

local function drop(key)
  local keys = {}
  for i, suffix in ipairs(SUFFIXES) do keys[i] = key .. suffix end
  call('UNLINK', unpack(keys))
end

-- Whether the epoch `a` is older than `b`; both are 16 hexadecimal digits.
local function older(a, b)
  local high_a, high_b = tonumber(sub(a, 1, 8), 16), tonumber(sub(b, 1, 8), 16)
  if high_a ~= high_b then return high_a < high_b end
  return tonumber(sub(a, 9), 16) < tonumber(sub(b, 9), 16)
end

-- epoch, now, identity of the outgoing lists if it is new
operations.open = function(key, args)
  local epoch = call('HGET', key .. ':q', 'e')
  if epoch == args[1] then return 1 end
  if epoch and older(args[1], epoch) then return gone() end
  if epoch then drop(key) end
  call('HSET', key .. ':q', 'e', args[1], 'l', 0, 'y', args[3])
  return 1
end

-- epoch
operations.drop = function(key, args)
  local epoch = call('HGET', key .. ':q', 'e')
  if epoch and not older(args[1], epoch) then drop(key) end
  return 1
end

-- Makes room for one of this id where the one that is there has expired: whether it is to be stored.
local function make_room(q, id)
  local ends = call('ZSCORE', q.key .. ':x', id)
  if ends and tonumber(ends) > q.now then return false end
  remove(q, { id }, { call('HGET', q.key .. ':s', id) })
  return true
end

-- Those of `new` (id, message, due or '' ...) that are to be stored, each id once; their bodies are stored.
local function keep_new(q, new)
  local key = q.key .. ':m'
  if #new == 3 then
    if call('HSETNX', key, new[1], new[2]) == 1 then return new end
    if not make_room(q, new[1]) then return {} end
    call('HSET', key, new[1], new[2])
    return new
  end
  local ids = {}
  for i = 1, #new, 3 do ids[#ids + 1] = new[i] end
  local there, seen, kept, bodies = values(key, ids), {}, {}, {}
  for i, id in ipairs(ids) do
    if not seen[id] and (not there[i] or make_room(q, id)) then
      kept[#kept + 1], kept[#kept + 2], kept[#kept + 3] = id, new[3 * i - 1], new[3 * i]
      bodies[#bodies + 1], bodies[#bodies + 2] = id, new[3 * i - 1]
    end
    seen[id] = true
  end
  many('HSET', key, bodies)
  return kept
end

-- Stores new messages (id, message, due or '' ...) at the end, or among the delayed ones.
local function store(q, new)
  local key, ready, delayed, ends = q.key, {}, {}, {}
  new = keep_new(q, new)
  for i = 1, #new, 3 do
    local id, message, due = new[i], new[i + 1], new[i + 2]
    local expires = int64(message, 1)
    ends[#ends + 1], ends[#ends + 2] = expires, id
    note(q, expires)
    if due == '' then
      local position = append(q)
      runs(q, client_of(message), position)
      ready[#ready + 1], ready[#ready + 2] = position, id
    else
      delayed[#delayed + 1], delayed[#delayed + 2] = due, id
      note(q, tonumber(due), true)
    end
  end
  many('ZADD', key .. ':r', ready)
  many('ZADD', key .. ':d', delayed)
  many('ZADD', key .. ':x', ends)
end

-- epoch, now, then for each message: id, message, due or ''
operations.post = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  settle(q, 0)
  table.remove(args, 1)
  table.remove(args, 1)
  store(q, args)
  leave(q)
  return 1
end
