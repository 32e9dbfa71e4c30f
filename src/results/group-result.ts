import { InvalidArgumentError } from '../errors.js'
import { ResultSet } from './result-set.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { ResultNode } from './joining.js'
import type { ResultBackend } from './result-backend.js'

/** The tasks of a group, or where to find out which these are. */
export type GroupMembers = readonly ResultNode[] | (() => Promise<readonly ResultNode[]>)

/** A group that was sent, and the way to what became of it; Celery's `GroupResult`. */
export class GroupResult<Results extends readonly unknown[] = unknown[]> extends ResultSet<Results> {
  readonly kind = 'group'
  readonly id: string
  readonly parent: ResultNode | undefined
  #members: readonly ResultNode[] | undefined
  readonly #restore: () => Promise<readonly ResultNode[]>

  constructor(id: string, members: GroupMembers, backend: ResultBackend, parent?: ResultNode) {
    super([], backend)
    this.id = id
    this.parent = parent
    this.#members = typeof members === 'function' ? undefined : members
    this.#restore = typeof members === 'function' ? members : () => Promise.resolve(members)
  }

  /** Its tasks and groups. @throws GroupNotFoundError where it was asked for by an id that nobody saved. */
  override async children(): Promise<readonly ResultNode[]> {
    return (this.#members ??= await this.#restore())
  }

  /** Remember its members under its id, for as long as results are kept. `app.groupResult(id)` finds them then. */
  async save(): Promise<void> {
    await this.children()
    await this.backend.saveGroup(this.id, this.asTuple())
  }

  /** Undo {@link save}. The results stay. */
  delete(): Promise<void> {
    return this.backend.deleteGroup(this.id)
  }

  /** Forget the results of all its tasks, and the group. */
  override async forget(): Promise<void> {
    await super.forget()
    await this.delete()
  }

  /** Not for groups: they are sent as they are. @throws InvalidArgumentError */
  override add(): never {
    throw new InvalidArgumentError(`group ${this.id} was sent: no task can be added to it`)
  }

  /**
   * How results refer to it (wire protocol, section 10.2).
   *
   * @throws InvalidArgumentError where its members are not known yet; `children()` restores them.
   */
  asTuple(): ResultTuple {
    const members = this.#members
    if (members === undefined)
      throw new InvalidArgumentError(`group ${this.id} is not restored yet: await its children() first`)
    return [[this.id, this.parent?.asTuple() ?? null], members.map((member) => member.asTuple())]
  }
}
