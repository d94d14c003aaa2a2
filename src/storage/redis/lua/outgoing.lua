-- What has left a queue and waits to be handed to another or to another store, and what has come so. Lists are called by
-- their keys: `:o` dead letters, `:t` what goes to another store. A parcel is id (16 bytes), ttl (8), end (8), claim
-- count (4), landing, and the message. A landing is a letter and, for E (the end of another queue), that queue's name
-- with its length (1) before it; for R (ready), its position (8); for H (held), position, claim (16), ttl and end (8
-- each) of the claim; for D (delayed), its time (8). With S it is a subscription, kept as one.

-- Seconds after which the receipt of a line may be dropped.
local SILENT = 86400

-- Puts messages ({id, message, state, landing}) at the end of a list and takes them from the queue; `unready` as for
-- `remove`. ttl and ends are bytes, or '' for each message's own.
local function dispatch(q, list, sent, ttl, ends, unready)
  if #sent == 0 then return end
  local key, ids, states, order, parcels = q.key, {}, {}, {}, {}
  -- By time, as positions are: what was lost in a failover must not come back under a number that was received.
  local number = max(tonumber(call('HGET', key .. ':g', 'g') or 0), q.now - 1)
  call('HSET', key .. ':g', 'g', score(number + #sent))
  for i, one in ipairs(sent) do
    local id, message, found = one[1], one[2], one[3]
    ids[i], states[i] = id, found
    local own_ttl = found and sub(found, 22, 29) or sub(message, 25, 32)
    local own_end = found and sub(found, 14, 21) or sub(message, 9, 16)
    push(order, score(number + i), score(number + i))
    push(parcels, score(number + i), id .. (ttl ~= '' and ttl or own_ttl) .. (ends ~= '' and ends or own_end)
      .. pack('>I4', claim_count(found)) .. one[4] .. message)
  end
  remove(q, ids, states, unready)
  many('ZADD', key .. list, order)
  many('HSET', key .. ':p', parcels)
end

-- epoch, now, list, limit. Answers the line, and number and parcel of the first.
operations.outgoing = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local limit, numbers, reply = tonumber(args[4]), {}, {}
  if limit > 0 then numbers = call('ZRANGE', key .. args[3], 0, limit - 1) end
  local parcels = values(key .. ':p', numbers)
  for i, number in ipairs(numbers) do push(reply, number, parcels[i]) end
  return { call('HGET', key .. ':g', 'y'), reply }
end

-- epoch, now, list, numbers
operations.forget = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local numbers, there = {}, {}
  for i = 4, #args do numbers[i - 3] = args[i] end
  -- A number of the other list stays.
  for _, number in ipairs(numbers) do
    if call('ZREM', key .. args[3], number) == 1 then there[#there + 1] = number end
  end
  many('HDEL', key .. ':p', there)
  return 1
end

-- Notes how far a line was received, and when; a new line drops the receipts of those that were silent since.
local function receive(key, line, number, at)
  local received = key .. ':v'
  local known = call('HGET', received, line)
  if known then
    number, at = max(number, int64(known, 1)), max(at, int64(known, 9))
  else
    local all, silent = call('HGETALL', received), {}
    for i = 1, #all, 2 do
      if int64(all[i + 1], 9) + SILENT * 1000000 <= at then silent[#silent + 1] = all[i] end
    end
    many('HDEL', received, silent)
  end
  call('HSET', received, line, bytes8(number) .. bytes8(at))
end

-- The position, or the next that no message has.
local function free_position(q, position)
  while call('ZCOUNT', q.key .. ':r', score(position), score(position)) > 0
    or call('ZCOUNT', q.key .. ':c', score(position), score(position)) > 0 do
    position = position + 1
  end
  return position
end

-- Keeps a message that came at its old position or the next free one: that, and its state under `claim`, which may be
-- ''. What is remembered of runs does not hold any more.
local function put_at(q, id, message, count, claim)
  local position = free_position(q, int64(message, 1))
  q.last, q.client = max(q.last, position), NOBODY
  call('DEL', q.key .. ':u')
  message = placed_at(message, position)
  call('HSET', q.key .. ':m', id, message)
  if count > 0 or claim ~= '' then
    local is = state(0, count, bytes8(position), sub(message, 9, 16), sub(message, 25, 32), claim)
    call('HSET', q.key .. ':s', id, is)
  end
  return position
end

-- Adds a message to a claim (`extra`: claim, ttl and end), which is made where it does not exist; of two ends the later
-- one counts.
local function land_held(q, id, message, count, extra)
  local key, claim, ends = q.key, sub(extra, 1, 16), int64(extra, 25)
  local record = call('HGET', key .. ':k', claim) or sub(extra, 17, 32)
  if int64(record, 9) < ends then
    record = sub(extra, 17, 32) .. sub(record, 17)
    local held = {}
    for _, other in ipairs(members(record)) do push(held, score(ends), other) end
    many('ZADD', key .. ':h', held)
  end
  ends = int64(record, 9)
  call('ZADD', key .. ':c', score(put_at(q, id, message, count, claim)), id)
  call('ZADD', key .. ':h', score(ends), id)
  call('HSET', key .. ':k', claim, record .. id)
  note(q, ends, 'ends')
end

-- Puts a message where it lands, unless one of its id is there.
local function land(q, kind, id, message, count, extra)
  if kind == 'S' then return enrol(q, id, message) end
  local key = q.key
  if call('HEXISTS', key .. ':m', id) == 1 and not make_room(q, id) then return end
  if kind == 'H' then
    land_held(q, id, message, count, extra)
  elseif kind == 'R' then
    call('ZADD', key .. ':r', score(put_at(q, id, message, count, '')), id)
  elseif kind == 'D' then
    call('HSET', key .. ':m', id, message)
    call('ZADD', key .. ':d', extra, id)
    note(q, tonumber(extra), 'due')
  else
    local position = append(q)
    call('HSET', key .. ':m', id, placed_at(message, position))
    call('ZADD', key .. ':r', score(position), id)
    runs(q, message, position)
  end
  call('ZADD', key .. ':x', score(int64(message, 9)), id)
  note(q, int64(message, 9))
end

-- epoch, now, line, then for each message: number, letter of its landing, id, message, claim count, and for H claim,
-- ttl and end, for D its time, else ''.
operations.import = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  settle(q, STEP)
  local known = call('HGET', key .. ':v', args[3])
  local before, greatest = known and int64(known, 1) or 0, 0
  for i = 4, #args, 6 do
    local number, message = tonumber(args[i]), args[i + 3]
    if number > before then
      greatest = max(greatest, number)
      if int64(message, 9) > q.now then
        land(q, args[i + 1], args[i + 2], message, tonumber(args[i + 4]), args[i + 5])
      end
    end
  end
  if greatest > 0 then receive(key, args[3], greatest, q.now) end
  leave(q)
  ring(key, (#args - 3) / 6)
  return 1
end
