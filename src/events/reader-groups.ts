import type { AccessScope } from '../core/access-scope.ts'
import { mayReceive } from './audience.ts'
import type { EventType } from './event-types.ts'
import type { Encoding, Frame } from './frame.ts'

/** Which events a reader receives, and in which encoding. */
export interface EventFilter {
  readonly types: ReadonlySet<EventType>
  /** The reader's scope: events whose audience it does not include are left out. */
  readonly scope: AccessScope
  readonly encoding: Encoding
}

/** Whether the event passes the filter. An event without a text is for nobody. */
export function passes({ text, type, audience }: Frame, { types, scope }: EventFilter): boolean {
  return text !== '' && types.has(type) && mayReceive(scope, audience)
}

/** Returns the frames that pass the filter as one buffer, which is empty if none does. */
export function joinPassing(frames: readonly Frame[], filter: EventFilter): Buffer {
  const wanted = frames.filter((frame) => passes(frame, filter))
  if (wanted.length === 0) return NOTHING
  if (wanted.length === 1) return wanted[0]!.as(filter.encoding)
  return Buffer.concat(wanted.map((frame) => frame.as(filter.encoding)))
}

const NOTHING = Buffer.alloc(0)

/** Members by filter: equal filters form one group, so that bytes joined once serve all its members. */
export class ReaderGroups<Member> {
  readonly #groups = new Map<string, { filter: EventFilter; members: Set<Member> }>()

  add(filter: EventFilter, member: Member): void {
    const key = keyOf(filter)
    let group = this.#groups.get(key)
    if (!group) {
      group = { filter, members: new Set() }
      this.#groups.set(key, group)
    }
    group.members.add(member)
  }

  delete(filter: EventFilter, member: Member): void {
    const key = keyOf(filter)
    const group = this.#groups.get(key)
    group?.members.delete(member)
    if (group?.members.size === 0) this.#groups.delete(key)
  }

  /** Returns a copy of the groups: members added or deleted later do not change it. */
  snapshot(): { filter: EventFilter; members: Member[] }[] {
    return Array.from(this.#groups.values(), ({ filter, members }) => ({ filter, members: [...members] }))
  }
}

function keyOf({ types, scope, encoding }: EventFilter): string {
  return `${encoding} ${scope.key} ${[...types].sort().join()}`
}
