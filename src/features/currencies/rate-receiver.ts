import type { Database } from '../../platform/database/database.ts'
import { type RemoteRate, readCurrencyMessage } from './currency-message.ts'
import { type CurrencyEffects, createCurrencyService } from './currency-service.ts'

/** Reads the rates that other services publish, and takes them by the currency service. */
export function rateReceiver({ db, ...effects }: { db: Database } & CurrencyEffects) {
  const currencies = createCurrencyService(db, effects)
  return {
    read: (payload: Uint8Array) => readCurrencyMessage(payload),
    take: (rate: RemoteRate, key: string | undefined) => currencies.takeRemote(rate, key),
  }
}
