import type { Queryable } from '../../platform/database/database.ts'
import { BASE } from './currency.ts'

export interface Conversion {
  /** Texts of `numeric`. */
  amount: string
  rate: string
  result: string
  /** The days of the rates that were used; null for the rouble. */
  from_date: string | null
  to_date: string | null
}

/**
 * Converts by the rates to the rouble; undefined when one of them is missing. Both results are made of
 * the exact rates and rounded once, to 12 decimals.
 */
export async function convert(
  db: Queryable,
  { from, to, amount }: { from: string; to: string; amount: string },
): Promise<Conversion | undefined> {
  const { rows } = await db.query<Conversion & object>({
    name: 'currency-convert',
    // The scale of a quotient is at least that of its operands: 40 decimals, of which 12 are kept.
    text: `
      WITH known AS (
        SELECT code, rate, to_char(rated_at, 'YYYY-MM-DD') AS date FROM currencies
        UNION ALL SELECT '${BASE}', 1, NULL
      )
      SELECT trim_scale($3::numeric) AS amount,
        trim_scale(round(round(f.rate, 40) / t.rate, 12)) AS rate,
        trim_scale(round(round($3::numeric * f.rate, 40) / t.rate, 12)) AS result,
        f.date AS from_date, t.date AS to_date
      FROM known f, known t WHERE f.code = $1 AND t.code = $2`,
    values: [from, to, amount],
  })
  return rows[0]
}
