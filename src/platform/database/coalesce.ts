import { DomainError } from '../../core/errors.ts'

/** Maximum number of concurrent statements: enough to keep PostgreSQL busy, few enough that items gather. */
const AT_ONCE = 2
const MOST = 100

interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * Makes one statement of what many callers ask for at about the same time: they share its parsing, its
 * planning and its commit, which cost more than a small row does. Nobody is kept waiting for others to come;
 * what comes while statements are on their way goes with the next one.
 *
 * `run` does all items in one transaction, and gives their results in the same order. When that fails, each
 * item is done by itself, so that nobody meets the error of another's; but not when the database was
 * out of reach, since then nobody knows whether it was done.
 */
export function coalesced<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  const waiting: Waiting<Item, Result>[] = []
  let running = 0
  let isPlanned = false

  function begin(): void {
    while (running < AT_ONCE && waiting.length > 0) {
      running++
      void finish(waiting.splice(0, MOST)).then(() => {
        running--
        begin()
      })
    }
  }

  async function finish(together: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await run(together.map(({ item }) => item))
      for (const [i, { resolve }] of together.entries()) resolve(results[i]!)
    } catch (error) {
      const isRefused = !(error instanceof DomainError && error.code === 'unavailable')
      if (together.length > 1 && isRefused) for (const one of together) await finish([one])
      else for (const { reject } of together) reject(error)
    }
  }

  return (item) => {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    waiting.push({ item, resolve, reject })
    // At the end of this turn of the event loop, in which requests of other connections may be read yet.
    if (!isPlanned) {
      isPlanned = true
      setImmediate(() => {
        isPlanned = false
        begin()
      })
    }
    return promise
  }
}
