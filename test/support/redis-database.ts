import { randomUUID } from 'node:crypto'
import { createClient } from 'redis'
import { eventually } from './eventually.ts'
import { redisUrl } from './redis.ts'

/** Longer than any test, for claims of runs that were cut off. */
const CLAIM_SECONDS = 300
const DATABASES = 15

/**
 * A whole numbered database of the tests' Redis, for servers, which all use the same keys. It is empty, and
 * nobody else claims it until it is disposed.
 */
export async function claimRedisDatabase(): Promise<{ url: string } & AsyncDisposable> {
  if (!redisUrl) throw new Error('this needs Redis')
  const first = createClient({ url: redisUrl })
  first.on('error', () => {})
  await first.connect()
  const owner = randomUUID()
  const claimKey = (number: number) => `taskwire_test_claim:${number}`
  const free = async (): Promise<number | undefined> => {
    for (let number = 1; number <= DATABASES; number++) {
      const expiration = { type: 'EX', value: CLAIM_SECONDS } as const
      if (await first.set(claimKey(number), owner, { condition: 'NX', expiration })) return number
    }
    return undefined
  }
  const number = await eventually(free, 'a database of Redis is free', 60_000)
  const url = new URL(redisUrl)
  url.pathname = `/${number}`
  const own = createClient({ url: url.href })
  own.on('error', () => {})
  await own.connect()
  await own.flushDb()
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await own.flushDb()
      await own.close()
      await first.del(claimKey(number))
      await first.close()
    },
  }
}
