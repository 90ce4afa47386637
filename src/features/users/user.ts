import type { Role } from '../../core/actor.ts'

/** A user as clients see them; times are ISO 8601 text in UTC with microseconds. */
export interface User {
  id: number
  username: string
  role: Role
  disabled: boolean
  created_at: string
}

/** The fields of a user that authentication reads. */
export interface UserRecord extends User {
  password_hash: string
  token_epoch: number
}
