import { download } from '../../../platform/outbound/download.ts'
import { type CbrFile, parseCbrFile } from './cbr-file.ts'

const TIMEOUT_MS = 10_000
/** Fifty times the size of a real file. Parsing that much blocks the process for at most 0.2 s. */
const MAX_BYTES = 256 * 1024

/** Fetches the latest rates, or the rates of `day`, such as `2025-12-15`. */
export async function fetchRates(url: string, signal: AbortSignal, day?: string): Promise<CbrFile> {
  const address = new URL(url)
  if (day !== undefined) address.searchParams.set('date_req', day.split('-').reverse().join('/'))
  const bytes = await download(address.href, {
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    accept: 'application/xml, text/xml',
    signal,
  })
  return parseCbrFile(bytes)
}
