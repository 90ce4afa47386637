import { type ExactNumber, exactNumber } from '../../core/exact-json.ts'

/** The origin of a rate: the Bank of Russia, a person, or another service. */
export type RateSource = 'cbr' | 'manual' | 'remote'

/** Rates are roubles for one unit of a currency, so of the rouble itself there is none. */
export const BASE = 'RUB'

/** The allowed range of a rate; the table has the same constraint. */
export const RATE_RANGE = { minimum: 1e-12, maximum: 1e12 } as const

/** A row of `currencies`; the rate is the text of a `numeric`, the time is ISO 8601, UTC, microseconds. */
export interface CurrencyRow {
  id: string
  code: string
  rate: string
  nominal: number
  name: string | null
  source: RateSource
  rated_at: string
  version: number
}

/** A currency as clients see it. */
export interface Currency {
  id: string
  currency: string
  rate: ExactNumber
  nominal: number
  name: string | null
  timestamp: string
  source: RateSource
}

export function presentCurrency(row: CurrencyRow): Currency {
  return {
    id: row.id,
    currency: row.code,
    rate: exactNumber(row.rate),
    nominal: row.nominal,
    name: row.name,
    timestamp: row.rated_at,
    source: row.source,
  }
}

/** The shape of ISO 4217 codes. */
export function isCurrencyCode(text: string): boolean {
  return /^[A-Z]{3}$/.test(text)
}

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

/** Which currency is meant: by its code, by its id, or none. */
export interface CurrencyKey {
  code: string | null
  id: string | null
}

/** Returns the key that a text names, in any letter case. */
export function currencyKey(text: string): CurrencyKey {
  const code = text.toUpperCase()
  const id = text.toLowerCase()
  return { code: isCurrencyCode(code) ? code : null, id: uuid.test(id) ? id : null }
}

export function isCurrencyKey(text: string): boolean {
  const { code, id } = currencyKey(text)
  return code !== null || id !== null
}
