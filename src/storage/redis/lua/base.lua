-- What all operations share: the queue's own fields, and calls over many members.
--
-- KEYS[1] is the base of the queue's keys; ARGV[1] the epoch, ARGV[2] the time now in microseconds. Times and
-- positions are numbers here (exact below 2^53, the year 2255), epochs are compared as text. What a call reads it
-- reads before it writes, for nothing is undone. Scores are never read where a message tells the same: Redis spends
-- a microsecond on writing one down.
--
-- :q  string  epoch (16 digits); last position, and times before which no delay is over, no claim ends, nothing is to
--             be swept (8 bytes each, doubles); client of the last run
-- :g  hash    y identity of the outgoing lists, g the last number on them
-- :m  hash    message id -> position (8 bytes, 0 while it is delayed) and the message as it was posted
-- :s  hash    message id -> what changed since: see `state`
-- :r  zset    ready messages by position         :c  zset    claimed messages by position
-- :d  zset    delayed messages by due time       :h  zset    claimed messages by the end of their claim
-- :x  zset    all messages by their end          :k  hash    claim id -> ttl, end, message ids
-- :u  zset    runs of one client's messages by their first position (`runs`)
-- :o  zset    numbers of outgoing dead letters    :t  zset    numbers of what goes to another store
-- :p  hash    number -> parcel                    :v  hash    line -> greatest number received, when
-- :b  hash    subscription id -> subscription     :n  hash    subscriber -> subscription id
-- :i  zset    subscription ids in their order     :e  zset    subscriptions by their end
-- :w  channel, not a key: `ring`

local STEP, EXAMINED, CHUNK, NEVER = 500, 1000, 1000, 1 / 0

-- What the server gives; it is not there yet when a library is loaded.
local call, try, pack, unpack_number, sub, format, min, max

local function begin()
  if call then return end
  call, try, pack, unpack_number, sub, format, min, max =
    redis.call, redis.pcall, struct.pack, struct.unpack, string.sub, string.format, math.min, math.max
end

local operations = {}

-- Wakes those who wait for the queue: so many messages are available; with 0, one will be earlier than was known; with
-- EVERYBODY its data may lie elsewhere; with ENDED somebody ended subscriptions. Once a call. Who may not publish does not
-- fail for that: nobody can listen there.
local EVERYBODY, ENDED = -1, -2
local function ring(key, ready)
  try('PUBLISH', key .. ':w', ready)
end

-- Calls `command` on `key` with all of `list`, in chunks that fit Lua's stack. Their answers are added up.
local function many(command, key, list)
  local sum = 0
  for from = 1, #list, CHUNK do
    sum = sum + call(command, key, unpack(list, from, min(from + CHUNK - 1, #list)))
  end
  return sum
end

local function push(list, a, b)
  local n = #list
  list[n + 1], list[n + 2] = a, b
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

-- `number` as a score: its digits while they are exact.
local function score(number)
  return number < 9007199254740992 and format('%d', number) or format('%.17g', number)
end

-- The queue, if it is of the caller's epoch.
local function enter(key, args)
  local own = call('GET', key .. ':q')
  if not own or sub(own, 1, 16) ~= args[1] then return nil end
  local last, due, ends, sweep = unpack_number('>dddd', own, 17)
  return {
    key = key, now = tonumber(args[2]), own = own, epoch = args[1],
    last = last, due = due, ends = ends, sweep = sweep, client = sub(own, 49),
  }
end

local function own_fields(epoch, last, due, ends, sweep, client)
  return epoch .. pack('>dddd', last, due, ends, sweep) .. client
end

-- Stores what changed of the queue's own fields.
local function leave(q)
  local own = own_fields(q.epoch, q.last, q.due, q.ends, q.sweep, q.client)
  if own ~= q.own then call('SET', q.key .. ':q', own) end
end

-- The answer where the epoch is not the caller's.
local function gone()
  return redis.status_reply('GONE')
end

-- Sealed data (bit 62 of the epoch) gives no position away: what is delayed there stays delayed.
local function sealed(q)
  return tonumber(sub(q.epoch, 1, 1), 16) >= 12
end

-- Something will have to be done at `time`: `due` a delay is over, `ends` a claim ends, or only the sweep has work.
local function note(q, time, what)
  if time < q.sweep then q.sweep = time end
  if what and time < q[what] then q[what] = time end
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
  return time == NEVER and '' or format('%.17g', time)
end
