import { EVENTS_SUBJECT, type OutgoingMessage } from '../../platform/messaging/nats/index.ts'
import type { Frame } from '../frame.ts'

/**
 * Returns an event as a CloudEvent in binary mode (CloudEvents 1.0, NATS protocol binding, section 3.1): the
 * attributes are headers, the data is the envelope that every client of the event stream receives.
 */
export function cloudEvent({ id, type, text }: Frame, source: string): OutgoingMessage {
  return {
    id,
    subject: `${EVENTS_SUBJECT}.${type}`,
    payload: text,
    headers: {
      'ce-specversion': '1.0',
      'ce-id': String(id),
      'ce-type': type,
      'ce-source': source,
      'ce-time': timeOf(text),
      'content-type': 'application/json',
    },
  }
}

/** Reads the first `at`: in an envelope it stands before the data, which may contain any text. */
function timeOf(envelope: string): string {
  return /^[^{]*\{[^{]*?"at":"([^"]*)"/.exec(envelope)![1]!
}
