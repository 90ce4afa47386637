/** What of NATS is counted in this process. */
export interface NatsCounters {
  /** Events that were published. */
  published: number
  /** Messages of other services that were taken. */
  consumed: number
  /** Messages of other services that made no sense. */
  malformed: number
}
