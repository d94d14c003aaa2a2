-- What all operations share: the queue's own fields, and calls over many members.
--
-- KEYS[1] is the base of the queue's keys; ARGV[1] the epoch, ARGV[2] the time now in microseconds. Times and
-- positions are numbers here (exact below 2^53, the year 2255), epochs are compared as text. What a call reads it
-- reads before it writes, for nothing is undone.
--
-- :q  hash    e epoch, l last position, y identity of the outgoing lists, w no claim ends and no delay is over
--             before it, n nothing is to be swept before it, c client of the last run, g last outgoing number
-- :m  hash    message id -> as it was posted (codec.rs)
-- :s  hash    message id -> what changed since: see `state`
-- :r  zset    ready messages by position         :c  zset    claimed messages by position
-- :d  zset    delayed messages by due time       :h  zset    claimed messages by the end of their claim
-- :x  zset    all messages by their end          :k  hash    claim id -> ttl, end, message ids
-- :u  zset    runs of one client's messages by their first position (`runs`)
-- :o  zset    outgoing messages by number        :p  hash    outgoing message id -> parcel

local STEP, EXAMINED, CHUNK, NEVER = 500, 1000, 1000, 1 / 0

-- What the server gives; it is not there yet when a library is loaded.
local call, pack, unpack_number, sub, min, max

local function begin()
  call, pack, unpack_number, sub, min, max =
    redis.call, struct.pack, struct.unpack, string.sub, math.min, math.max
end

local operations = {}

-- Calls `command` on `key` with all of `list`, in chunks that fit Lua's stack. Their answers are added up.
local function many(command, key, list)
  local sum = 0
  for from = 1, #list, CHUNK do
    sum = sum + call(command, key, unpack(list, from, min(from + CHUNK - 1, #list)))
  end
  return sum
end

-- The values of the fields `list` of a hash; false where there is none.
local function values(key, list)
  if #list == 0 then return {} end
  if #list <= CHUNK then return call('HMGET', key, unpack(list)) end
  local all = {}
  for from = 1, #list, CHUNK do
    local some = call('HMGET', key, unpack(list, from, min(from + CHUNK - 1, #list)))
    for i = 1, #some do all[#all + 1] = some[i] end
  end
  return all
end

-- The signed 64-bit number at `at` in `bytes`.
local function int64(bytes, at)
  return (unpack_number('>i8', bytes, at))
end

-- `number` as 8 bytes; the greatest double below 2^63 stands for everything beyond.
local function bytes8(number)
  return pack('>i8', min(number, 9223372036854774784))
end

-- The queue, if it is of the caller's epoch.
local function enter(key, args)
  local own = call('HMGET', key .. ':q', 'e', 'l', 'w', 'n', 'c')
  if own[1] ~= args[1] then return nil end
  local last, wake, sweep = tonumber(own[2]), tonumber(own[3] or '') or NEVER, tonumber(own[4] or '') or NEVER
  return {
    key = key, now = tonumber(args[2]), epoch = own[1], last = last, wake = wake, sweep = sweep, client = own[5],
    was = { last = last, wake = wake, sweep = sweep, client = own[5] },
  }
end

-- Stores what changed of the queue's own fields.
local function leave(q)
  local was, changes = q.was, {}
  local function change(field, value) changes[#changes + 1] = field; changes[#changes + 1] = value end
  if q.last ~= was.last then change('l', q.last) end
  if q.wake ~= was.wake then change('w', q.wake == NEVER and '' or q.wake) end
  if q.sweep ~= was.sweep then change('n', q.sweep == NEVER and '' or q.sweep) end
  if q.client ~= was.client then change('c', q.client) end
  if #changes > 0 then call('HSET', q.key .. ':q', unpack(changes)) end
end

-- The answer where the epoch is not the caller's.
local function gone()
  return redis.status_reply('GONE')
end

-- Sealed data (bit 62 of the epoch) gives no position away: what is delayed there stays delayed.
local function sealed(q)
  return tonumber(sub(q.epoch, 1, 1), 16) >= 12
end

-- Something will have to be done at `time`: to be swept, or, with `wakes`, to be moved before messages are read.
local function note(q, time, wakes)
  if time < q.sweep then q.sweep = time end
  if wakes and time < q.wake then q.wake = time end
end

-- The least score of an index, or NEVER.
local function first_score(key)
  local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) or NEVER
end

-- When the next message may become available.
local function next_due(q)
  local held = first_score(q.key .. ':h')
  return sealed(q) and held or min(held, first_score(q.key .. ':d'))
end

-- A time for an answer.
local function answer(time)
  return time == NEVER and '' or string.format('%.17g', time)
end
