import { luaScript, type Redis } from '../../platform/redis/redis.ts'
import {
  MAX_SESSIONS_PER_USER,
  RACE_WINDOW_SECONDS,
  type Rotation,
  type SessionStore,
  storedUserAgent,
} from './session-store.ts'

/**
 * Stores sessions in Redis, under two kinds of keys: the hash `<prefix>:session:<id>`, which expires with the
 * session, and each user's index `<prefix>:sessions:<user>`, a sorted set of ids by their last use,
 * which expires with the last of them. Times are microseconds since 1970.
 */
export function createRedisSessionStore(redis: Redis, prefix = 'taskwire'): SessionStore {
  const sessions = `${prefix}:session:`
  const indexes = `${prefix}:sessions:`
  return {
    async create({ id, userId, userAgent, address, lifetimeSeconds }) {
      const keys = [sessions + id, indexes + userId]
      const kept = [id, lifetimeSeconds, userId, storedUserAgent(userAgent), address]
      await redis.script(create, keys, [...kept, MAX_SESSIONS_PER_USER, sessions])
    },
    async rotate({ sessionId, generation }, { userAgent, address, lifetimeSeconds }) {
      const values = [sessionId, lifetimeSeconds, generation, storedUserAgent(userAgent), address]
      const reply = await redis.script(
        rotate,
        [sessions + sessionId],
        [...values, RACE_WINDOW_SECONDS, indexes],
      )
      const [outcome, userId, present] = reply as [Rotation['outcome'], string, number]
      if (outcome === 'unknown') return { outcome }
      if (outcome === 'reused') return { outcome, userId: Number(userId) }
      return { outcome, userId: Number(userId), generation: present }
    },
    async list(userId) {
      const rows = (await redis.script(list, [indexes + userId], [sessions])) as Row[]
      return rows.map(([id, lastUsed, userAgent, address, created, expires]) => ({
        id,
        userId,
        userAgent,
        address,
        createdAt: isoTime(created),
        lastUsedAt: isoTime(lastUsed),
        expiresAt: isoTime(expires),
      }))
    },
    async end(userId, sessionId) {
      return (await redis.script(end, [sessions + sessionId, indexes + userId], [sessionId])) === 1
    },
    async endAll(userId, keep = '') {
      return Number(await redis.script(endAll, [indexes + userId], [keep, sessions]))
    },
    // Redis removes expired sessions.
    purge: async () => 0,
  }
}

type Row = [
  id: string,
  lastUsed: string,
  userAgent: string,
  address: string,
  created: string,
  expires: string,
]

function isoTime(text: string): string {
  const microseconds = Number(text)
  const upToMilliseconds = new Date(Math.floor(microseconds / 1000)).toISOString().slice(0, -1)
  return `${upToMilliseconds}${String(microseconds % 1000).padStart(3, '0')}Z`
}

const USE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function use(key, index, id, seconds)
  local expires = now + math.floor(seconds * 1000000)
  local expiresMs = math.ceil(expires / 1000)
  redis.call('HSET', key, 'rotatedAt', now, 'expiresAt', expires)
  redis.call('PEXPIREAT', key, expiresMs)
  redis.call('ZADD', index, now, id)
  if redis.call('PTTL', index) < seconds * 1000 then redis.call('PEXPIREAT', index, expiresMs) end
end
`

const create = luaScript(`${USE}
local key, index = KEYS[1], KEYS[2]
local id, seconds, userId, userAgent, address, most, sessions = unpack(ARGV)
if redis.call('EXISTS', key) == 1 then return redis.error_reply('ERR there is a session of this id') end
if redis.call('ZCARD', index) >= tonumber(most) then
  for _, other in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    if redis.call('EXISTS', sessions .. other) == 0 then redis.call('ZREM', index, other) end
  end
  local excess = redis.call('ZCARD', index) - most + 1
  if excess > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', index, 0, excess - 1)) do
      redis.call('DEL', sessions .. oldest)
      redis.call('ZREM', index, oldest)
    end
  end
end
redis.call('HSET', key, 'userId', userId, 'generation', 0, 'userAgent', userAgent, 'address', address, 'createdAt', now)
use(key, index, id, tonumber(seconds))
`)

// A session that is missing in the index, for instance after an eviction, is rejected: it could not be listed or ended.
const rotate = luaScript(`${USE}
local key = KEYS[1]
local id, seconds, claimed, userAgent, address, window, indexes = unpack(ARGV)
local userId, generation, rotatedAt = unpack(redis.call('HMGET', key, 'userId', 'generation', 'rotatedAt'))
if not userId then return { 'unknown' } end
local index = indexes .. userId
if not redis.call('ZSCORE', index, id) then
  redis.call('DEL', key)
  return { 'unknown' }
end
local ahead = generation - claimed
if ahead == 1 and now < rotatedAt + window * 1000000 then return { 'raced', userId, tonumber(generation) } end
if ahead ~= 0 then
  redis.call('DEL', key)
  redis.call('ZREM', index, id)
  return { 'reused', userId }
end
redis.call('HSET', key, 'generation', generation + 1, 'userAgent', userAgent, 'address', address)
use(key, index, id, tonumber(seconds))
return { 'rotated', userId, generation + 1 }
`)

const list = luaScript(`
local rows = {}
local ranked = redis.call('ZRANGE', KEYS[1], 0, -1, 'REV', 'WITHSCORES')
for i = 1, #ranked, 2 do
  local agent, address, created, expires =
    unpack(redis.call('HMGET', ARGV[1] .. ranked[i], 'userAgent', 'address', 'createdAt', 'expiresAt'))
  if expires then rows[#rows + 1] = { ranked[i], ranked[i + 1], agent, address, created, expires } end
end
return rows
`)

const end = luaScript(`
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
return redis.call('DEL', KEYS[1])
`)

const endAll = luaScript(`
local ended = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if id ~= ARGV[1] then
    ended = ended + redis.call('DEL', ARGV[2] .. id)
    redis.call('ZREM', KEYS[1], id)
  end
end
return ended
`)
