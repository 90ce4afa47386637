import { errorText } from '../../core/errors.ts'

/** The result of one check. `advice` says what to do if it is not ok. */
export interface Finding {
  check: string
  status: 'ok' | 'warning' | 'failure'
  message: string
  advice?: string
}

/** Time after which a service that accepts connections and does not respond counts as unavailable. */
export const PATIENCE_MS = 5_000

export function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message }
}

/** Taskwire runs, but not as well as it should. */
export function warning(check: string, message: string, advice: string): Finding {
  return { check, status: 'warning', message, advice }
}

/** Returns a failure: Taskwire cannot run, or a configured service cannot be used. */
export function failure(check: string, message: string, advice: string): Finding {
  return { check, status: 'failure', message, advice }
}

/** Returns the result of `work`; its signal is aborted after `PATIENCE_MS`. */
export async function inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  try {
    return await work(signal)
  } catch (error) {
    throw signal.aborted ? new Error(`no answer in ${PATIENCE_MS / 1000} s`) : error
  }
}

const advices: [RegExp, (service: string, setting: string) => string][] = [
  [/status 40[13]/, (_, setting) => `correct ${setting}`],
  [/ECONNREFUSED/, (service, setting) => `see that ${service} runs there, or correct ${setting}`],
  [
    /ENOTFOUND|EAI_AGAIN|cannot be found/,
    (_, setting) => `correct the host in ${setting}, or the DNS of this machine`,
  ],
  [
    /no answer|timeout|timed ?out|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/i,
    (service, setting) =>
      `see whether ${service} itself listens there and no firewall is between, or correct ${setting}`,
  ],
  [
    /password|auth|WRONGPASS|ACCESS.REFUSED/i,
    (_, setting) => `correct the user and the password in ${setting}`,
  ],
]

/** Returns the advice for a service that cannot be used because of `error`. */
export function adviceFor(error: unknown, service: string, setting: string): string {
  const text = errorText(error)
  const found = advices.find(([pattern]) => pattern.test(text))
  return found ? found[1](service, setting) : `see the log of ${service}, or correct ${setting}`
}
