import type { Agent, request as Request } from 'undici'
import { errorText } from '../../core/errors.ts'
import { AddressRefused } from './address.ts'
import type { AddressGuard } from './address-guard.ts'

export interface PostAnswer {
  status: number
  retryAfter: string | undefined
}

/** POSTs to a URL of a user. Rejects with an Error whose message may be shown to the user. */
export interface Poster extends AsyncDisposable {
  post(
    url: string,
    message: { headers: Record<string, string>; body: string; signal?: AbortSignal },
  ): Promise<PostAnswer>
}

/** Limits for reading and discarding a response, which keeps the connection usable. */
const DRAIN = { bytes: 16 * 1024, milliseconds: 1_000 }
const MAX_REASON = 300

/**
 * Keeps allowed connections for the next message to the same host. Redirects are not followed. `timeoutMs` covers
 * everything up to the response headers.
 */
export function createPoster({ guard, timeoutMs }: { guard: AddressGuard; timeoutMs: number }): Poster {
  // Loaded with the first message.
  let client: Promise<{ agent: Agent; request: typeof Request }> | undefined
  const open = async () => {
    const { Agent, request } = await import('undici')
    const connect = { lookup: guard.lookup }
    return { agent: new Agent({ connect, connectTimeout: timeoutMs, allowH2: false }), request }
  }

  async function send(url: string, headers: Record<string, string>, body: string, signal: AbortSignal) {
    const { agent: dispatcher, request } = await client!
    const answer = await request(url, { dispatcher, method: 'POST', headers, body, signal })
    const limit = AbortSignal.any([signal, AbortSignal.timeout(DRAIN.milliseconds)])
    await answer.body.dump({ limit: DRAIN.bytes, signal: limit }).catch(() => {})
    return { status: answer.statusCode, retryAfter: [answer.headers['retry-after']].flat()[0] }
  }

  return {
    async post(url, { headers, body, signal }) {
      // A URL with an IP address causes no lookup, so it is checked here.
      if (guard.refuses(new URL(url))) throw notPublic()
      client ??= open()
      await client
      const timeout = AbortSignal.timeout(timeoutMs)
      try {
        return await send(url, headers, body, signal ? AbortSignal.any([timeout, signal]) : timeout)
      } catch (error) {
        if (timeout.aborted) throw new Error(`no answer within ${timeoutMs / 1000} s`)
        // Users must not learn addresses of networks that they cannot see.
        if (error instanceof AddressRefused) throw notPublic()
        throw new Error(errorText(error).slice(0, MAX_REASON))
      }
    },
    async [Symbol.asyncDispose]() {
      await (await client)?.agent.destroy()
    },
  }
}

function notPublic(): Error {
  return new Error('the host has no public address')
}
