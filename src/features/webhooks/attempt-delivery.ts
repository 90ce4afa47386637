import { errorText } from '../../core/errors.ts'
import type { PostAnswer, Poster } from '../../platform/outbound/post.ts'
import type { DueDelivery } from './attempt-store.ts'
import { retryAfterSeconds } from './retry.ts'
import type { SecretBox } from './secret-box.ts'
import { signedHeaders } from './signature.ts'

/** What became of an attempt. */
export interface AttemptOutcome {
  /** null: there was no answer. */
  status: number | null
  /** undefined: it was delivered. */
  error: string | undefined
  /** Whether the receiver cannot take anything now, and for how many seconds where it says so. */
  busy: boolean
  retryAfter: number | undefined
}

/** With these a receiver asks to be left alone, and may say for how long (RFC 9110, RFC 6585). */
const BUSY = [429, 503]

/** Sends a delivery, signed by the secrets of its webhook. */
export async function attemptDelivery(
  { poster, secrets }: { poster: Poster; secrets: SecretBox },
  due: DueDelivery,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const sealed = [due.secret, due.old_secret].filter((one) => one !== null)
  const known = sealed.map((one) => secrets.open(one)).filter((one) => one !== undefined)
  if (known.length === 0) return without('its secret cannot be read with the present SECRET_KEY; renew it')
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'taskwire',
    ...signedHeaders(due.event_id, Math.floor(Date.now() / 1000), due.body, known),
  }
  return poster
    .post(due.url, { headers, body: due.body, signal })
    .then(outcomeOf, (error) => without(errorText(error)))
}

function without(error: string): AttemptOutcome {
  return { status: null, error, busy: true, retryAfter: undefined }
}

function outcomeOf({ status, retryAfter }: PostAnswer): AttemptOutcome {
  const busy = BUSY.includes(status)
  const isRedirect = status >= 300 && status < 400
  const error = `status ${status}${isRedirect ? ': redirects are not followed' : ''}`
  return {
    status,
    error: status >= 200 && status < 300 ? undefined : error,
    busy,
    retryAfter: busy ? retryAfterSeconds(retryAfter, Date.now()) : undefined,
  }
}
