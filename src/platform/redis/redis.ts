import { createHash } from 'node:crypto'
import { DomainError, errorText, StartupError } from '../../core/errors.ts'
import type { Logger } from '../logging/logger.ts'

/** A Lua script and the name under which Redis keeps it. */
export interface LuaScript {
  readonly text: string
  readonly sha1: string
}

export interface Redis extends AsyncDisposable {
  /**
   * Sends one command, such as `['HGETALL', key]`. Replies are those of RESP 3: text as strings,
   * integers as numbers, maps as objects, nothing as null. Rejects with DomainError `unavailable`
   * when Redis is away, cannot serve now or does not answer within 1 s; another error reply is an
   * error of its own.
   */
  send(command: readonly string[]): Promise<unknown>
  /** Runs a Lua script, which Redis does atomically. Same replies and errors. */
  script(script: LuaScript, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown>
  /** Resolves when Redis answers within `milliseconds`, else rejects. */
  ping(milliseconds: number): Promise<void>
}

const ANSWER_MS = 1_000
const CONNECT_MS = 2_000
/** A connection that is silent for so long is renewed; the pings see to it that a healthy one never is. */
const SILENCE_MS = 5_000
const PING_EVERY_MS = 2_000
const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 2_000

/** Error replies of a server that is there but cannot serve now; Redis 6 puts those of scripts inside a text. */
const CANNOT_SERVE = /(^|-)(LOADING|READONLY|MASTERDOWN|OOM|BUSY|MISCONF) /

export function luaScript(text: string): LuaScript {
  return { text, sha1: createHash('sha1').update(text).digest('hex') }
}

/**
 * Connects to `url` in the background and for ever. Resolves when the first attempt has come to an end,
 * whichever, or after 1 s; one WARN tells that Redis went away, one INFO that it is back. Throws
 * StartupError when the URL is of no use.
 */
export async function openRedis(url: string, log: Logger): Promise<Redis> {
  // 25 MB that a server without Redis does not pay.
  const { createClient, ErrorReply } = await import('redis')
  const connect = () =>
    createClient({
      url,
      name: 'taskwire',
      disableOfflineQueue: true,
      maintNotifications: 'disabled',
      // Its own time limit ends when the command is written.
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
    if (!isAway && !isClosed) log.warn(`Redis is away: ${errorText(error)}`)
    isAway = true
    attempted.resolve()
  }
  client.on('error', (error) => {
    if (!client.isReady) away(error)
  })
  client.on('ready', () => {
    if (isAway) log.info('Redis is back')
    isAway = false
    attempted.resolve()
  })
  const start = () => void client.connect().catch(() => {}) // It was heard of as an event.
  start()
  const patience = setTimeout(attempted.resolve, ANSWER_MS)
  await attempted.promise
  clearTimeout(patience)

  // Only a connection that stands is renewed: of one that is being made, the client takes care.
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
    // After a stall of this process, an answer that has come is read before it is missed.
    const timer = setTimeout(() => setImmediate(giveUp), ANSWER_MS)
    try {
      return await Promise.race([client.sendCommand(command), late])
    } catch (error) {
      if (error instanceof ErrorReply && !CANNOT_SERVE.test(error.message)) throw error
      throw new DomainError('unavailable', 'Redis is not available.', { cause: error })
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
