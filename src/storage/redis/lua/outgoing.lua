-- What has left a queue and waits to be handed to another. A parcel is its ttl (8 bytes), end (8), claim count (4),
-- target with its length (1) before it, and the message.

-- Moves messages ({id, message, state}, out of `r` already) to the outgoing list.
local function dead_letters(q, sent, target, ttl, ends)
  if #sent == 0 then return end
  local key, ids, states, order, parcels = q.key, {}, {}, {}, {}
  local number = call('HINCRBY', key .. ':g', 'g', #sent) - #sent
  for i, one in ipairs(sent) do
    local id, message, found = one[1], one[2], one[3]
    ids[i], states[i] = id, found
    local own_ttl = found and sub(found, 22, 29) or sub(message, 25, 32)
    local own_end = found and sub(found, 14, 21) or sub(message, 9, 16)
    push(order, score(number + i), id)
    push(parcels, id, (ttl ~= '' and ttl or own_ttl) .. (ends ~= '' and ends or own_end)
      .. pack('>I4', claim_count(found)) .. target .. message)
  end
  remove(q, ids, states, true)
  many('ZADD', key .. ':o', order)
  many('HSET', key .. ':p', parcels)
end

-- epoch, now, limit. Answers id and parcel of the oldest.
operations.outgoing = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local ids, reply = call('ZRANGE', key .. ':o', 0, tonumber(args[3]) - 1), {}
  local parcels = values(key .. ':p', ids)
  for i, id in ipairs(ids) do push(reply, id, parcels[i]) end
  return reply
end

-- epoch, now, ids
operations.forget = function(key, args)
  local q = enter(key, args)
  if not q then return gone() end
  local ids = {}
  for i = 3, #args do ids[i - 2] = args[i] end
  many('ZREM', key .. ':o', ids)
  many('HDEL', key .. ':p', ids)
  return 1
end

-- epoch, now, then for each message: id, message, ''
operations.import = operations.post
