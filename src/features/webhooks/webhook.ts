import type { EventType } from '../../events/event-types.ts'

/** A webhook as its owner sees it; times are ISO 8601 text in UTC with microseconds. */
export interface Webhook {
  id: number
  url: string
  /** null: every type. */
  types: EventType[] | null
  description: string | null
  enabled: boolean
  /** Why it was disabled, where its owner did not do it. */
  disabled_reason: string | null
  /** The first failure after the last success. */
  failing_since: string | null
  /** Until when the secret before this one signs along. */
  old_secret_until: string | null
  /** Whose events it gets; null: the local operator's, who gets all. */
  user_id: number | null
  created_at: string
  updated_at: string | null
}

export type DeliveryState = 'waiting' | 'delivered' | 'failed'

/** What became of one event at one webhook. */
export interface Delivery {
  id: number
  webhook_id: number
  /** Sent as `webhook-id`; the same in every attempt. */
  event_id: string
  type: string
  state: DeliveryState
  attempts: number
  /** Of the last attempt; null: there was no answer. */
  response_status: number | null
  error: string | null
  created_at: string
  last_attempt_at: string | null
  next_attempt_at: string | null
  finished_at: string | null
}

/** The type of the message that `POST /webhooks/{id}/test` sends; no event has it. */
export const TEST_TYPE = 'webhook_test'
