import type { Pool, PoolClient, QueryConfig, QueryResult, QueryResultRow } from 'pg'

interface Lane {
  client: PoolClient
  inFlight: number
}

/**
 * A few connections of the pool on which single statements of many callers are pipelined: each is
 * sent at once, without waiting for the answers before it. Statements that need a connection of
 * their own (transactions, locks) check one out of the pool instead.
 *
 * Every statement is its own implicit transaction, so callers cannot see each other.
 */
export class Lanes {
  readonly #pool: Pool
  readonly #lanes: (Lane | undefined)[]
  readonly #opening: (Promise<Lane> | undefined)[]

  constructor(pool: Pool, count: number) {
    this.#pool = pool
    this.#lanes = new Array<Lane | undefined>(count).fill(undefined)
    this.#opening = new Array<Promise<Lane> | undefined>(count).fill(undefined)
  }

  async query<R extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<R>> {
    const lane = this.#idlest() ?? (await this.#next())
    lane.inFlight++
    try {
      return await lane.client.query<R>(query)
    } finally {
      lane.inFlight--
    }
  }

  close(): void {
    for (const lane of this.#lanes) lane?.client.release(true)
    this.#lanes.fill(undefined)
  }

  // The lane with the fewest statements in flight; undefined while a better one could be opened.
  #idlest(): Lane | undefined {
    let best: Lane | undefined
    let complete = true
    for (const lane of this.#lanes) {
      if (!lane) complete = false
      else if (!best || lane.inFlight < best.inFlight) best = lane
    }
    return complete || best?.inFlight === 0 ? best : undefined
  }

  async #next(): Promise<Lane> {
    const index = this.#lanes.findIndex((lane) => !lane)
    this.#opening[index] ??= this.#open(index).finally(() => {
      this.#opening[index] = undefined
    })
    return this.#opening[index]
  }

  async #open(index: number): Promise<Lane> {
    const client = await this.#pool.connect()
    const lane: Lane = { client, inFlight: 0 }
    // A lost connection fails what was in flight on it; the next statement opens another.
    client.on('error', (error) => {
      if (this.#lanes[index] === lane) {
        this.#lanes[index] = undefined
        client.release(error)
      }
    })
    this.#lanes[index] = lane
    return lane
  }
}
