-- Claims. A claim's record is its ttl (8 bytes), its end (8) and the ids of its messages.

-- How long the messages of a claim live at least; ttl and ends are the bytes of the claim.
local function life(ttl, ends, grace)
  local number = int64(ends, 1)
  local raised = number + grace * 1000000
  return {
    ends = number, ends_score = score(number), raised_score = score(raised), raised = bytes8(raised),
    raised_ttl = pack('>I8', unpack_number('>I8', ttl) + grace),
  }
end

-- The state of a message under the claim, and whether its life is raised by that.
local function held_state(found, message, count, claim, life_of)
  local flags = flags_of(found)
  local position = found and sub(found, 6, 13) or sub(message, 1, 8)
  if end_of(message, found) < life_of.ends then
    if flags % 2 == 0 then flags = flags + 1 end
    return state(flags, count, position, life_of.raised, life_of.raised_ttl, claim), true
  end
  if found then return state(flags, count, position, sub(found, 14, 21), sub(found, 22, 29), claim), false end
  return state(0, count, position, sub(message, 9, 16), sub(message, 25, 32), claim), false
end

-- What a claim does to the indexes, gathered.
local function new_hold()
  return { ids = '', placed = {}, held = {}, states = {}, raised = {}, expired = {}, expired_states = {} }
end

-- Stores what was gathered.
local function store_hold(q, hold, claim, record)
  local key = q.key
  if #hold.expired > 0 then remove(q, hold.expired, hold.expired_states, true) end
  if hold.ids == '' then return end
  many('ZADD', key .. ':c', hold.placed)
  many('ZADD', key .. ':h', hold.held)
  many('HSET', key .. ':s', hold.states)
  many('ZADD', key .. ':x', hold.raised)
  call('HSET', key .. ':k', claim, record .. hold.ids)
end

-- epoch, now, claim, ttl, end, grace, limit, greatest count or '', and for dead letters: target with its length
-- before it, ttl or '', end or ''. ttl and end are 8 bytes. Answers 1 if another call may find more, how many became
-- dead letters, when the next message is due, and the messages.
operations.claim = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local claim, grace, limit, most = args[3], tonumber(args[6]), tonumber(args[7]), tonumber(args[8])
  local more = settle(q, math.floor(limit / 4))
  local record = call('HGET', key .. ':k', claim) or args[4] .. args[5]
  if int64(record, 9) <= q.now and #record > 16 then
    -- An ended claim of this id is still being given back: the caller comes again.
    leave(q)
    return { 1, 0, '', new_reply() }
  end
  local life_of, hold, sent, reply = life(sub(record, 1, 8), sub(record, 9, 16), grace), new_hold(), {}, new_reply()
  local known, found, examined, ended = { [claim] = true }, 0, 0, false
  while found < limit and examined < EXAMINED and #hold.expired < STEP and not ended do
    local count = min(limit - found, EXAMINED - examined)
    local ids, messages, states = take_ready(q, count)
    local held = {}
    for i, id in ipairs(ids) do
      local message, was = messages[i], states[i]
      local claims = claim_count(was)
      if end_of(message, was) <= q.now then
        hold.expired[#hold.expired + 1] = id
        hold.expired_states[#hold.expired] = was
      elseif most and claims >= most then
        sent[#sent + 1] = { id, message, was, 'E' .. args[9] }
      else
        local is, raised = held_state(was, message, most and claims + 1 or claims, claim, life_of)
        held[#held + 1] = id
        push(hold.placed, score(position_of(message, was)), id)
        push(hold.held, life_of.ends_score, id)
        push(hold.states, id, is)
        if raised then push(hold.raised, life_of.raised_score, id) end
        show(q, reply, id, message, is, known)
      end
    end
    hold.ids = hold.ids .. table.concat(held)
    found, examined, ended = found + #held, examined + #ids, #ids < count
    if ended and more and found < limit then
      -- What ended in a long backlog fills the page.
      more, ended = settle(q, limit - found), false
    end
  end
  store_hold(q, hold, claim, record)
  dispatch(q, ':o', sent, args[10], args[11], true)
  if found > 0 then note(q, life_of.ends, 'ends') end
  leave(q)
  more = more or (found < limit and not ended)
  return { more and 1 or 0, #sent, found == 0 and not more and answer(next_due(q)) or '', reply }
end

-- epoch, now, claim. Answers nothing, or its record's ttl and end and its messages.
operations.claimed = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local record = live(q, args[3])
  if not record then return {} end
  local ids, reply, known = members(record), new_reply(), { [args[3]] = true }
  local messages, states = values(key .. ':m', ids), values(key .. ':s', ids)
  for i, id in ipairs(ids) do
    show(q, reply, id, messages[i], states[i], known)
  end
  return { sub(record, 1, 16), reply }
end

-- epoch, now, claim, ttl, end, grace. Answers whether there was a live one.
operations.renew = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local claim = args[3]
  local record = live(q, claim)
  if not record then return 0 end
  local life_of, ids = life(args[4], args[5], tonumber(args[6])), members(record)
  local states, hold = values(key .. ':s', ids), new_hold()
  hold.ids = sub(record, 17)
  for i, id in ipairs(ids) do
    local found = states[i]
    push(hold.held, life_of.ends_score, id)
    local is, raised = held_state(found, nil, claim_count(found), claim, life_of)
    if raised then
      push(hold.states, id, is)
      push(hold.raised, life_of.raised_score, id)
    end
  end
  store_hold(q, hold, claim, args[4] .. args[5])
  note(q, life_of.ends, 'ends')
  leave(q)
  if life_of.ends < int64(record, 9) then ring(key, 0) end
  return 1
end

-- epoch, now, claim
operations.release = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local record = call('HGET', key .. ':k', args[3])
  if record then
    local ids = members(record)
    give_back(q, ids)
    ring(key, #ids)
  end
  return 1
end
