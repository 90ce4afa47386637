import { AddressRefused, type Reach } from '../../../../platform/outbound/address.ts'
import {
  type OutboundRequest,
  type OutboundResponse,
  readBody,
  send,
} from '../../../../platform/outbound/send.ts'
import { fitting } from '../bounded.ts'
import { type JobType, PermanentFailure } from '../job-type.ts'
import { type HttpInput, HttpInputSchema, withoutSecrets } from './http-input.ts'

const DEFAULT_TIMEOUT_SECONDS = 30
const MAX_ANSWER_BYTES = 1024 * 1024
const MAX_SHOWN_BYTES = 15 * 1024

/** Sends one request. 2xx is success; other answers of 4xx than 408, 425 and 429 would only be repeated. */
export function httpJob(allowedHosts: readonly string[]): JobType<HttpInput> {
  const isPublic = (reach: Reach) => reach === 'public'
  const reach = ({ hostname }: URL) => (allowedHosts.includes(hostname) ? undefined : isPublic)
  return {
    name: 'http',
    input: HttpInputSchema,
    timeoutMs: ({ timeout_seconds = DEFAULT_TIMEOUT_SECONDS }) => timeout_seconds * 1000,
    shown: withoutSecrets,
    async run(given, { signal }) {
      try {
        return await send(outgoing(given), { signal, reach }, (answer) => told(answer, given.method))
      } catch (error) {
        if (isRefusal(error)) throw new PermanentFailure(error.message)
        throw error
      }
    },
  }
}

function outgoing({ url, method = 'GET', headers = {}, body }: HttpInput): OutboundRequest {
  const isJson = typeof body === 'object'
  const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  const own = { 'user-agent': 'taskwire', ...(isJson && { 'content-type': 'application/json' }) }
  return {
    method,
    url: new URL(url),
    headers: { ...own, ...Object.fromEntries(given) },
    body: isJson ? JSON.stringify(body) : body,
  }
}

/** Returns the stored part of an answer; its headers are never stored, because they may hold secrets. */
async function told(answer: OutboundResponse, method: HttpInput['method']): Promise<object> {
  const { statusCode: status, headers } = answer
  if (status < 200 || status > 299) {
    const message = `answered ${status}`
    if (status >= 400 && status < 500 && ![408, 425, 429].includes(status))
      throw new PermanentFailure(message)
    throw new Error(message)
  }
  const contentType = [headers['content-type'] ?? []].flat()[0] ?? null
  const bytes = method === 'HEAD' ? Buffer.alloc(0) : await readBody(answer, MAX_ANSWER_BYTES)
  const text = isText(contentType) ? new TextDecoder().decode(bytes) : null
  const body = text === null ? null : fitting(text, MAX_SHOWN_BYTES)
  return {
    status,
    content_type: contentType?.slice(0, 200) ?? null,
    bytes: bytes.length,
    body,
    truncated: body !== text,
  }
}

function isText(contentType: string | null): boolean {
  return (
    contentType === null || /^text\/|[/+](json|xml|javascript|x-www-form-urlencoded)\b/i.test(contentType)
  )
}

function isRefusal(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  return error instanceof AddressRefused || isRefusal(error.cause)
}
