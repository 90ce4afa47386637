import { randomUUID } from 'node:crypto'
import type { PgBoss } from 'pg-boss'
import type { Transaction } from '../database/database.ts'
import type { ClaimedJob, JobClaim, JobQueue } from './job-queue.ts'

/** Returns the queue `name` of pg-boss, which need not exist yet. */
export function pgBossQueue<Data extends object>(boss: PgBoss, name: string): JobQueue<Data> {
  return {
    async send(data, startAfter) {
      await boss.send(name, data, startAfter === undefined ? {} : { startAfter })
    },
    async enqueue(transaction, jobs) {
      await boss.insert(name, [...jobs], { db: within(transaction) })
    },
    async enqueueOrReschedule(transaction, jobs) {
      const db = within(transaction)
      const rows = jobs.map(({ key, data, startAfter }) => ({
        id: randomUUID(),
        data,
        singletonKey: key,
        group: { id: key },
        startAfter,
      }))
      const inserted = await boss.insert(name, rows, { db, returnId: true })
      for (const { id, singletonKey, startAfter } of rows) {
        if (!inserted?.includes(id)) await boss.update(name, undefined, { db, singletonKey, startAfter })
      }
    },
    fetch(request, transaction): Promise<ClaimedJob<Data>[]> {
      return boss.fetch<Data>(name, { ...request, ...(transaction && { db: within(transaction) }) })
    },
    async complete(transaction, claims) {
      const response = await boss.deleteJob(name, claims.map(claimOf), { db: within(transaction) })
      return (response as { affected: number }).affected // Missing in the types of pg-boss.
    },
    async touch(claims) {
      await boss.touch(name, claims.map(claimOf))
    },
    async work(pollSeconds, handler) {
      const options = { pollingIntervalSeconds: pollSeconds, includeMetadata: true as const }
      await boss.work(name, options, async ([job]) => handler(job!))
    },
    stopWork: () => boss.offWork(name, { wait: false }),
    async schedule(cron) {
      await boss.schedule(name, cron)
    },
    supervise: () => boss.supervise(name),
    async clear() {
      await boss.deleteQueuedJobs(name)
    },
    async nextDue() {
      if (!(await boss.getQueue(name))) return undefined
      const [job] = await boss.findJobs(name, { queued: true })
      return job?.startAfter
    },
    async analyze() {
      const { table } = (await boss.getQueue(name))!
      await boss.getDb().executeSql(`ANALYZE (SKIP_LOCKED) pgboss.${table}`)
    },
  }
}

/** Drops other properties, such as the data of a job. */
function claimOf({ id, retryCount }: JobClaim) {
  return { id, retryCount }
}

/**
 * Names of prepared statements by their text. pg-boss has a few statements for each queue, and planning one takes
 * as long as running it.
 */
const names = new Map<string, string>()

/** Makes pg-boss run its statements in our transaction. */
function within(transaction: Transaction) {
  return {
    executeSql(text: string, values: unknown[] = []) {
      let name = names.get(text)
      if (!name) {
        name = `queue-${names.size}`
        names.set(text, name)
      }
      return transaction.query({ name, text, values })
    },
  }
}
