import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { type RemoteRate, readCurrencyMessage } from './currency-message.ts'
import { takeRemoteRate } from './remote-rate.ts'

/** How rates of other services are understood and taken. `onChange` is called after each that was taken. */
export function rateReceiver(deps: { db: Database; log: Logger; onChange: () => void }) {
  const { db, log, onChange } = deps
  return {
    read: (payload: Uint8Array) => readCurrencyMessage(payload),
    async take(rate: RemoteRate, key: string | undefined): Promise<boolean> {
      const isNew = await takeRemoteRate(db, rate, key)
      if (!isNew) return false
      log.info({ currency: rate.code, message: key }, 'currency told by another service')
      onChange()
      return true
    },
  }
}
