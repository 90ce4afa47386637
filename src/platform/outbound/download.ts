import { lookup } from 'node:dns/promises'
import { errorText } from '../../core/errors.ts'
import { type Reach, reachOf } from './address.ts'
import { readBody, send } from './send.ts'

export interface DownloadOptions {
  /** Timeout of the whole download, with redirects and body. */
  timeoutMs: number
  maxBytes: number
  /** Value of the `Accept` header. */
  accept: string
  /** Statuses whose body is returned; default: 200 only. */
  statuses?: readonly number[]
  signal?: AbortSignal
}

/**
 * GETs a URL that the operator configured and returns its body. Redirects are followed to public http(s) addresses
 * only, or also to private ones if the configured URL is private. Throws an Error whose message says what was wrong
 * with the upstream.
 */
export async function download(url: string, options: DownloadOptions): Promise<Buffer> {
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
  try {
    return await get(new URL(url), options, signal)
  } catch (error) {
    if (timeout.aborted) throw new Error(`no complete answer within ${options.timeoutMs / 1000} s`)
    throw error
  }
}

async function get(url: URL, options: DownloadOptions, signal: AbortSignal): Promise<Buffer> {
  const isPrivate = (await reachOfHost(url, signal)) === 'private'
  const allowed = (reach: Reach) => reach === 'public' || (isPrivate && reach === 'private')
  const { statuses = [200], maxBytes } = options
  const headers = { accept: options.accept, 'user-agent': 'taskwire' }
  return send(
    { method: 'GET', url, headers },
    { signal, reach: (_url, hop) => (hop === 0 ? undefined : allowed) },
    async (answer) => {
      if (!statuses.includes(answer.statusCode))
        throw new Error(`status ${answer.statusCode} instead of ${statuses.join(' or ')}`)
      return readBody(answer, maxBytes)
    },
  )
}

async function reachOfHost({ hostname }: URL, signal: AbortSignal): Promise<Reach> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    const { address } = await Promise.race([lookup(host), aborted])
    return reachOf(address)
  } catch (error) {
    throw new Error(`${host} cannot be found: ${errorText(error)}`)
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
