import { errorText } from '../../core/errors.ts'
import type { PostAnswer, Poster } from '../../platform/outbound/post.ts'
import type { DueDelivery } from './attempt-store.ts'
import { retryAfterSeconds } from './retry.ts'
import type { SecretBox } from './secret-box.ts'
import { signedHeaders } from './signature.ts'

/** The result of one attempt. */
export interface AttemptOutcome {
  /** Status of the response; null: there was none. */
  status: number | null
  /** undefined: the delivery succeeded. */
  error: string | undefined
  /** Whether the receiver did not respond or is overloaded, so that other deliveries would fail too. */
  busy: boolean
  /** Seconds, if the receiver sent `Retry-After`. */
  retryAfter: number | undefined
}

/** Statuses of an overloaded receiver, which may send `Retry-After` (RFC 9110, RFC 6585). */
const BUSY = [429, 503]

/** Sends a delivery, signed with the secrets of its webhook. */
export async function attemptDelivery(
  { poster, secrets }: { poster: Poster; secrets: SecretBox },
  due: DueDelivery,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const sealed = [due.secret, due.old_secret].filter((one) => one !== null)
  const known = sealed.map((one) => secrets.open(one)).filter((one) => one !== undefined)
  if (known.length === 0)
    return noResponse('the secret cannot be decrypted with the current SECRET_KEY; renew the secret')
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'taskwire',
    ...signedHeaders(due.event_id, Math.floor(Date.now() / 1000), due.body, known),
  }
  return poster
    .post(due.url, { headers, body: due.body, signal })
    .then(outcomeOf, (error) => noResponse(errorText(error)))
}

function noResponse(error: string): AttemptOutcome {
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
