-- Subscriptions. One is kept as a message is: its position tells whether it is confirmed (0 or 1), its client is the
-- subscriber, its body the options.

local function subscriber_of(record)
  return sub(client_of(record), 5)
end

-- Takes subscriptions out of every index.
local function end_subscriptions(q, ids)
  local key, subscribers = q.key, {}
  for _, record in ipairs(values(key .. ':b', ids)) do
    if record then subscribers[#subscribers + 1] = subscriber_of(record) end
  end
  many('HDEL', key .. ':b', ids)
  many('ZREM', key .. ':i', ids)
  many('ZREM', key .. ':e', ids)
  many('HDEL', key .. ':n', subscribers)
end

-- The first ids, at most `limit`, behind `from`.
local function ids_from(q, from, limit)
  return call('ZRANGEBYLEX', q.key .. ':i', from, '+', 'LIMIT', 0, limit)
end

-- Removes what has ended, at most `budget`: how many.
local function lapse(q, budget)
  if budget < 1 then return 0 end
  local ids = call('ZRANGEBYSCORE', q.key .. ':e', '-inf', q.now, 'LIMIT', 0, budget)
  end_subscriptions(q, ids)
  return #ids
end

local function is_live(q, record)
  return record and int64(record, 9) > q.now
end

-- Stores a subscription, unless its subscriber or its id is there: 1 if it was stored.
local function enrol(q, id, record)
  lapse(q, STEP)
  local key, subscriber, ends = q.key, subscriber_of(record), int64(record, 9)
  local rivals = { id, call('HGET', key .. ':n', subscriber) or nil }
  for _, known in ipairs(values(key .. ':b', rivals)) do
    if is_live(q, known) then return 0 end
  end
  end_subscriptions(q, rivals)
  call('HSET', key .. ':b', id, record)
  call('HSET', key .. ':n', subscriber, id)
  call('ZADD', key .. ':i', 0, id)
  call('ZADD', key .. ':e', score(ends), id)
  note(q, ends)
  return 1
end

-- epoch, now, id, record
operations.subscribe = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local stored = enrol(q, args[3], args[4])
  leave(q)
  return stored
end

-- epoch, now, id behind which to begin or '', limit. Answers id and record of each.
operations.subscriptions = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  lapse(q, STEP)
  local from, limit, reply = args[3] == '' and '-' or '(' .. args[3], tonumber(args[4]), {}
  while #reply < 2 * limit do
    local ids = ids_from(q, from, limit)
    if #ids == 0 then break end
    for i, record in ipairs(values(key .. ':b', ids)) do
      if #reply < 2 * limit and is_live(q, record) then push(reply, ids[i], record) end
    end
    from = '(' .. ids[#ids]
  end
  return reply
end

-- epoch, now, id
operations.subscription = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local record = call('HGET', key .. ':b', args[3])
  return is_live(q, record) and record or ''
end

-- epoch, now, subscriber
operations.subscribed = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local id = call('HGET', key .. ':n', args[3])
  return id and is_live(q, call('HGET', key .. ':b', id)) and id or ''
end

-- epoch, now, id, 1 if its connection left and nobody has to be told
operations.unsubscribe = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  end_subscriptions(q, { args[3] })
  if args[4] ~= '1' then ring(key, ENDED) end
  return 1
end

-- epoch, now, the new end (8 bytes), ids. Answers those that do not live.
operations.extend = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local ids, missing, records, order = {}, {}, {}, {}
  for i = 4, #args do ids[i - 3] = args[i] end
  local ends = int64(args[3], 1)
  for i, record in ipairs(values(key .. ':b', ids)) do
    if not is_live(q, record) then
      missing[#missing + 1] = ids[i]
    elseif int64(record, 9) < ends then
      push(records, ids[i], sub(record, 1, 8) .. args[3] .. sub(record, 17))
      push(order, score(ends), ids[i])
    end
  end
  many('HSET', key .. ':b', records)
  many('ZADD', key .. ':e', order)
  return missing
end

-- epoch, now. Answers 1 if there are more.
operations.purge_subscriptions = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  end_subscriptions(q, ids_from(q, '-', STEP))
  ring(key, ENDED)
  return call('EXISTS', key .. ':b')
end
