-- Moving a queue's data to another store.

-- epoch, now, the same epoch sealed. Answers the last position and the receipts: line, number and time.
operations.seal = function(key, args)
  local epoch = args[1] ~= args[3] and epoch_of(key)
  if epoch == args[1] then
    local q = enter(key, args)
    q.epoch, q.due = args[3], NEVER
    leave(q)
    ring(key, EVERYBODY)
  elseif epoch ~= args[3] then
    return gone()
  end
  local q = enter(key, { args[3], args[2] })
  return { score(q.last), call('HGETALL', key .. ':v') }
end

-- epoch, now, identity of the outgoing lists if it is new, last position, then for each receipt: line, number, time
operations.adopt = function(key, args)
  if operations.open(key, args) ~= 1 then return gone() end
  local q = enter(key, args)
  q.last = max(q.last, tonumber(args[4]))
  leave(q)
  for i = 5, #args, 3 do receive(key, args[i], tonumber(args[i + 1]), tonumber(args[i + 2])) end
  return 1
end

-- Where a message lands that is taken from its place.
local function landing_of(q, id, message, found, due)
  if due then return 'D' .. bytes8(due) end
  local claim, position = holder(found), found and sub(found, 6, 13) or sub(message, 1, 8)
  local record = claim and call('HGET', q.key .. ':k', claim)
  if record then return 'H' .. position .. claim .. sub(record, 1, 16) end
  return 'R' .. position
end

-- The first messages to be sent off: ids, and when each is due that is delayed.
local function next_to_go(q, limit)
  local ids, due = {}, {}
  if limit < 1 then return ids, due end
  local delayed = call('ZRANGE', q.key .. ':d', 0, limit - 1, 'WITHSCORES')
  for i = 1, #delayed, 2 do ids[#ids + 1], due[#ids + 1] = delayed[i], tonumber(delayed[i + 1]) end
  -- The newest of those that are ready, so that what stays is older than what goes.
  for _, next in ipairs({ { 'ZREVRANGE', ':r' }, { 'ZRANGE', ':c' } }) do
    if #ids < limit then
      for _, id in ipairs(call(next[1], q.key .. next[2], 0, limit - #ids - 1)) do ids[#ids + 1] = id end
    end
  end
  return ids, due
end

-- Puts the first subscriptions on the list to another store: how many; those that have ended are removed.
local function send_subscriptions(q, limit)
  local ids, sent = limit > 0 and ids_from(q, '-', limit) or {}, {}
  for i, record in ipairs(values(q.key .. ':b', ids)) do
    if is_live(q, record) then sent[#sent + 1] = { ids[i], record, false, 'S' } end
  end
  end_subscriptions(q, ids)
  dispatch(q, ':t', sent, '', '')
  return #ids
end

-- epoch, now, limit. Answers how many messages were put on the list, and how much is left.
operations.send_off = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local limit = min(tonumber(args[3]), STEP)
  settle(q, limit)
  local ids, due = next_to_go(q, limit - send_subscriptions(q, limit))
  local messages, states = values(key .. ':m', ids), values(key .. ':s', ids)
  local sent, expired, expired_states = {}, {}, {}
  for i, id in ipairs(ids) do
    local message, found = messages[i], states[i]
    if end_of(message, found) > q.now then
      sent[#sent + 1] = { id, message, found, landing_of(q, id, message, found, due[i]) }
    else
      expired[#expired + 1] = id
      expired_states[#expired] = found
    end
  end
  remove(q, expired, expired_states)
  dispatch(q, ':t', sent, '', '')
  leave(q)
  return { #sent, call('HLEN', key .. ':m') + call('HLEN', key .. ':b') }
end
