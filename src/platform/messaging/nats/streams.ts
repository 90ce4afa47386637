import type { JetStreamClient, JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import type { Logger } from '../../logging/logger.ts'
import type { NatsLink } from './nats.ts'

/** What JetStream keeps for us. */
export interface Streams {
  client: JetStreamClient
  manager: JetStreamManager
  /** The stream that keeps every event. */
  events: StreamIdentity
  /** The stream that keeps what is published for other services, and what they publish for us. */
  intake: StreamIdentity
}

export interface StreamIdentity {
  name: string
  /** A stream that was made anew counts its messages from 1 again. */
  created: string
  /**
   * What our message ids in it begin with: nothing where we have made the stream, else our name, since the
   * events of another database have the same ids as ours.
   */
  idPrefix: string
}

/** Every event is published below it, by its type. */
export const EVENTS_SUBJECT = 'taskwire.events'

const NANOSECONDS = 1_000_000
const DAY_MS = 86_400_000
const MAX_AGE = 7 * DAY_MS * NANOSECONDS
/** An event that comes again within this is known by its id. */
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

/** Looks for our streams once a connection, and makes those that are missing. */
export interface StreamFinder {
  /** Undefined where the server has no JetStream. */
  of(link: NatsLink): Promise<Streams | undefined>
  /** Makes it look again: a stream may have been removed meanwhile. */
  forget(link: NatsLink): void
}

export function createStreamFinder(subject: string, installation: string, log: Logger): StreamFinder {
  const description = `made by Taskwire ${installation}`
  const known = new WeakMap<NatsLink, Promise<Streams | undefined>>()
  let isTold = false

  async function look(link: NatsLink): Promise<Streams | undefined> {
    const { jetstreamManager } = await import('@nats-io/jetstream')
    try {
      const manager = await jetstreamManager(link.connection)
      const { streams } = manager
      const known = await found(() => streams.info(EVENTS_STREAM.name))
      const events = known ?? (await streams.add({ ...EVENTS_STREAM, description }))
      // Whichever stream keeps the subject, such as one that the operator made.
      const name = await found(() => streams.find(subject))
      const intake = await (name
        ? streams.info(name)
        : streams.add({ ...intakeStream(subject), description }))
      isTold = false
      return { client: manager.jetstream(), manager, events: identity(events), intake: identity(intake) }
    } catch (error) {
      // A server that has it but does not answer yet is asked again.
      if (link.connection.info?.jetstream ? codeOf(error) !== NOT_ENABLED_FOR_ACCOUNT : !isAbsent(error))
        throw error
      if (!isTold) log.warn('NATS has no JetStream: what is published while a reader is away is lost to it')
      isTold = true
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

/** What is asked for; undefined when there is no such stream. */
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
