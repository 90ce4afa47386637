import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { Agent, type Dispatcher, request } from 'undici'
import { errorText } from '../core/errors.ts'
import { AddressRefused, guardedLookup, type Reach, reachOf } from './address.ts'

export interface DownloadOptions {
  /** For all of it: every redirect and the whole body. */
  timeoutMs: number
  maxBytes: number
  /** Sent as `Accept`. */
  accept: string
  signal?: AbortSignal
}

const MAX_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/**
 * GETs a URL that the operator configured and returns its body. Redirects are followed to public
 * http(s) addresses only; where the configured URL itself is private, to private ones too. Throws an
 * Error whose message says what was wrong with the upstream.
 */
export async function download(url: string, options: DownloadOptions): Promise<Buffer> {
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
  try {
    return await follow(new URL(url), options, signal)
  } catch (error) {
    if (timeout.aborted) throw new Error(`no complete answer within ${options.timeoutMs / 1000} s`)
    throw error
  }
}

async function follow(start: URL, options: DownloadOptions, signal: AbortSignal): Promise<Buffer> {
  const isPrivate = (await reachOfHost(start, signal)) === 'private'
  const allowed = (reach: Reach) => reach === 'public' || (isPrivate && reach === 'private')
  const anywhere = new Agent()
  const guarded = new Agent({ connect: { lookup: guardedLookup(allowed) } })
  try {
    let url = start
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      if (hop > 0) checkHop(url, allowed)
      const answer = await request(url, {
        dispatcher: hop === 0 ? anywhere : guarded,
        signal,
        headers: {
          accept: options.accept,
          'user-agent': 'taskwire',
          // Credentials are for the configured origin only.
          ...(url.origin === start.origin && basicAuthorization(start)),
        },
      })
      if (!REDIRECTS.has(answer.statusCode)) return await bodyOf(answer, options.maxBytes)
      answer.body.on('error', () => {}).destroy()
      url = redirectTarget(answer, url)
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`)
  } finally {
    await Promise.all([anywhere.destroy(), guarded.destroy()])
  }
}

function redirectTarget({ headers, statusCode }: Dispatcher.ResponseData, from: URL): URL {
  const location = [headers.location].flat()[0]
  if (location === undefined || !URL.canParse(location, from))
    throw new Error(`status ${statusCode} without a usable Location`)
  return new URL(location, from)
}

// An address given as such is not looked up, so it is checked here.
function checkHop(url: URL, allowed: (reach: Reach) => boolean): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`redirected to ${url.protocol}, which is not http(s)`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) && !allowed(reachOf(host))) throw new AddressRefused(host, host)
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

function basicAuthorization({ username, password }: URL): { authorization?: string } {
  if (username === '' && password === '') return {}
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

async function bodyOf(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<Buffer> {
  try {
    if (statusCode !== 200) throw new Error(`status ${statusCode} instead of 200`)
    if (Number(headers['content-length'] ?? 0) > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of body) {
      size += chunk.length
      if (size > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } finally {
    body.on('error', () => {}).destroy()
  }
}
