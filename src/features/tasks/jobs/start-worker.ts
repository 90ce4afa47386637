import { createSignal } from '../../../events/signal.ts'
import { Worker, type WorkerDependencies, type WorkerStats } from './worker.ts'

const CHANNEL = 'taskwire_jobs'

export interface WorkerRoom extends AsyncDisposable {
  /** Says to every worker, here and in other processes, that a job has come or has to stop. */
  wakeAll: () => void
  /** Takes no more jobs; returns at once. */
  close(): void
  /** Undefined where no worker is in this process. */
  stats(): WorkerStats | undefined
}

/** The worker of this process, unless `concurrency` is 0, and the way to wake those of the others. */
export function startWorker(deps: WorkerDependencies): WorkerRoom {
  const worker = deps.concurrency > 0 ? new Worker(deps) : undefined
  const signal = createSignal(deps.db, worker && (() => worker.wake()), CHANNEL)
  return {
    wakeAll: () => {
      worker?.wake()
      signal.send()
    },
    close: () => worker?.close(),
    stats: () => worker?.stats,
    async [Symbol.asyncDispose]() {
      await worker?.[Symbol.asyncDispose]()
      await signal[Symbol.asyncDispose]()
    },
  }
}
