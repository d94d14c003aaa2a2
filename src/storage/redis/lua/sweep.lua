-- Freeing the space of what time has ended.

-- now, budget, whatever the epoch. Answers how many messages were removed, how many claims, how many messages and
-- subscriptions were touched in all, and 1 if there is more.
operations.sweep = function(key, args)
  local epoch = epoch_of(key)
  if not epoch then return { 0, 0, 0, 0 } end
  local q, budget = enter(key, { epoch, args[1] }), tonumber(args[2])
  local ids = call('ZRANGEBYSCORE', key .. ':x', '-inf', q.now, 'LIMIT', 0, min(budget, STEP))
  remove(q, ids, values(key .. ':s', ids))
  local left = min(budget, STEP) - #ids
  local freed, ended = end_claims(q, left)
  local ripened = ripen(q, left - freed)
  local lapsed = lapse(q, left - freed - ripened)
  q.ends, q.due = first_score(key .. ':h'), sealed(q) and NEVER or first_score(key .. ':d')
  local work = min(q.ends, q.due, first_score(key .. ':x'))
  q.sweep = min(work, first_score(key .. ':e'))
  if work == NEVER then
    -- The queue is empty: nothing is left to leap over.
    call('DEL', key .. ':u')
    q.client = NOBODY
  end
  leave(q)
  return { #ids, ended, #ids + freed + ripened + lapsed, q.sweep <= q.now and 1 or 0 }
end
