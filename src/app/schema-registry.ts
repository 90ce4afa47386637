import { utcInstant } from '../core/moment.ts'
import { analyticsFormats } from '../features/analytics/index.ts'
import { currencyFormats, normalizeCode } from '../features/currencies/index.ts'
import { parseStatus } from '../features/tasks/index.ts'
import { jobFormats } from '../features/tasks/jobs/index.ts'
import { canonicalUsername, isUsername } from '../features/users/index.ts'
import type { SchemaRegistry } from '../platform/http/validation.ts'

/** The formats and normalizers of all features, beyond JSON Schema. */
export const schemaRegistry: SchemaRegistry = {
  normalizers: {
    trim: (text) => text.trim(),
    utc: utcInstant,
    lower: (text) => text.toLowerCase(),
    status: (text) => parseStatus(text) ?? text,
    username: canonicalUsername,
    currency: normalizeCode,
  },
  formats: {
    ...analyticsFormats,
    ...currencyFormats,
    ...jobFormats,
    username: {
      is: isUsername,
      message: 'must be 3 to 64 letters, digits, dots, hyphens and underscores',
    },
  },
}
