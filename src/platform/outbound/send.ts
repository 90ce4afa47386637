import { isIP } from 'node:net'
import { Agent, type Dispatcher, request } from 'undici'
import { AddressRefused, guardedLookup, type Reach, reachOf } from './address.ts'

export interface OutboundRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Credentials in the URL are sent as Basic authorization. */
  url: URL
  headers: Record<string, string>
  body?: string | undefined
}

export interface SendOptions {
  signal: AbortSignal
  /** Returns what a hop may reach (0 is the first request); undefined: everything. */
  reach(url: URL, hop: number): ((reach: Reach) => boolean) | undefined
}

/** A response whose body has not been read yet. */
export type OutboundResponse = Dispatcher.ResponseData

const MAX_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** Matches headers with credentials, which are sent to the first origin only. */
const CREDENTIALS = /^(authorization|cookie)$|auth|token|secret|key|password/i

/** Returns true if a request header holds a credential. */
export function isCredential(header: string): boolean {
  return CREDENTIALS.test(header)
}

/**
 * Sends a request, follows up to 5 redirects, and passes the response to `read`. Each redirect is checked like the
 * first URL. Connections are closed when `read` resolves. Credentials are sent to the first origin only.
 */
export async function send<T>(
  first: OutboundRequest,
  options: SendOptions,
  read: (answer: OutboundResponse) => Promise<T>,
): Promise<T> {
  await using agents = new AsyncDisposableStack()
  let outgoing = withAuthorization(first)
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const allowed = options.reach(outgoing.url, hop)
    if (allowed) checkAddress(outgoing.url, allowed)
    const agent = new Agent(allowed ? { connect: { lookup: guardedLookup(allowed) } } : {})
    agents.defer(() => agent.destroy())
    const { url, method, headers, body = null } = outgoing
    const answer = await request(url, { dispatcher: agent, signal: options.signal, method, headers, body })
    try {
      if (!REDIRECTS.has(answer.statusCode)) return await read(answer)
      outgoing = redirected(outgoing, answer, first.url)
    } finally {
      answer.body.on('error', () => {}).destroy()
    }
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`)
}

/** Reads a body of at most `maxBytes`. */
export async function readBody({ headers, body }: OutboundResponse, maxBytes: number): Promise<Buffer> {
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Returns the request that follows a redirect (RFC 9110, section 15.4). All but 307 and 308 may turn it into a GET. */
function redirected(from: OutboundRequest, answer: OutboundResponse, start: URL): OutboundRequest {
  const url = target(answer, from.url)
  const { statusCode } = answer
  const becomesGet =
    (statusCode === 303 && from.method !== 'HEAD') || (statusCode < 303 && from.method === 'POST')
  const kept = Object.entries(from.headers).filter(
    ([name]) =>
      (url.origin === start.origin || !isCredential(name)) && !(becomesGet && /^content-/i.test(name)),
  )
  const headers = Object.fromEntries(kept)
  return becomesGet ? { method: 'GET', url, headers } : { ...from, url, headers }
}

function target({ headers, statusCode }: OutboundResponse, from: URL): URL {
  const location = [headers.location].flat()[0]
  if (location === undefined || !URL.canParse(location, from))
    throw new Error(`status ${statusCode} without a usable Location`)
  const url = new URL(location, from)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`redirected to ${url.protocol}, which is not http(s)`)
  return url
}

// A URL with an IP address causes no lookup, so it is checked here.
function checkAddress({ hostname }: URL, allowed: (reach: Reach) => boolean): void {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) && !allowed(reachOf(host))) throw new AddressRefused(host, host)
}

function withAuthorization(outgoing: OutboundRequest): OutboundRequest {
  const { username, password } = outgoing.url
  if (username === '' && password === '') return outgoing
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  return { ...outgoing, headers: { authorization, ...outgoing.headers } }
}
