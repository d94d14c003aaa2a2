-- Reading messages. In answers a message is four values: id, place ('p' and its position or 'd' and its due time),
-- the message as it was posted, and its state or '', without a claim that has ended.

-- Adds a message to an answer.
local function show(q, reply, id, place, message, found, known)
  local n = #reply
  if found and not live_holder(q, found, known) then found = sub(found, 1, BARE) end
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, place, message, found or ''
end

-- Where a message stands.
local function place_of(q, id, found)
  if found then return 'p' .. string.format('%.17g', int64(found, 6)) end
  local position = call('ZSCORE', q.key .. ':r', id)
  if position then return 'p' .. position end
  return 'd' .. (call('ZSCORE', q.key .. ':d', id) or '')
end

-- epoch, now, ids
operations.get = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local ids, reply, known = {}, {}, {}
  for i = 3, #args do ids[i - 2] = args[i] end
  local messages, states = values(key .. ':m', ids), values(key .. ':s', ids)
  for i, id in ipairs(ids) do
    if messages[i] and end_of(messages[i], states[i]) > q.now then
      show(q, reply, id, place_of(q, id, states[i]), messages[i], states[i], known)
    end
  end
  return reply
end

-- epoch, now, id
operations.locate = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  settle(q, 0)
  leave(q)
  local ends = call('ZSCORE', key .. ':x', args[3])
  if not ends or tonumber(ends) <= q.now then return '' end
  return place_of(q, args[3], call('HGET', key .. ':s', args[3]))
end

-- The first `count` messages at or behind `from` (as ZRANGEBYSCORE takes it): ids and their positions.
local function placed(q, from, count, with_claimed)
  local function some(index)
    return call('ZRANGEBYSCORE', q.key .. index, from, '+inf', 'WITHSCORES', 'LIMIT', 0, count)
  end
  local ready, claimed, ids, positions = some(':r'), with_claimed and some(':c') or {}, {}, {}
  local i, j = 1, 1
  while #ids < count and (ready[i] or claimed[j]) do
    if not claimed[j] or (ready[i] and tonumber(ready[i + 1]) < tonumber(claimed[j + 1])) then
      ids[#ids + 1], positions[#positions + 1], i = ready[i], ready[i + 1], i + 2
    else
      ids[#ids + 1], positions[#positions + 1], j = claimed[j], claimed[j + 1], j + 2
    end
  end
  return ids, positions
end

-- Where the run of `client` ends that holds `position`: the next run's beginning, '' if it is the last one; nil
-- where the run is of others or forgotten.
local function leap(q, client, position)
  local runs = q.key .. ':u'
  local run = call('ZREVRANGEBYSCORE', runs, position, '-inf', 'LIMIT', 0, 1)[1]
  if not run or sub(run, 9) ~= client then return nil end
  return call('ZRANGEBYSCORE', runs, '(' .. position, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or ''
end

-- Whether `a` sorts before `b`, both 16 bytes. (Lua compares by the server's locale.)
local function before(a, b)
  for i = 1, 16 do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return false
end

-- The rank of the first delayed message behind (`due`, `id`).
local function rank_behind(q, due, id)
  local key = q.key .. ':d'
  local low = call('ZCOUNT', key, '-inf', '(' .. due)
  local high = low + call('ZCOUNT', key, due, due)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if before(id, call('ZRANGE', key, middle, middle)[1]) then high = middle else low = middle + 1 end
  end
  return low
end

-- A page being filled: what was found, what is the most that may be, and where it stands.
local function new_page(args)
  return { reply = {}, found = 0, limit = tonumber(args[6]), without = args[7], examined = 0, at = '', id = '', known = {} }
end

local function goes_on(page)
  return page.found < page.limit and page.examined < EXAMINED
end

-- Looks at a message: true if it was left out as the reader's own.
local function look(q, page, id, place, message, found)
  page.examined = page.examined + 1
  page.at, page.id = place, id
  if not message or end_of(message, found) <= q.now then return false end
  if page.without ~= '' and client_of(message) == sub(page.without, 2) then return true end
  show(q, page.reply, id, place, message, found, page.known)
  page.found = page.found + 1
  return false
end

local function list_placed(q, page, from, with_claimed)
  while from ~= '' and goes_on(page) do
    local count = min(page.limit - page.found, EXAMINED - page.examined)
    local ids, positions = placed(q, from, count, with_claimed)
    if #ids == 0 then return end
    local messages, states = values(q.key .. ':m', ids), values(q.key .. ':s', ids)
    from = '(' .. positions[#ids]
    for i, id in ipairs(ids) do
      if look(q, page, id, 'p' .. positions[i], messages[i], states[i]) then
        local next_run = leap(q, sub(page.without, 2), positions[i])
        if next_run then
          from = next_run
          break
        end
      end
    end
  end
end

local function list_delayed(q, page, due, id)
  local rank = due == '' and 0 or rank_behind(q, due, id)
  while goes_on(page) do
    local count = min(page.limit - page.found, EXAMINED - page.examined)
    local some, ids = call('ZRANGE', q.key .. ':d', rank, rank + count - 1, 'WITHSCORES'), {}
    if #some == 0 then return end
    for i = 1, #some, 2 do ids[#ids + 1] = some[i] end
    local messages = values(q.key .. ':m', ids)
    for i, found in ipairs(ids) do look(q, page, found, 'd' .. some[2 * i], messages[i], false) end
    rank = rank + #ids
  end
end

-- epoch, now, first position as ZRANGEBYSCORE takes it ('' for none), due and id that the delayed ones are behind,
-- limit, '=' and the client whose messages are left out (or ''), 1 with claimed ones, 1 with delayed ones.
-- Answers what is to be resumed (0 nothing, 1 behind the place and id that follow, 2 where the page ends, as due
-- messages are left), when the next message is due if there is none, and the messages.
operations.list = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local page, more = new_page(args), settle(q, tonumber(args[6]))
  leave(q)
  list_placed(q, page, args[3], args[8] == '1')
  if args[9] == '1' and not more then list_delayed(q, page, args[4], args[5]) end
  local resume, due = 0, ''
  if page.found < page.limit then
    if page.examined >= EXAMINED then
      resume = 1
    elseif more then
      resume = 2
    elseif page.found == 0 then
      due = answer(next_due(q))
    end
  end
  return { resume, page.at, page.id, due, page.reply }
end

-- The first message of an index from `rank` on in steps of `by` that has not expired. Those that have are removed,
-- as far as `work` allows.
local function first_alive(q, index, rank, work)
  while work.left > 0 do
    local found = call('ZRANGE', q.key .. index, rank, rank, 'WITHSCORES')
    if not found[1] then return nil end
    if tonumber(call('ZSCORE', q.key .. ':x', found[1]) or 0) > q.now then return found end
    remove(q, { found[1] }, { call('HGET', q.key .. ':s', found[1]) })
    work.left = work.left - 1
  end
  work.more = true
  return nil
end

-- The id and the message at one end of the queue: by position, delayed ones last.
local function end_message(q, rank, work)
  local ready, claimed = first_alive(q, ':r', rank, work), first_alive(q, ':c', rank, work)
  local first = ready or claimed
  if ready and claimed and (tonumber(claimed[2]) < tonumber(ready[2])) == (rank == 0) then first = claimed end
  if rank == -1 or not first then first = first_alive(q, ':d', rank, work) or first end
  return first and first[1] or '', first and call('HGET', q.key .. ':m', first[1]) or ''
end

-- epoch, now. Answers 1 if what has expired hides an end of the queue still, free, claimed, and id and message at
-- both ends.
operations.stats = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local claimed = call('ZCARD', key .. ':c') - call('ZCOUNT', key .. ':h', '-inf', q.now)
  local all = call('HLEN', key .. ':m') - call('ZCOUNT', key .. ':x', '-inf', q.now)
  local work = { left = STEP, more = false }
  local oldest, first = end_message(q, 0, work)
  local newest, last = end_message(q, -1, work)
  return { work.more and 1 or 0, all - claimed, claimed, oldest, first, newest, last }
end
