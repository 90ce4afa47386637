import { type ExactNumber, numberText, parseExactly } from '../../core/exact-json.ts'
import { isMoment, utcInstant } from '../../core/moment.ts'
import { BASE, isCurrencyCode, RATE_RANGE } from './currency.ts'
import { currencyEventRenderers } from './currency-events.ts'

/** The `source` in messages that this service publishes. */
const OUR_SOURCE = 'exchange_rate_parser'

/** A message about a rate that services exchange. */
export interface CurrencyMessage {
  id: string
  currency: string
  rate: ExactNumber | number
  event_type: string
  timestamp: string
  source: string
}

/** Returns the message for a currency event, as JSON; undefined for other events. `text` is its envelope. */
export function currencyMessage({ type, text }: { type: string; text: string }): string | undefined {
  if (!Object.hasOwn(currencyEventRenderers, type)) return undefined
  const { data } = parseExactly(text) as { data: { currency: CurrencyMessage } }
  const { id, currency, rate, timestamp } = data.currency
  return JSON.stringify({ id, currency, rate, event_type: type, timestamp, source: OUR_SOURCE })
}

/** A rate that another service published. */
export interface RemoteRate {
  code: string
  /** A decimal number as text. */
  rate: string
  /** ISO 8601; null: now. */
  timestamp: string | null
}

const MAX_BYTES = 64 * 1024
const MAX_DIGITS = 40
/** Banks set the rates of tomorrow. */
const MAX_AHEAD_MS = 2 * 24 * 60 * 60 * 1000
const FIELDS = new Set(['id', 'currency', 'rate', 'event_type', 'timestamp', 'source'])

/**
 * Reads a message from the subject of rates: the rate that another service published, or null for one of our
 * own. Throws an Error that says what is wrong with it.
 */
export function readCurrencyMessage(payload: Uint8Array, now = Date.now()): RemoteRate | null {
  const message = parse(payload)
  if (message.source === OUR_SOURCE) return null
  const unknown = Object.keys(message).find((field) => !FIELDS.has(field))
  if (unknown !== undefined)
    throw new Error(`it has an unknown field ${JSON.stringify(unknown.slice(0, 50))}`)
  for (const field of ['id', 'event_type', 'source', 'timestamp'] as const) {
    if (message[field] !== undefined && typeof message[field] !== 'string')
      throw new Error(`its ${field} is not text`)
  }
  const code = typeof message.currency === 'string' ? message.currency.trim().toUpperCase() : ''
  if (!isCurrencyCode(code) || code === BASE) throw new Error('its currency is no code such as USD')
  const rate = numberText(message.rate)
  if (rate === undefined) throw new Error('its rate is not a number')
  const value = Number(rate)
  // The bounds themselves are left out: the number may be rounded to one, and the text lie beyond it.
  if (!(value > RATE_RANGE.minimum && value < RATE_RANGE.maximum) || rate.length > MAX_DIGITS)
    throw new Error('its rate is out of range')
  return { code, rate, timestamp: timestampOf(message.timestamp as string | undefined, now) }
}

function parse(payload: Uint8Array): Record<string, unknown> {
  if (payload.length > MAX_BYTES) throw new Error(`it has ${payload.length} bytes, more than ${MAX_BYTES}`)
  let message: unknown
  try {
    message = parseExactly(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    throw new Error('it is not JSON')
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    throw new Error('it is not a JSON object')
  return message as Record<string, unknown>
}

/** A time without a zone is one of UTC, as Python writes them. PostgreSQL knows fewer zones than JavaScript. */
function timestampOf(text: string | undefined, now: number): string | null {
  if (text === undefined) return null
  const timestamp = /T[^Z+-]*$/.test(text) ? `${text}Z` : text
  if (!isMoment(timestamp)) throw new Error('its timestamp is no time such as 2025-12-15T12:00:00Z')
  if (Date.parse(timestamp) > now + MAX_AHEAD_MS) throw new Error('its timestamp is in the future')
  return utcInstant(timestamp)
}
