import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: {
  type: 'major' | 'minor'
  execution: 'sync'
  flavor?: 'regular' | 'last-resort'
}) => void

let collect: Collect | undefined

/** The garbage collector of V8, which Node exposes only with a flag. */
function collector(): Collect {
  if (!collect) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as Collect
    setFlagsFromString('--no-expose-gc')
  }
  return collect
}

/** The only kind of collection that shrinks the young generation: 60 to 110 ms at 35 MB. */
export function collectAll(): void {
  collector()({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** Number of bytes that justify a collection of half a millisecond. */
const WORTH_BYTES = 8 * 2 ** 20
let passed = 0

/**
 * Reports that buffers of `bytes` are no longer used, and sometimes collects the young generation. Their bytes are
 * outside of the heap, where V8 notices them late and then collects everything. A server that received files spent
 * 44 % of its time on that, and used 60 MiB more.
 */
export function buffersPassed(bytes: number): void {
  passed += bytes
  if (passed < WORTH_BYTES) return
  passed = 0
  collector()({ type: 'minor', execution: 'sync' })
}
