-- Deleting by id, popping, purging.

-- What deleting a message comes to: D deleted, M missing, C claimed, N not claimed, O claimed by another, S no such
-- claim. `claims`: the given ones, as keys; `needed` if one must hold it.
local function judge(q, found, claims, needed, known)
  local claim = live_holder(q, found, known)
  if not claim then return needed and 'N' or 'D' end
  if not needed then return 'C' end
  if claims[claim] then return 'D' end
  for given in pairs(claims) do
    if live(q, given) then return 'O' end
  end
  return 'S'
end

-- Whether the message is there and has not expired; `found` is its state, if it is known.
local function alive(q, id, found)
  if found then return end_of(nil, found) > q.now end
  local ends = call('ZSCORE', q.key .. ':x', id)
  return ends and tonumber(ends) > q.now
end

-- epoch, now, id, claim or ''
operations.delete = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local id, claim = args[3], args[4]
  local found = call('HGET', key .. ':s', id)
  if not alive(q, id, found) then return 'M' end
  local verdict = judge(q, found, { [claim] = true }, claim ~= '', {})
  if verdict == 'D' then remove(q, { id }, { found }) end
  return verdict
end

-- epoch, now, 1 if claims are needed, how many ids, ids, claims. Answers how many were deleted, or the verdict and the
-- id that was refused.
operations.delete_many = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local needed, count, ids, claims, known = args[3] == '1', tonumber(args[4]), {}, {}, {}
  for i = 5, 4 + count do
    if alive(q, args[i]) then ids[#ids + 1] = args[i] end
  end
  for i = 5 + count, #args do claims[args[i]] = true end
  local states = values(key .. ':s', ids)
  for i, id in ipairs(ids) do
    local verdict = needed and judge(q, states[i], claims, true, known) or 'D'
    if verdict ~= 'D' then return { verdict, id } end
  end
  remove(q, ids, states)
  return { #ids }
end

-- Takes the first `count` messages out of `r`: ids, messages, states.
local function take_ready(q, count)
  local key = q.key
  local ids = call('ZRANGE', key .. ':r', 0, count - 1)
  if #ids == 0 then return ids end
  local messages, states = values(key .. ':m', ids), values(key .. ':s', ids)
  call('ZREMRANGEBYRANK', key .. ':r', 0, #ids - 1)
  return ids, messages, states
end

-- epoch, now, limit. Answers 1 if another call may find more, when the next message is due, and the messages.
operations.pop = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local limit, found, examined, reply = tonumber(args[3]), 0, 0, new_reply()
  local more, ended = settle(q, limit), false
  while found < limit and examined < EXAMINED and not ended do
    local count = min(limit - found, EXAMINED - examined)
    local ids, messages, states = take_ready(q, count)
    for i, id in ipairs(ids) do
      if end_of(messages[i], states[i]) > q.now then
        show(q, reply, id, messages[i], states[i], {})
        found = found + 1
      end
    end
    examined, ended = examined + #ids, #ids < count
    remove(q, ids, states or {}, true)
  end
  leave(q)
  more = more or (found < limit and not ended)
  return { more and 1 or 0, found == 0 and not more and answer(next_due(q)) or '', reply }
end

-- epoch, now. Answers how many messages were removed and 1 if there are more.
operations.purge = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  settle(q, STEP)
  leave(q)
  local ids, purged = call('ZRANGE', key .. ':r', 0, STEP - 1), 0
  if #ids < STEP then
    for _, id in ipairs(call('ZRANGE', key .. ':d', 0, STEP - #ids - 1)) do ids[#ids + 1] = id end
  end
  for _, id in ipairs(ids) do
    if alive(q, id) then purged = purged + 1 end
  end
  remove(q, ids, values(key .. ':s', ids))
  local left = call('ZCARD', key .. ':r') + call('ZCARD', key .. ':d') + call('ZCOUNT', key .. ':h', '-inf', q.now)
  return { purged, left > 0 and 1 or 0 }
end
