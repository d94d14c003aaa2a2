-- Messages, their states and their claims.
--
-- A message begins with its position (8 bytes), end (8), creation (8), ttl (8), flags (1), and its client with the
-- length before it (4); codec.rs knows the rest. Its state is kept only where something has changed: flags (1; 1 its
-- life was raised, 2 it was delayed), claim count (4), position (8), end (8), ttl (8), and its claim (16) while one
-- holds it.

local DELAYED, CLIENT, BARE, FRESH = '\0\0\0\0\0\0\0\0', 34, 29, '\0\0\0\0\0'

-- The client that posted it, with the length before it; in runs there may be none.
local NOBODY = '\255\255\255\255'

local function client_of(message)
  return sub(message, CLIENT, CLIENT + 3 + unpack_number('>I4', message, CLIENT))
end

local function is_of(message, client)
  return sub(message, CLIENT, CLIENT - 1 + #client) == client
end

-- position, ends and ttl are the bytes as they stand in the message.
local function state(flags, count, position, ends, ttl, claim)
  return pack('>I1I4', flags, count) .. position .. ends .. ttl .. claim
end

local function flags_of(found)
  return found and string.byte(found) or 0
end

local function claim_count(found)
  return found and unpack_number('>I4', found, 2) or 0
end

-- When a message ends.
local function end_of(message, found)
  if found then return int64(found, 14) end
  return int64(message, 9)
end

-- Where it stands; 0 while it is delayed.
local function position_of(message, found)
  if found then return int64(found, 6) end
  return int64(message, 1)
end

-- The claim of that state, if it holds the message, ended or not.
local function holder(found)
  return found and #found > BARE and sub(found, BARE + 1)
end

-- The claim's record, unless it has ended.
local function live(q, claim)
  local record = call('HGET', q.key .. ':k', claim)
  return record and int64(record, 9) > q.now and record
end

-- The live claim that holds a message of that state. `known` keeps what was asked before.
local function live_holder(q, found, known)
  local claim = holder(found)
  if not claim then return false end
  if known[claim] == nil then known[claim] = live(q, claim) and true or false end
  return known[claim] and claim
end

-- The messages that a claim's record names.
local function members(record)
  local ids = {}
  for at = 17, #record, 16 do ids[#ids + 1] = sub(record, at, at + 15) end
  return ids
end

-- Takes messages (`by`: claim -> set of ids) from their claims; one is gone with its last message: how many are.
local function leave_claims(q, by)
  local claims = {}
  for claim in pairs(by) do claims[#claims + 1] = claim end
  local records, emptied = values(q.key .. ':k', claims), {}
  for i, claim in ipairs(claims) do
    local record = records[i]
    if record then
      local left = { sub(record, 1, 16) }
      for _, id in ipairs(members(record)) do
        if not by[claim][id] then left[#left + 1] = id end
      end
      if #left == 1 then
        emptied[#emptied + 1] = claim
      else
        call('HSET', q.key .. ':k', claim, table.concat(left))
      end
    end
  end
  many('HDEL', q.key .. ':k', emptied)
  return #emptied
end

-- Adds a message to the sets of `leave_claims`.
local function gather(by, claim, id)
  by[claim] = by[claim] or {}
  by[claim][id] = true
end

-- Takes messages out of every index but `r` where `unready` says that they are no more in it.
local function remove(q, ids, states, unready)
  local key, placed, held, changed, by = q.key, {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local found = states[i]
    local claim = holder(found)
    if claim then
      held[#held + 1] = id
      gather(by, claim, id)
    else
      placed[#placed + 1] = id
    end
    if found then changed[#changed + 1] = id end
  end
  many('HDEL', key .. ':m', ids)
  many('ZREM', key .. ':x', ids)
  many('HDEL', key .. ':s', changed)
  if #held > 0 then
    many('ZREM', key .. ':c', held)
    many('ZREM', key .. ':h', held)
    leave_claims(q, by)
  end
  if not unready and many('ZREM', key .. ':r', placed) < #placed then many('ZREM', key .. ':d', placed) end
end
