import { isMoment } from '../../core/moment.ts'
import { isCurrencyCode, isCurrencyKey } from './currency.ts'

/** The canonical form of a code. */
export function normalizeCode(text: string): string {
  return text.trim().toUpperCase()
}

/** The custom formats of the currency schemas. */
export const currencyFormats = {
  'currency-code': { is: isCurrencyCode, message: 'must be a code of three letters, such as USD' },
  'currency-key': { is: isCurrencyKey, message: 'must be a code of three letters or a UUID' },
  moment: {
    is: isMoment,
    message: 'must be a day such as 2025-12-15, or a time with its zone such as 2025-12-15T12:00:00Z',
  },
  decimal: {
    is: (text: string) => /^\d{1,15}(\.\d{1,12})?$/.test(text),
    message:
      'must be a decimal number such as 10.50, with at most 15 digits before the point and 12 behind it',
  },
}
