/**
 * Something that follows a committed change, such as a line in the log. It cannot undo the change: what it throws,
 * or rejects with, is reported.
 */
export type CommitEffect = () => unknown

/** Runs effects in their order; one that fails is reported and does not keep the others from running. */
export function runEffects(effects: readonly CommitEffect[], report: (error: unknown) => void): void {
  for (const effect of effects) {
    try {
      const result = effect()
      if (result instanceof Promise) result.catch(report)
    } catch (error) {
      report(error)
    }
  }
}
