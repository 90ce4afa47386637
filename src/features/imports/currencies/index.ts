import { withoutCredentials } from '../../../core/redacted-url.ts'
import type { Importer } from '../importer.ts'
import { fetchRates } from './cbr-source.ts'
import { saveRates } from './save-rates.ts'

/** Creates the importer of the official rates of the Bank of Russia. */
export function currencyImporter(options: { url: string; intervalSeconds: number }): Importer {
  return {
    name: 'currencies',
    source: withoutCredentials(options.url),
    intervalSeconds: options.intervalSeconds,
    async fetch(signal) {
      const file = await fetchRates(options.url, signal)
      return (transaction) => saveRates(transaction, file)
    },
  }
}
