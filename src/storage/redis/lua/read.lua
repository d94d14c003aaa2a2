-- Reading messages. An answer has them as three lists: ids, messages, and their states without claims that have ended;
-- nil where a message has none, 8 bytes with the due time of a delayed one.

local function new_reply()
  return { {}, {}, {} }
end

-- Adds a message to an answer.
local function show(q, reply, id, message, found, known)
  if found and not live_holder(q, found, known) then found = sub(found, 1, BARE) end
  local ids = reply[1]
  local n = #ids + 1
  ids[n], reply[2][n], reply[3][n] = id, message, found
end

-- Replaces the state of the message that was added last.
local function show_due(reply, due)
  reply[3][#reply[1]] = due
end

-- Surely no message has expired.
local function all_alive(q)
  return q.sweep > q.now or call('ZCOUNT', q.key .. ':x', '-inf', q.now) == 0
end

-- When a message that has no state is due, as in an answer; false if it is not delayed.
local function due_of(q, id, message)
  if sub(message, 1, 8) ~= DELAYED then return false end
  return bytes8(tonumber(call('ZSCORE', q.key .. ':d', id) or 0))
end

-- epoch, now, ids
operations.get = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local ids, reply, known = {}, new_reply(), {}
  for i = 3, #args do ids[i - 2] = args[i] end
  local messages, states = values(key .. ':m', ids), values(key .. ':s', ids)
  for i, id in ipairs(ids) do
    if messages[i] and end_of(messages[i], states[i]) > q.now then
      show(q, reply, id, messages[i], states[i], known)
      if not states[i] then show_due(reply, due_of(q, id, messages[i])) end
    end
  end
  return reply
end

-- epoch, now, id. Answers nothing, or the message as `get` does.
operations.locate = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  settled(q, 0)
  return operations.get(key, args)
end

-- epoch, now. Answers 1 if due messages are left, and the last position.
operations.tail = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local more = settled(q, STEP)
  return { more and 1 or 0, answer(q.last) }
end

-- The first `count` messages at or behind `from` (as ZRANGEBYSCORE takes it): ids, messages and states.
local function some_placed(q, index, from, count)
  local ids = call('ZRANGEBYSCORE', q.key .. index, from, '+inf', 'LIMIT', 0, count)
  return { ids = ids, messages = values(q.key .. ':m', ids), states = values(q.key .. ':s', ids) }
end

-- The same of the ready and of the claimed ones, in the order of their positions.
local function merged(q, from, count)
  local both, all = { some_placed(q, ':r', from, count), some_placed(q, ':c', from, count) }, {}
  for _, some in ipairs(both) do
    for i, id in ipairs(some.ids) do
      local message, found = some.messages[i], some.states[i]
      all[#all + 1] = { position_of(message, found), id, message, found }
    end
  end
  table.sort(all, function(a, b) return a[1] < b[1] end)
  local first = { ids = {}, messages = {}, states = {} }
  for i = 1, min(#all, count) do
    first.ids[i], first.messages[i], first.states[i] = all[i][2], all[i][3], all[i][4]
  end
  return first
end

-- Where the run of `client` ends that holds `position`: the next run's beginning, '' if it is the last one; nil
-- where the run is of others or forgotten.
local function leap(q, client, position)
  local runs = q.key .. ':u'
  local run = call('ZREVRANGEBYSCORE', runs, score(position), '-inf', 'LIMIT', 0, 1)[1]
  if not run or sub(run, 9) ~= client then return nil end
  return call('ZRANGEBYSCORE', runs, '(' .. score(position), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or ''
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

-- The most bytes that a listing looks at before it lets others have the server.
local MANY_BYTES = 16777216

-- A page being filled: what was found, what is the most that may be, and what was looked at last.
local function new_page(args)
  return {
    reply = new_reply(), found = 0, limit = tonumber(args[6]), without = args[7] ~= '' and args[7], examined = 0,
    bytes = 0, last = {}, known = {},
  }
end

local function has_looked_enough(page)
  return page.examined >= EXAMINED or page.bytes >= MANY_BYTES
end

local function goes_on(page)
  return page.found < page.limit and not has_looked_enough(page)
end

-- How many messages to fetch.
local function room(page)
  return min(page.limit - page.found, EXAMINED - page.examined)
end

-- Looks at a message: true if it was left out as the reader's own.
local function look(q, page, id, message, found)
  page.examined, page.bytes = page.examined + 1, page.bytes + #message
  if end_of(message, found) <= q.now then return false end
  if page.without and is_of(message, page.without) then return true end
  show(q, page.reply, id, message, found, page.known)
  page.found = page.found + 1
  return false
end

local function list_placed(q, page, from, with_claimed)
  while from ~= '' and goes_on(page) do
    local count = room(page)
    local some = with_claimed and merged(q, from, count) or some_placed(q, ':r', from, count)
    local n = #some.ids
    from = ''
    for i = 1, n do
      local id, message, found = some.ids[i], some.messages[i], some.states[i]
      local own = look(q, page, id, message, found)
      page.last = { id, message, found }
      local leapt = own and leap(q, page.without, position_of(message, found))
      if leapt then
        from = leapt
        break
      end
      if i == n and n == count then from = '(' .. score(position_of(message, found)) end
    end
  end
end

-- The page where all ready messages are wanted and nothing else has to be looked for; nil where that is not so. What
-- most calls are: the messages are passed on without a look at them.
local function list_all(q, from, limit, more)
  if limit > EXAMINED or not all_alive(q) then return nil end
  local ids = call('ZRANGEBYSCORE', q.key .. ':r', from, '+inf', 'LIMIT', 0, limit)
  if #ids == 0 or #ids < limit and (more or q.due < NEVER or sealed(q)) then return nil end
  return { ids, values(q.key .. ':m', ids), values(q.key .. ':s', ids) }
end

local function list_delayed(q, page, due, id)
  local rank = due == '' and 0 or rank_behind(q, due, id)
  while goes_on(page) do
    local count = room(page)
    local some, ids = call('ZRANGE', q.key .. ':d', rank, rank + count - 1, 'WITHSCORES'), {}
    if #some == 0 then return end
    for i = 1, #some, 2 do ids[#ids + 1] = some[i] end
    local messages = values(q.key .. ':m', ids)
    for i, found in ipairs(ids) do
      local due_then, before_it = bytes8(tonumber(some[2 * i])), page.found
      look(q, page, found, messages[i], false)
      if page.found > before_it then show_due(page.reply, due_then) end
      page.last = { found, messages[i], due_then }
    end
    rank = rank + #ids
  end
end

-- epoch, now, first position as ZRANGEBYSCORE takes it ('' for none), due and id that the delayed ones are behind,
-- limit, the client whose messages are left out with its length before it (or ''), 1 with claimed ones, 1 with delayed ones.
-- Answers what is to be resumed (0 nothing, 1 behind the message that follows, 2 where the page ends, as due messages
-- are left), that message or nothing, when the next message is due if there is none, and the messages.
operations.list = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local more = settled(q, math.floor(tonumber(args[6]) / 4))
  local all = args[3] ~= '' and args[7] == '' and args[8] ~= '1' and list_all(q, args[3], tonumber(args[6]), more)
  if all then return { 0, {}, '', all } end
  local page = new_page(args)
  list_placed(q, page, args[3], args[8] == '1')
  if args[9] == '1' and not more then list_delayed(q, page, args[4], args[5]) end
  local resume, last, due = 0, {}, ''
  if page.found < page.limit then
    if has_looked_enough(page) then
      resume, last = 1, { page.last[1], page.last[2], page.last[3] or '' }
    elseif more then
      resume = 2
    elseif page.found == 0 then
      due = answer(next_due(q))
    end
  end
  return { resume, last, due, page.reply }
end

-- The first message of an index from `rank` on that has not expired: id, message, state. Those that have are removed,
-- as far as `work` allows.
local function first_alive(q, index, rank, work)
  while work.left > 0 do
    local id = call('ZRANGE', q.key .. index, rank, rank)[1]
    if not id then return nil end
    local message, found = call('HGET', q.key .. ':m', id), call('HGET', q.key .. ':s', id)
    if end_of(message, found) > q.now then return { id, message, found } end
    remove(q, { id }, { found })
    work.left = work.left - 1
  end
  work.more = true
  return nil
end

-- The message at one end of the queue, by position, delayed ones last.
local function end_message(q, rank, work)
  if rank == -1 then
    local delayed = first_alive(q, ':d', rank, work)
    if delayed then return delayed end
  end
  local ready, claimed = first_alive(q, ':r', rank, work), first_alive(q, ':c', rank, work)
  if ready and claimed then
    local claimed_first = position_of(claimed[2], claimed[3]) < position_of(ready[2], ready[3])
    return claimed_first == (rank == 0) and claimed or ready
  end
  return ready or claimed or (rank == 0 and first_alive(q, ':d', rank, work)) or nil
end

-- epoch, now. Answers 1 if what has expired hides an end of the queue still, free, claimed, and id, message and
-- nothing more at both ends, or nothing.
operations.stats = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local claimed = call('ZCARD', key .. ':c') - call('ZCOUNT', key .. ':h', '-inf', q.now)
  local all = call('HLEN', key .. ':m') - call('ZCOUNT', key .. ':x', '-inf', q.now)
  local work = { left = STEP, more = false }
  local function shown(message) return message and { message[1], message[2], '' } or {} end
  local oldest, newest = shown(end_message(q, 0, work)), shown(end_message(q, -1, work))
  return { work.more and 1 or 0, max(all - claimed, 0), claimed, oldest, newest }
end
