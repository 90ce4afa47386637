import { createSignal } from '../../../events/signal.ts'
import { JobWorker, type JobWorkerDependencies, type JobWorkerStats } from './job-worker.ts'

const CHANNEL = 'taskwire_jobs'

export interface JobWorkerHandle extends AsyncDisposable {
  /** Says to every worker, here and in other processes, that a job has come or has to stop. */
  wakeAll: () => void
  /** Takes no more jobs; returns at once. */
  close(): void
  /** Undefined where no worker is in this process. */
  stats(): JobWorkerStats | undefined
}

/** The worker of this process, unless `concurrency` is 0, and the way to wake those of the others. */
export function startJobWorker(deps: JobWorkerDependencies): JobWorkerHandle {
  const worker = deps.concurrency > 0 ? new JobWorker(deps) : undefined
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
