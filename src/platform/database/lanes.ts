import pg, { type PoolClient, type QueryConfig, type QueryResult, type QueryResultRow } from 'pg'
import { streamOf } from './driver.ts'
import { endsConnection } from './sqlstate.ts'

interface Lane {
  client: PoolClient
  inFlight: number
  /** When it gave its last answer, or got something to do after it had nothing. */
  movedAt: number
  /** Statements given to it in this turn of the event loop, held back to leave in one write. */
  held: number
  /** Takes it out of use; what is in flight on it fails. */
  lose(error: Error): void
}

/** A read may join so many others on one lane in one turn: few enough that it does not wait long behind them. */
const READS_A_TURN = 8
/** A lane that has given no answer for so long has a slow statement before all others: it is passed over. */
const STUCK_MS = 10
/** Number of lanes that are never used for lists, so that slow lists do not block other statements. */
const WITHOUT_LISTS = 2

/**
 * A few connections of the pool on which single statements of many callers are pipelined: each is
 * sent without waiting for the answers before it. Statements that need a connection of their own
 * (transactions, locks) check one out of the pool instead.
 *
 * What a lane is given in one turn of the event loop leaves in one system call; that call is the
 * largest cost of a small statement. So reads of one turn gather on one lane. Writes spread over all
 * of them, because each waits for its commit, and commits of several connections share one sync.
 *
 * Lists keep to a few lanes that get on. They are work for a core each, so more of them at once only take turns
 * on the cores, where none is ready sooner and each is pushed out of the caches by the others. Where lists are so
 * slow that they hold those up, others come behind them on the next lanes, but not on the last ones.
 *
 * Every statement is its own implicit transaction, so callers cannot see each other.
 */
export class Lanes {
  readonly #connect: () => Promise<PoolClient>
  readonly #lanes: (Lane | undefined)[]
  readonly #listsAtOnce: number
  readonly #opening: (Promise<Lane> | undefined)[]
  #gathering: Lane | undefined
  #closed = false

  constructor(connect: () => Promise<PoolClient>, count: number, listsAtOnce: number) {
    this.#connect = connect
    this.#listsAtOnce = listsAtOnce
    this.#lanes = new Array<Lane | undefined>(count).fill(undefined)
    this.#opening = new Array<Promise<Lane> | undefined>(count).fill(undefined)
  }

  async query<R extends QueryResultRow>(
    query: QueryConfig,
    read?: 'quick' | 'list',
  ): Promise<QueryResult<R>> {
    const lane = this.#laneFor(read) ?? (await this.#next())
    if (lane.inFlight++ === 0) lane.movedAt = performance.now()
    this.#hold(lane)
    try {
      return await submit<R>(lane.client, query)
    } catch (error) {
      // The server reports the reason before it closes the connection; from now on no statement is sent on it.
      if (endsConnection(error)) lane.lose(error as Error)
      throw error
    } finally {
      lane.inFlight--
      lane.movedAt = performance.now()
    }
  }

  close(): void {
    this.#closed = true
    for (const lane of this.#lanes) lane?.client.release(true)
    this.#lanes.fill(undefined)
  }

  #hold(lane: Lane): void {
    if (lane.held++ > 0) return
    const stream = streamOf(lane.client)
    stream.cork()
    setImmediate(() => {
      lane.held = 0
      if (this.#gathering === lane) this.#gathering = undefined
      stream.uncork()
    })
  }

  #laneFor(read: 'quick' | 'list' | undefined): Lane | undefined {
    if (read === 'list') return this.#idlest(this.#lanes.slice(0, -WITHOUT_LISTS), this.#listsAtOnce)
    if (read === undefined) return this.#idlest()
    if (!this.#gathering || this.#gathering.held >= READS_A_TURN) this.#gathering = this.#idlest()
    return this.#gathering
  }

  // Returns the responsive lane with the fewest statements in flight among the first `count`, or undefined while a
  // better one could be opened. If no lane is responsive, returns the one that is likely to finish first.
  #idlest(lanes = this.#lanes, count = lanes.length): Lane | undefined {
    const now = performance.now()
    let best: Lane | undefined
    let isComplete = true
    let left = count
    for (const lane of lanes) {
      if (lane && isStuck(lane, now)) continue
      if (left-- === 0) break
      if (!lane) isComplete = false
      else if (!best || lane.inFlight < best.inFlight) best = lane
    }
    if (!isComplete) return best?.inFlight === 0 ? best : undefined
    const burden = (lane: Lane) => lane.inFlight + (now - lane.movedAt) / STUCK_MS
    return best ?? lanes.reduce((one, other) => (burden(other!) < burden(one!) ? other : one))
  }

  async #next(): Promise<Lane> {
    const index = this.#lanes.findIndex((lane) => !lane)
    this.#opening[index] ??= this.#open(index).finally(() => {
      this.#opening[index] = undefined
    })
    return this.#opening[index]
  }

  async #open(index: number): Promise<Lane> {
    const client = await this.#connect()
    if (this.#closed) {
      client.release(true)
      throw new Error('Connection terminated: closed while it was being opened')
    }
    const lose = (error: Error) => {
      if (this.#gathering === lane) this.#gathering = undefined
      if (this.#lanes[index] === lane) {
        this.#lanes[index] = undefined
        client.release(error)
      }
    }
    const lane: Lane = { client, inFlight: 0, movedAt: 0, held: 0, lose }
    // A lost connection fails what was in flight on it; the next statement opens another.
    client.on('error', lose)
    this.#lanes[index] = lane
    return lane
  }
}

function isStuck({ inFlight, movedAt }: Lane, now: number): boolean {
  return inFlight > 0 && now - movedAt > STUCK_MS
}

/** `client.query(config)` without the deep copy of `config` that it makes: 2 µs of each statement. */
function submit<R extends QueryResultRow>(
  client: PoolClient,
  { name, text, values, rowMode }: QueryConfig & { rowMode?: 'array' },
): Promise<QueryResult<R>> {
  const { promise, resolve, reject } = Promise.withResolvers<QueryResult<R>>()
  const query = new pg.Query<R>(
    rowMode ? ({ text, rowMode } as QueryConfig) : text,
    values,
    (error, result) => (error ? reject(error) : resolve(result as QueryResult<R>)),
  )
  client.query(Object.assign(query, { name }))
  return promise
}
