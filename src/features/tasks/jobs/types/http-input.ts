import { isDeepStrictEqual } from 'node:util'
import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { SECRET_PARAMETER } from '../../../../core/redacted-url.ts'
import { isCredential } from '../../../../platform/outbound/send.ts'

const sentBody = {
  type: ['string', 'object', 'array'],
  maxLength: 10_000,
  additionalProperties: true,
  items: {},
  // Lists that show the task have to be read by whatever reads JSON.
  maxDepth: 100,
  description: 'Text is sent as it is, anything else as JSON',
} as const

export const HttpInputSchema = {
  type: 'object',
  required: ['url'],
  properties: {
    url: {
      type: 'string',
      maxLength: 2048,
      format: 'http-url',
      description: 'Public addresses, and hosts of JOB_HTTP_ALLOW',
    },
    method: {
      type: 'string',
      enum: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      description: 'GET when absent',
    },
    headers: {
      type: 'object',
      maxProperties: 50,
      propertyNames: { type: 'string', maxLength: 100, format: 'header-name' },
      additionalProperties: { type: 'string', maxLength: 4096, format: 'header-value' },
      description: 'Those that let one in somewhere are kept, but never shown again',
    },
    body: sentBody,
    timeout_seconds: { type: 'integer', minimum: 1, maximum: 300, description: '30 when absent' },
  },
  additionalProperties: false,
  title: 'HttpInput',
  examples: [{ url: 'https://example.com/hooks/1', method: 'POST', body: { hello: 'world' } }],
} as const satisfies JSONSchema
export type HttpInput = FromSchema<typeof HttpInputSchema>

const HIDDEN = '***'

/** The input as it may be shown; the same object when there is nothing to hide. */
export function withoutSecrets(input: HttpInput): HttpInput {
  const shown = {
    ...input,
    url: withoutCredentials(input.url),
    ...(input.headers && {
      headers: Object.fromEntries(
        Object.entries(input.headers).map(([name, value]) => [name, isCredential(name) ? HIDDEN : value]),
      ),
    }),
  }
  return isDeepStrictEqual(shown, input) ? input : shown
}

function withoutCredentials(text: string): string {
  const url = new URL(text)
  const secret = [...url.searchParams.keys()].filter((name) => SECRET_PARAMETER.test(name))
  if (url.username === '' && url.password === '' && secret.length === 0) return text
  if (url.username !== '') url.username = HIDDEN
  if (url.password !== '') url.password = HIDDEN
  for (const name of secret) url.searchParams.set(name, HIDDEN)
  return url.href
}

/** Headers that belong to the connection (RFC 9110, section 7.6.1; RFC 9112) or that would name another host. */
const reserved =
  /^(host|connection|content-length|transfer-encoding|keep-alive|upgrade|te|trailer|expect|proxy-.*)$/i

/** The formats that the input's schema names. */
export const httpFormats = {
  'http-url': {
    is: (text: string) =>
      !text.includes('\0') &&
      text.isWellFormed() &&
      URL.canParse(text) &&
      /^https?:$/.test(new URL(text).protocol),
    message: 'must be an absolute http or https URL',
  },
  'header-name': {
    // The token of RFC 9110, section 5.6.2.
    is: (text: string) => /^[!#$%&'*+.^_`|~\w-]+$/.test(text) && !reserved.test(text),
    message: 'must have names of headers that a request may choose',
  },
  'header-value': {
    is: (text: string) => /^[\t\x20-\x7e]*$/.test(text),
    message: 'must be printable ASCII',
  },
}
