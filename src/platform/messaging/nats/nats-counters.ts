/** Counters of this process. */
export interface NatsCounters {
  /** Published events. */
  published: number
  /** Messages of other services that were processed and were new. */
  consumed: number
  /** Messages of other services that were invalid and were dropped. */
  malformed: number
}
