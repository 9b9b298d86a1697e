"""Atomic operations of the Redis server, in Lua. KEYS[1] begins every key:

owner           hash: the launcher of each session
record          hash: what is written of it; missing while it is admitted and not started
client          hash: whom limits count it for
held:CLIENT     set: the sessions that a client has
starts:CLIENT   sorted set: its starts of the last minute, by time
launchers       hash: what each launcher says of itself
lease:LAUNCHER  the process that has a launcher's name, until it gives no sign of life any more
"""

from __future__ import annotations

TOO_MANY, TOO_FAST = 1, 2

ADMIT = """
local p, id, me, client, most, starts = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local held, begun = p .. 'held:' .. client, p .. 'starts:' .. client
if most > 0 and redis.call('SCARD', held) >= most then return 1 end
if starts > 0 then
  local time = redis.call('TIME')
  local now = time[1] + time[2] / 1e6
  redis.call('ZREMRANGEBYSCORE', begun, '-inf', now - 60)
  if redis.call('ZCARD', begun) >= starts then return 2 end
  redis.call('ZADD', begun, now, id)
  redis.call('EXPIRE', begun, 61)
end
redis.call('SADD', held, id)
redis.call('HSET', p .. 'owner', id, me)
redis.call('HSET', p .. 'client', id, client)
return 0
"""
"""Count a session of a client; 0, or why not: TOO_MANY, TOO_FAST."""

PUT = """
local p, id, me, client, record = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local owner = redis.call('HGET', p .. 'owner', id)
if owner and owner ~= me then return 0 end
local before = redis.call('HGET', p .. 'client', id)
if before and before ~= client then redis.call('SREM', p .. 'held:' .. before, id) end
if client ~= '' then redis.call('SADD', p .. 'held:' .. client, id) end
redis.call('HSET', p .. 'owner', id, me)
redis.call('HSET', p .. 'client', id, client)
redis.call('HSET', p .. 'record', id, record)
return 1
"""
"""Write a session, unless it is another launcher's."""

DELETE = """
local p, id, me = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HGET', p .. 'owner', id) ~= me then return 0 end
local client = redis.call('HGET', p .. 'client', id)
if client then redis.call('SREM', p .. 'held:' .. client, id) end
redis.call('HDEL', p .. 'owner', id)
redis.call('HDEL', p .. 'client', id)
redis.call('HDEL', p .. 'record', id)
return 1
"""
"""Delete a session, unless it is another launcher's."""

RENEW = """
local p, me, token, milliseconds, told = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local holder = redis.call('GET', p .. 'lease:' .. me)
if holder and holder ~= token then return 0 end
redis.call('SET', p .. 'lease:' .. me, token, 'PX', milliseconds)
redis.call('HSET', p .. 'launchers', me, told)
return 1
"""
"""Hold or renew a lease, unless another process has it."""

LEAVE = """
local lease = KEYS[1] .. 'lease:' .. ARGV[1]
if redis.call('GET', lease) == ARGV[2] then redis.call('DEL', lease) end
return 0
"""
"""Give a lease back."""

CLAIM = """
local p, id, from, me = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', p .. 'lease:' .. from) == 1 then return 0 end
if redis.call('HGET', p .. 'owner', id) ~= from then return 0 end
redis.call('HSET', p .. 'owner', id, me)
return 1
"""
"""Take over a session of a launcher whose lease has run out; 0 if that came back, or another was faster."""

BURY = """
local p, name = KEYS[1], ARGV[1]
if redis.call('EXISTS', p .. 'lease:' .. name) == 1 then return 0 end
for _, owner in ipairs(redis.call('HVALS', p .. 'owner')) do
  if owner == name then return 0 end
end
redis.call('HDEL', p .. 'launchers', name)
return 1
"""
"""Forget a launcher that has ended and has no sessions."""
