import type { JSONSchema } from 'json-schema-to-ts'
import { isoTimestamp } from '../../core/timestamp.ts'
import { type CurrencyRow, presentCurrency } from './currency.ts'
import { CurrencySchema, currencyExample } from './currency-schemas.ts'

/**
 * The data of an event about the currency `c`: the row as `row_to_json` returns it, and the rate as text, because the
 * driver would read the number in the row as a double.
 */
export const SNAPSHOT = `json_build_object('row', row_to_json(c), 'rate', c.rate::text)`

function renderCurrency({ row, rate }: { row: CurrencyRow; rate: string }) {
  return { currency: presentCurrency({ ...row, rate, rated_at: isoTimestamp(row.rated_at) }) }
}

/** Renders the events of the currency stores for clients. */
export const currencyEventRenderers = {
  currency_created: renderCurrency,
  currency_updated: renderCurrency,
  currency_deleted: renderCurrency,
  add_data_from_remote_source: renderCurrency,
}

const CurrencyData: JSONSchema = {
  type: 'object',
  required: ['currency'],
  properties: { currency: CurrencySchema },
  examples: [{ currency: currencyExample }],
}

/** The `data` of these events, for the documentation. */
export const currencyEventSchemas: Record<keyof typeof currencyEventRenderers, JSONSchema> = {
  currency_created: CurrencyData,
  currency_updated: CurrencyData,
  currency_deleted: CurrencyData,
  add_data_from_remote_source: CurrencyData,
}
