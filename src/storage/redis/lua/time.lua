-- What time does: claims end, delayed messages become ready.

-- The least messages of a backlog that a call moves.
local SHARE = 2

-- The most runs that are remembered.
local RUNS = 256

-- Notes whose messages follow from `position` on. Runs let a listing without one's own messages leap over them; those
-- that are forgotten are looked at one by one.
local function runs(q, message, position)
  if is_of(message, q.client) then return end
  q.client = client_of(message)
  call('ZADD', q.key .. ':u', score(position), bytes8(position) .. q.client)
  call('ZREMRANGEBYRANK', q.key .. ':u', 0, -RUNS - 1)
end

-- The next position.
local function append(q)
  q.last = max(q.last + 1, q.now)
  return q.last
end

-- Makes held messages ready again, in their old places: how many claims ended with that.
local function give_back(q, ids)
  local key, states = q.key, values(q.key .. ':s', ids)
  local ready, changed, fresh, by = {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local found = states[i]
    push(ready, score(int64(found, 6)), id)
    gather(by, holder(found), id)
    if sub(found, 1, 5) == FRESH then
      fresh[#fresh + 1] = id
    else
      push(changed, id, sub(found, 1, BARE))
    end
  end
  many('ZREM', key .. ':c', ids)
  many('ZREM', key .. ':h', ids)
  many('ZADD', key .. ':r', ready)
  many('HDEL', key .. ':s', fresh)
  many('HSET', key .. ':s', changed)
  return leave_claims(q, by)
end

-- Gives back what ended claims hold, at most `budget` messages: how many messages, how many claims.
local function end_claims(q, budget)
  if budget <= 0 then return 0, 0 end
  local ids = call('ZRANGEBYSCORE', q.key .. ':h', '-inf', q.now, 'LIMIT', 0, budget)
  if #ids == 0 then return 0, 0 end
  return #ids, give_back(q, ids)
end

-- Gives delayed messages that are due their positions, at most `budget`: how many.
local function ripen(q, budget)
  if budget <= 0 or sealed(q) then return 0 end
  local key = q.key
  local ids = call('ZRANGEBYSCORE', key .. ':d', '-inf', q.now, 'LIMIT', 0, budget)
  local messages, ready, states = values(key .. ':m', ids), {}, {}
  for i, id in ipairs(ids) do
    local position, message = append(q), messages[i]
    runs(q, message, position)
    push(ready, score(position), id)
    push(states, id, state(2, 0, bytes8(position), sub(message, 9, 16), sub(message, 25, 32), ''))
  end
  many('ZREM', key .. ':d', ids)
  many('ZADD', key .. ':r', ready)
  many('HSET', key .. ':s', states)
  return #ids
end

-- Makes the messages of ended claims ready before messages are read: how many. All of them, if they are at most STEP.
-- Of a longer backlog only some more than the `want` messages that the call takes, so that no call pays for what others
-- left: the sweep does the rest.
local function settle_claims(q, want)
  if q.ends > q.now then return 0 end
  local left = STEP
  if call('ZCOUNT', q.key .. ':h', '-inf', q.now) > STEP then left = min(STEP, max(SHARE, want)) end
  local moved = end_claims(q, left)
  q.ends = first_score(q.key .. ':h')
  return moved
end

-- Makes delayed messages ready that are due before messages are read or added, in the same way. At most `budget`.
local function settle_delays(q, want, budget)
  if q.due > q.now then return end
  if call('ZCOUNT', q.key .. ':d', '-inf', q.now) > STEP then budget = min(budget, max(SHARE, want)) end
  ripen(q, budget)
  q.due = sealed(q) and NEVER or first_score(q.key .. ':d')
end

-- Both: true where something is left that is due.
local function settle(q, want)
  if q.ends > q.now and q.due > q.now then return false end
  settle_delays(q, want, STEP - settle_claims(q, want))
  return q.ends <= q.now or q.due <= q.now
end

-- The same for calls that only read, which so change the queue's own fields only where something was due.
local function settled(q, want)
  if q.ends > q.now and q.due > q.now then return false end
  local more = settle(q, want)
  leave(q)
  return more
end
