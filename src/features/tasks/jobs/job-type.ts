import type { JSONSchema } from 'json-schema-to-ts'
import type { Action } from '../../../core/authorization.ts'

/** The context that a job receives while it runs. */
export interface JobContext {
  /** Aborted when the job is cancelled, has taken too long, or has to end with its process. */
  signal: AbortSignal
  /** 1 for the first. */
  attempt: number
}

/** A kind of job. Adding one is a file in `types/` and a line in its index. */
export interface JobType<Input = never> {
  name: string
  /** The object schema that validates `input` when a task is created. */
  input: JSONSchema
  /** The permission that the creator needs besides creating a task. */
  permission?: Action
  /** After which an attempt has failed; below an hour. */
  timeoutMs(input: Input): number
  /** Returns the input without its secrets, for clients and events; absent if the type has no secrets. */
  shown?(input: Input): object
  /**
   * One attempt; resolves to the result, JSON. What it throws fails the attempt, and the job with it if it
   * is a PermanentFailure. It may be run again though it has succeeded, if its process ends just then.
   */
  run(input: Input, context: JobContext): Promise<unknown>
}

/** A failure that another attempt would only repeat. */
export class PermanentFailure extends Error {
  override readonly name = 'PermanentFailure'
}
