import { RateLimiterRedis } from 'rate-limiter-flexible'
import { luaScript, type Redis } from '../redis/redis.ts'
import type { RateCounter, Window } from './counter.ts'

/**
 * The library's script, changed so that it creates no key for zero points and no credit when points are given back.
 * Returns the count and its remaining milliseconds.
 */
const count = luaScript(`
local counted = tonumber(redis.call('get', KEYS[1]) or 0)
local points = math.max(tonumber(ARGV[1]), -counted)
if points ~= 0 then
  redis.call('set', KEYS[1], 0, 'EX', ARGV[2], 'NX')
  counted = redis.call('incrby', KEYS[1], points)
end
return {counted, redis.call('pttl', KEYS[1])}
`)

/** Creates a counter in Redis for all processes. It rejects if Redis fails. */
export function redisCounter(redis: Redis, { points, seconds, keyPrefix }: Window): RateCounter {
  const limiter = new RateLimiterRedis({
    // The client interface that the library calls. It gives commands our timeout and errors.
    storeClient: {
      eval: (_text: string, { keys, arguments: values }: { keys: string[]; arguments: string[] }) =>
        redis.script(count, keys, values),
    },
    useRedisPackage: true,
    points,
    duration: seconds,
    keyPrefix,
  })
  return {
    add: (key, amount) => limiter.penalty(key, amount),
    get: (key) => limiter.penalty(key, 0),
    subtract: (key, amount) => limiter.reward(key, amount),
  }
}
