import { type EventType, publicTypes } from './event-types.ts'
import type { Encoding, Frame } from './frame.ts'

/** Which events a reader gets, and in which form. */
export interface Audience {
  readonly types: ReadonlySet<EventType>
  /** Only events of this user's things, and public ones; undefined: all. */
  readonly owner: number | undefined
  readonly encoding: Encoding
}

export function isFor({ text, type, userId }: Frame, { types, owner }: Audience): boolean {
  const isReadable = owner === undefined || owner === userId || publicTypes.has(type)
  return text !== '' && types.has(type) && isReadable
}

/** Those of the frames that are for the audience, as one buffer; empty when there are none. */
export function joinFor(frames: readonly Frame[], audience: Audience): Buffer {
  const wanted = frames.filter((frame) => isFor(frame, audience))
  if (wanted.length === 0) return NOTHING
  if (wanted.length === 1) return wanted[0]!.as(audience.encoding)
  return Buffer.concat(wanted.map((frame) => frame.as(audience.encoding)))
}

const NOTHING = Buffer.alloc(0)

/** Members by audience: equal audiences are one, so that what is joined for one reader serves all of them. */
export class Audiences<Member> {
  readonly #groups = new Map<string, { audience: Audience; members: Set<Member> }>()

  add(audience: Audience, member: Member): void {
    const key = keyOf(audience)
    let group = this.#groups.get(key)
    if (!group) {
      group = { audience, members: new Set() }
      this.#groups.set(key, group)
    }
    group.members.add(member)
  }

  delete(audience: Audience, member: Member): void {
    const key = keyOf(audience)
    const group = this.#groups.get(key)
    group?.members.delete(member)
    if (group?.members.size === 0) this.#groups.delete(key)
  }

  /** The groups as they are now; who comes or goes later does not change what this returned. */
  snapshot(): { audience: Audience; members: Member[] }[] {
    return Array.from(this.#groups.values(), ({ audience, members }) => ({ audience, members: [...members] }))
  }
}

function keyOf({ types, owner, encoding }: Audience): string {
  return `${encoding} ${owner ?? '*'} ${[...types].sort().join()}`
}
