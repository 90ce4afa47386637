import type { Database } from '../../../platform/database/database.ts'
import { type EndedRun, endRuns, type StartedRun, startRuns } from './job-store.ts'
import type { TaskQueue, Ticket } from './task-queue.ts'

/** A run, with the ticket by which it was taken. */
export interface TicketedRun<Run> {
  run: Run
  ticket: Ticket
}

export interface RunExchange {
  /** The ended runs whose end was written; the others were cancelled or considered lost. */
  written: EndedRun[]
  started: TicketedRun<StartedRun>[]
  /** Jobs that failed for good, since their last attempt was lost. */
  givenUp: number
  /** Whether more may be waiting than was taken. */
  more: boolean
}

/**
 * One transaction: writes how runs ended and books their next attempts, and begins as many runs as there
 * is `room` for. So a run, its task, its events and its place in the queue never disagree.
 */
export function exchangeRuns(
  db: Database,
  queue: TaskQueue,
  {
    ended,
    room,
    worker,
    onChange,
  }: {
    ended: readonly TicketedRun<EndedRun>[]
    room: number
    worker: string
    /** Called after the commit, if it published events. */
    onChange: () => void
  },
): Promise<RunExchange> {
  return db.transaction(async (transaction) => {
    // Independent statements are sent together, so that a turn takes few round trips.
    const [written, tickets] = await Promise.all([
      endRuns(
        transaction,
        ended.map(({ run }) => run),
      ),
      room > 0 ? queue.take(transaction, room) : [],
      queue.remove(
        transaction,
        ended.map(({ ticket }) => ticket),
      ),
    ])
    const [{ started, givenUp }] = await Promise.all([
      startRuns(transaction, tickets, worker),
      queue.add(transaction, written.flatMap(nextTicket)),
    ])
    const begun = new Map(started.map((run) => [run.ticket, run]))
    const spent = tickets.filter(({ id }) => !begun.has(id))
    await queue.remove(transaction, spent)
    if (written.length + started.length + givenUp > 0) transaction.afterCommit(onChange)
    return {
      written,
      started: tickets.flatMap((ticket) => {
        const run = begun.get(ticket.id)
        return run ? [{ run, ticket }] : []
      }),
      givenUp,
      more: tickets.length === room && spent.length > 0,
    }
  })
}

function nextTicket({ taskId, again }: EndedRun) {
  return again ? [{ id: again.ticket, taskId, delayMs: again.delayMs }] : []
}
