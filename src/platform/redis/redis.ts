import { createHash } from 'node:crypto'
import { DomainError, errorText, StartupError } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'

/** A Lua script and the hash under which Redis caches it. */
export interface LuaScript {
  readonly text: string
  readonly sha1: string
}

export interface Redis extends AsyncDisposable {
  /**
   * Sends one command, such as `['HGETALL', key]`. Replies are those of RESP 3: text as strings,
   * integers as numbers, maps as objects, nothing as null. Rejects with DomainError `unavailable` if Redis cannot be
   * reached, cannot serve or does not respond within 1 s. Other error replies reject with their own error.
   */
  send(command: readonly string[]): Promise<unknown>
  /** Runs a Lua script atomically, with the same replies and errors as `send`. */
  script(script: LuaScript, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown>
  /** Resolves if Redis responds within `milliseconds`; otherwise rejects. */
  ping(milliseconds: number): Promise<void>
}

const ANSWER_MS = 1_000
const CONNECT_MS = 2_000
/** Silence after which a connection is replaced, in milliseconds. Pings keep a healthy connection from being silent. */
const SILENCE_MS = 5_000
const PING_EVERY_MS = 2_000
const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 2_000

/** Error replies of a reachable server that cannot serve now. Redis 6 puts those of scripts inside a text. */
const CANNOT_SERVE = /(^|-)(LOADING|READONLY|MASTERDOWN|OOM|BUSY|MISCONF) /

export function luaScript(text: string): LuaScript {
  return { text, sha1: createHash('sha1').update(text).digest('hex') }
}

/**
 * Connects to `url` in the background, and reconnects indefinitely. Resolves after the first attempt, successful or
 * not, or after 1 s. Logs one WARN when Redis becomes unavailable and one INFO when it is available again. Throws
 * StartupError if the URL is invalid.
 */
export async function openRedis(url: string, log: Logger): Promise<Redis> {
  // Loaded only if Redis is configured: it takes 25 MB.
  const { createClient, ErrorReply } = await import('redis')
  const connect = () =>
    createClient({
      url,
      name: 'taskwire',
      disableOfflineQueue: true,
      maintNotifications: 'disabled',
      // The client's own timeout ends when the command is written.
      commandOptions: { timeout: 0 },
      pingInterval: PING_EVERY_MS,
      socket: { connectTimeout: CONNECT_MS, socketTimeout: SILENCE_MS, reconnectStrategy: backoff },
    })
  let client: ReturnType<typeof connect>
  try {
    client = connect()
  } catch (error) {
    throw new StartupError(`REDIS_URL cannot be used: ${errorText(error)}`)
  }

  let isAway = false
  let isClosed = false
  const attempted = Promise.withResolvers<void>()
  const away = (error: unknown) => {
    if (!isAway && !isClosed) log.warn(`Redis is unavailable: ${errorText(error)}`)
    isAway = true
    attempted.resolve()
  }
  client.on('error', (error) => {
    if (!client.isReady) away(error)
  })
  client.on('ready', () => {
    if (isAway) log.info('Redis is available again')
    isAway = false
    attempted.resolve()
  })
  const start = () => void client.connect().catch(() => {}) // The `error` event reports the failure.
  start()
  const patience = setTimeout(attempted.resolve, ANSWER_MS)
  await attempted.promise
  clearTimeout(patience)

  // Only an established connection is replaced; the client handles one that is being opened.
  const renew = (error: Error) => {
    if (!client.isReady) return
    client.destroy()
    away(error)
    start()
  }

  const send = async (command: readonly string[]): Promise<unknown> => {
    const { promise: late, reject } = Promise.withResolvers<never>()
    let isAnswered = false
    const giveUp = () => {
      if (isAnswered) return
      const error = new Error(`no answer in ${ANSWER_MS} ms`)
      reject(error)
      renew(error)
    }
    // After a stall of this process, a response that has arrived is read before the timeout counts.
    const timer = setTimeout(() => setImmediate(giveUp), ANSWER_MS)
    try {
      return await Promise.race([client.sendCommand(command), late])
    } catch (error) {
      if (error instanceof ErrorReply && !CANNOT_SERVE.test(error.message)) throw error
      throw new DomainError('unavailable', 'Redis is unavailable.', { cause: error })
    } finally {
      isAnswered = true
      clearTimeout(timer)
    }
  }

  return {
    send,
    async script({ sha1, text }, keys, values) {
      const rest = [String(keys.length), ...keys, ...values.map(String)]
      try {
        return await send(['EVALSHA', sha1, ...rest])
      } catch (error) {
        if (!(error instanceof ErrorReply && error.message.startsWith('NOSCRIPT'))) throw error
        return send(['EVAL', text, ...rest])
      }
    },
    async ping(milliseconds) {
      const { promise: late, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(() => reject(new Error(`no answer in ${milliseconds} ms`)), milliseconds)
      await Promise.race([send(['PING']), late]).finally(() => clearTimeout(timer))
    },
    async [Symbol.asyncDispose]() {
      isClosed = true
      client.destroy()
    },
  }
}

function backoff(retries: number): number {
  return Math.min(FIRST_BACKOFF_MS * 2 ** retries, MAX_BACKOFF_MS) * (0.5 + Math.random() / 2)
}
