import type { Owned } from '../../core/access-scope.ts'
import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Transaction } from '../../platform/database/database.ts'
import { keyBetween } from './position-key.ts'
import type { Move } from './task-schemas.ts'

/** Maximum length of a key. A few thousand moves into the same gap reach it. */
const MAX_KEY = 1000

/**
 * Waits for the lock on moves. A transaction that also locks tasks takes this lock first, so that two transactions
 * do not deadlock.
 */
export async function lockPositions(transaction: Transaction): Promise<void> {
  await transaction.query({ text: "SELECT pg_advisory_xact_lock(hashtext('taskwire task positions'))" })
}

/**
 * The position that a task is moved to; undefined when it is there already. Moves take turns until
 * their transaction ends, so that no two find the same gap.
 */
export async function positionFor(
  transaction: Transaction,
  actor: Actor,
  id: number,
  { at, before, after }: Move,
): Promise<string | undefined> {
  await lockPositions(transaction)
  if (at !== undefined) return outerPlace(transaction, at)
  const side = before === undefined ? 'after' : 'before'
  const wrong = (message: string) => validationError([{ path: `body.position.${side}`, message }])
  const target = before ?? after!
  if (target === id) throw wrong('is the task itself')
  const gap = await findGap(transaction, id, target, side)
  if (!gap) throw wrong(`names no task: there is no ${target}`)
  authorize(actor, 'task.read', gap)
  const [low, high] = side === 'before' ? [gap.neighbour, gap.position] : [gap.position, gap.neighbour]
  if (gap.own !== null && (low ?? '') < gap.own && (high === null || gap.own < high)) return undefined
  if (low === null) return outerPlace(transaction, 'first')
  if (high === null) return outerPlace(transaction, 'last')
  const key = keyBetween(low, high)
  if (key.length > MAX_KEY) {
    throw new DomainError('conflict', `There is no more room ${side} task ${target}; move that one first.`)
  }
  return key
}

interface Gap extends Owned {
  position: string
  /** Position of the next task on that side, of any user and also in the trash; null: there is none. */
  neighbour: string | null
  /** Position of the task that is moved; null: it does not exist. */
  own: string | null
}

async function findGap(
  transaction: Transaction,
  id: number,
  target: number,
  side: 'before' | 'after',
): Promise<Gap | undefined> {
  const [comparison, order] = side === 'before' ? ['<', 'DESC'] : ['>', 'ASC']
  const { rows } = await transaction.query<Gap & object>({
    text: `
      SELECT t.position, t.user_id, (SELECT position FROM tasks WHERE id = $2) AS own, (
        SELECT n.position FROM tasks n WHERE n.position ${comparison} t.position AND n.id <> $2
        ORDER BY n.position ${order} LIMIT 1
      ) AS neighbour
      FROM tasks t WHERE t.id = $1 AND t.deleted_at IS NULL`,
    values: [target, id],
  })
  return rows[0]
}

/** A place before or after all others; nobody else gets it. */
async function outerPlace(transaction: Transaction, end: 'first' | 'last'): Promise<string> {
  const { rows } = await transaction.query<{ position: string }>({
    text: `SELECT task_place(nextval('task_places_${end}')::integer) AS position`,
  })
  return rows[0]!.position
}
