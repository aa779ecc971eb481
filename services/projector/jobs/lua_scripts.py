"""The steps of a job's life as Lua scripts: each runs in Redis without anything in between, on Redis's own clock.

KEYS: 1 the job (a hash), 2 the jobs that are not final (a set), 3 the recent jobs (a sorted set).
States and who moves them: queued -> running (a worker claims) -> succeeded | failed | cancelled; running -> queued when
its worker died, or deferred it until `due`; running -> parked when it lost too many workers; parked -> cancelled when
somebody lets it go. Only the worker that holds the job's token can report or finish. A final job
keeps no payload: latents of patients stay no longer than they are needed.
"""

_PRELUDE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local job, live = KEYS[1], KEYS[2]
local state = redis.call('HGET', job, 'state')
local function close(as, keep_s, problem)
  redis.call('HSET', job, 'state', as, 'finished', now)
  redis.call('HDEL', job, 'token', 'lease', 'remaining', 'payload', 'due')
  if problem ~= '' then redis.call('HSET', job, 'problem', problem) end
  redis.call('SREM', live, redis.call('HGET', job, 'id'))
  redis.call('EXPIRE', job, keep_s)
end
local function holds(token)
  return state == 'running' and redis.call('HGET', job, 'token') == token
end
"""

SUBMIT = (
    _PRELUDE
    + """
local id, kind, payload, there, keep_s = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if state == 'queued' or state == 'running' or state == 'parked' then return 'known' end
if state == 'succeeded' and there == '1' then return 'known' end
redis.call('DEL', job)
redis.call('HSET', job, 'id', id, 'kind', kind, 'payload', payload, 'created', now, 'queued', now, 'attempts', 0,
  'fraction', 0, 'message', '')
redis.call('ZADD', KEYS[3], now, id)
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1001)
if there == '1' then
  redis.call('HSET', job, 'started', now, 'fraction', 1)
  close('succeeded', keep_s, '')
  return 'known'
end
redis.call('HSET', job, 'state', 'queued')
redis.call('SADD', live, id)
return 'new'
"""
)
"""ARGV: id, kind, payload, whether its result lies on disk, seconds to remember -> ``new`` or ``known``."""

CLAIM = (
    _PRELUDE
    + """
local token, lease_ms, deliveries, keep_s, problem = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if state == 'running' and tonumber(redis.call('HGET', job, 'lease')) > now then return false end
if state ~= 'queued' and state ~= 'running' then return false end
if tonumber(redis.call('HGET', job, 'due') or 0) > now then return false end
if redis.call('HINCRBY', job, 'attempts', 1) > deliveries then
  close('parked', keep_s, problem)
  return false
end
redis.call('HDEL', job, 'due')
redis.call('HSET', job, 'state', 'running', 'token', token, 'lease', now + lease_ms, 'started', now,
  'fraction', 0, 'message', 'starting')
return redis.call('HGET', job, 'payload')
"""
)
"""ARGV: token, lease, deliveries, seconds to remember, problem if there were too many -> payload, or nothing."""

RENEW = (
    _PRELUDE
    + """
if holds(ARGV[1]) then redis.call('HSET', job, 'lease', now + ARGV[2]) end
return state
"""
)
"""ARGV: token, lease -> the job's state."""

REPORT = (
    _PRELUDE
    + """
if not holds(ARGV[1]) then return 0 end
redis.call('HSET', job, 'lease', now + ARGV[2], 'fraction', ARGV[3], 'message', ARGV[4], 'remaining', ARGV[5])
return 1
"""
)
"""ARGV: token, lease, fraction, message, remaining seconds or empty -> 1, or 0 where the work is no longer wanted."""

FINISH = (
    _PRELUDE
    + """
if not holds(ARGV[1]) then return 0 end
if ARGV[2] == 'succeeded' then redis.call('HSET', job, 'fraction', 1, 'message', 'done') end
close(ARGV[2], ARGV[3], ARGV[4])
return 1
"""
)
"""ARGV: token, final state, seconds to remember, problem or empty."""

DEFER = (
    _PRELUDE
    + """
local token, wait_ms, tries, message = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
if not holds(token) then return 0 end
local tried = redis.call('HINCRBY', job, 'tried', 1)
if tried > tries then return 0 end
wait_ms = wait_ms * 2 ^ (tried - 1)
redis.call('HINCRBY', job, 'attempts', -1)
redis.call('HSET', job, 'state', 'queued', 'queued', now, 'due', now + wait_ms, 'fraction', 0, 'message', message)
redis.call('HDEL', job, 'token', 'lease', 'remaining')
return 1
"""
)
"""ARGV: token, first wait, tries, message -> 1 if it is tried again, after twice the wait each time; else 0."""

DUE = (
    _PRELUDE
    + """
local due = redis.call('HGET', job, 'due')
if state ~= 'queued' or not due or tonumber(due) > now then return 0 end
redis.call('HDEL', job, 'due')
redis.call('HSET', job, 'queued', now)
return 1
"""
)
"""1 once, when a deferred job's wait is over."""

CANCEL = (
    _PRELUDE
    + """
if state == 'queued' or state == 'running' or state == 'parked' then close('cancelled', ARGV[1], '') end
return state
"""
)
"""ARGV: seconds to remember -> the state before."""

ABANDON = (
    _PRELUDE
    + """
local token, deliveries, keep_s, problem = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
if state ~= 'running' then return '' end
if token ~= '' and not holds(token) then return '' end
if token == '' and tonumber(redis.call('HGET', job, 'lease')) > now then return '' end
if tonumber(redis.call('HGET', job, 'attempts')) >= deliveries then
  close('parked', keep_s, problem)
  return 'parked'
end
redis.call('HSET', job, 'state', 'queued', 'queued', now, 'fraction', 0, 'message', '')
redis.call('HDEL', job, 'token', 'lease', 'remaining')
return 'queued'
"""
)
"""ARGV: token (empty: whoever's lease ran out), deliveries, seconds to remember, problem -> the new state, or empty."""

REMIND = (
    _PRELUDE
    + """
if not state then return 0 end
if state ~= 'queued' or redis.call('HEXISTS', job, 'due') == 1 then return 0 end
if tonumber(redis.call('HGET', job, 'queued')) > now - ARGV[1] then return 0 end
redis.call('HSET', job, 'queued', now)
return 1
"""
)
"""ARGV: milliseconds -> 1 once, if the job has been queued for so long."""
