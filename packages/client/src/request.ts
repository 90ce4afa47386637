import { keyedRoutes, publicRoutes, type Routes } from './api-types.ts'
import type { Answer, Body, Http } from './http.ts'

/** Method and path of an operation, such as `PATCH /tasks/{id}`. */
export type Route = keyof Routes

export interface RequestOptions {
  headers?: Record<string, string> | undefined
  /**
   * The same key with the same request is done once and answered the same, for 24 h. Without one, a key
   * is made for each call where the server takes keys, so that an attempt without an answer can be repeated.
   */
  idempotencyKey?: string | undefined
  /** The version to change, or an ETag; a TaskwireError with status 412 if it is another by now. */
  ifMatch?: number | string | undefined
  signal?: AbortSignal | undefined
  /** Milliseconds for each attempt. */
  timeoutMs?: number | undefined
}

type Input<R extends Route> = Omit<Routes[R], 'answer'>

/** `path`, `query` and `body` of a route, as far as it has them, and what all have. */
export type RouteOptions<R extends Route> = Input<R> & RequestOptions

type Arguments<R extends Route> =
  Record<never, never> extends Input<R> ? [options?: RouteOptions<R>] : [options: RouteOptions<R>]

/** Any operation that the server documents. Throws TaskwireError for an answer that is no success, and for none. */
export type Request = <R extends Route>(
  route: R,
  ...options: Arguments<R>
) => Promise<Answer<Routes[R]['answer']>>

interface AnyOptions extends RequestOptions {
  path?: Record<string, unknown>
  query?: Record<string, unknown>
  body?: unknown
}

/** `anonymous` sends no tokens. */
export function createRequest(http: Http, anonymous: Http, defaultTimeoutMs: number): Request {
  async function request(route: Route, options: AnyOptions = {}): Promise<Answer<unknown>> {
    const [method, template] = route.split(' ') as [string, string]
    const key = options.idempotencyKey ?? (keyedRoutes.has(route) ? newKey() : undefined)
    const canRepeat = method === 'GET' || keyedRoutes.has(route)
    const call = {
      method,
      path: fill(template, options.path) + queryText(options.query),
      headers: headersOf(options, key),
      body: bodyOf(options.body),
    }
    const { signal, timeoutMs = defaultTimeoutMs } = options
    const through = publicRoutes.has(route) ? anonymous : http
    return through.send(call, { signal, timeoutMs, canRepeat: () => canRepeat })
  }
  return request as Request
}

function headersOf({ headers, ifMatch, body }: AnyOptions, key: string | undefined): Headers {
  const all = new Headers({ accept: 'application/json, */*;q=0.5', ...headers })
  if (key !== undefined) all.set('idempotency-key', key)
  if (ifMatch !== undefined) all.set('if-match', typeof ifMatch === 'number' ? `"${ifMatch}"` : ifMatch)
  if (isJson(body)) all.set('content-type', 'application/json')
  return all
}

function fill(template: string, values: Record<string, unknown> = {}): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(values[name] ?? '')
    // URLs have no spelling of these: they would lead to another route.
    if (value === '' || value === '.' || value === '..')
      throw new TypeError(`"${value}" cannot be the ${name}`)
    return encodeURIComponent(value)
  })
}

function queryText(query: Record<string, unknown> = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value]
      .flat()
      .filter((item) => item !== undefined)
      .map((item) => [name, String(item)]),
  )
  return pairs.length > 0 ? `?${new URLSearchParams(pairs)}` : ''
}

function bodyOf(body: unknown): Body | undefined {
  return isJson(body) ? JSON.stringify(body) : (body as Body | undefined)
}

/** Whether it is a value to be written as JSON, and not a body of another kind already. */
function isJson(body: unknown): boolean {
  if (body === undefined || body instanceof ArrayBuffer) return false
  return ![FormData, URLSearchParams, Blob].some((kind) => body instanceof kind)
}

// `randomUUID` is missing in pages that came by plain HTTP from another host.
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
