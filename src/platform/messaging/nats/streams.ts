import type { JetStreamClient, JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import type { Logger } from '../../logging/logger.ts'
import type { NatsLink } from './nats.ts'

/** The JetStream streams that we use. */
export interface Streams {
  client: JetStreamClient
  manager: JetStreamManager
  /** The stream that stores every event. */
  events: StreamIdentity
  /** The stream that stores the messages that we and other services exchange. */
  intake: StreamIdentity
}

export interface StreamIdentity {
  name: string
  /** Creation time. A recreated stream numbers its messages from 1 again. */
  created: string
  /**
   * Prefix of our message ids in it. It is empty if we created the stream. Otherwise it is the id of our
   * installation, because the events of another installation have the same ids as ours.
   */
  idPrefix: string
}

/** Prefix of the subjects of events; the event type follows. */
export const EVENTS_SUBJECT = 'taskwire.events'

const NANOSECONDS = 1_000_000
const DAY_MS = 86_400_000
const MAX_AGE = 7 * DAY_MS * NANOSECONDS
/** The stream drops a message whose id it has stored within this window. */
const DUPLICATE_WINDOW = 10 * 60_000 * NANOSECONDS
const EVENTS_STREAM = {
  name: 'TASKWIRE_EVENTS',
  subjects: [`${EVENTS_SUBJECT}.>`],
  max_age: MAX_AGE,
  max_bytes: 512 * 1024 * 1024,
  duplicate_window: DUPLICATE_WINDOW,
}

const STREAM_NOT_FOUND = 10_059
const NOT_ENABLED_FOR_ACCOUNT = 10_039

/** Finds our streams once per connection and creates the missing ones. */
export interface StreamFinder {
  /** Resolves to undefined if the server has no JetStream. */
  of(link: NatsLink): Promise<Streams | undefined>
  /** Discards the result for a connection, because a stream may have been deleted. */
  forget(link: NatsLink): void
}

export function createStreamFinder(subject: string, installation: string, log: Logger): StreamFinder {
  const description = `made by Taskwire ${installation}`
  const known = new WeakMap<NatsLink, Promise<Streams | undefined>>()
  let hasWarned = false

  async function look(link: NatsLink): Promise<Streams | undefined> {
    const { jetstreamManager } = await import('@nats-io/jetstream')
    try {
      const manager = await jetstreamManager(link.connection)
      const { streams } = manager
      const known = await found(() => streams.info(EVENTS_STREAM.name))
      const events = known ?? (await streams.add({ ...EVENTS_STREAM, description }))
      // A stream of any name may store the subject, for example one that the operator created.
      const name = await found(() => streams.find(subject))
      const intake = await (name
        ? streams.info(name)
        : streams.add({ ...intakeStream(subject), description }))
      hasWarned = false
      return { client: manager.jetstream(), manager, events: identity(events), intake: identity(intake) }
    } catch (error) {
      // A server that has JetStream but does not respond yet is retried.
      if (link.connection.info?.jetstream ? codeOf(error) !== NOT_ENABLED_FOR_ACCOUNT : !isAbsent(error))
        throw error
      if (!hasWarned) {
        log.warn('NATS has no JetStream: a subscriber loses what is published while it is disconnected')
      }
      hasWarned = true
      return undefined
    }
  }

  function identity({ config, created }: StreamInfo): StreamIdentity {
    const idPrefix = config.description === description ? '' : `${installation}-`
    return { name: config.name, created: String(created), idPrefix }
  }

  return {
    of(link) {
      let looking = known.get(link)
      if (!looking) {
        looking = look(link)
        known.set(link, looking)
        looking.catch(() => known.delete(link))
      }
      return looking
    },
    forget: (link) => void known.delete(link),
  }
}

function intakeStream(subject: string) {
  return {
    name: `TASKWIRE_${subject.replaceAll('.', '_')}`,
    subjects: [subject],
    max_age: MAX_AGE,
    max_bytes: 64 * 1024 * 1024,
    duplicate_window: DUPLICATE_WINDOW,
  }
}

/** Returns the result of `ask`, or undefined if the stream does not exist. */
async function found<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (codeOf(error) === STREAM_NOT_FOUND) return undefined
    throw error
  }
}

function codeOf(error: unknown): number | undefined {
  return (error as { code?: number }).code
}

function isAbsent(error: unknown): boolean {
  return codeOf(error) === NOT_ENABLED_FOR_ACCOUNT || (error as Error).name === 'JetStreamNotEnabled'
}
