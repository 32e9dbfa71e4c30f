/** Names of what is stored of tasks and groups (wire protocol, sections 1 and 9). */
export interface ResultKeys {
  /** Also the channel on which it is announced. */
  readonly task: (taskId: string) => string
  readonly group: (groupId: string) => string
  readonly chord: (groupId: string) => ChordKeys
}

export interface ChordKeys {
  /** Celery's `.j`: parts that returned. */
  readonly parts: string
  /** Celery's `.s` */
  readonly size: string
  /** Celery's `.t`: how many were added to the size. */
  readonly added: string
  /** Our own: who sends the body. In the slot of `parts`. */
  readonly sender: string
  /** Our own: where in `parts` a task's part is, if that is a list. In the same slot. */
  readonly places: string
  /** Our own: spans of tasks whose parts returned, where the body is to be linked to them. In the same slot. */
  readonly traces: string
  /** Our own: ids of what was added. In the slot of `added`. */
  readonly addedIds: string
}

/**
 * @param globalKeyprefix - The backend's; an underscore is added unless it ends in one of `: _ - .`.
 * @param options - On a cluster keys of ours share a slot with the one they belong to.
 */
export function resultKeys(
  globalKeyprefix: string,
  { isCluster = false }: { readonly isCluster?: boolean } = {},
): ResultKeys {
  const prefix =
    globalKeyprefix === '' || /[:_\-.]$/.test(globalKeyprefix) ? globalKeyprefix : `${globalKeyprefix}_`
  const hasHashTag = /\{[^}]+\}/.test(prefix)
  const group = (groupId: string): string => `${prefix}celery-taskset-meta-${groupId}`
  const beside = (key: string, suffix: string): string =>
    isCluster && !hasHashTag ? `{${key}}${suffix}` : key + suffix
  return {
    task: (taskId) => `${prefix}celery-task-meta-${taskId}`,
    group,
    chord: (groupId) => {
      const key = group(groupId)
      const [parts, size, added] = [`${key}.j`, `${key}.s`, `${key}.t`]
      return {
        parts,
        size,
        added,
        sender: beside(parts, '.lovage'),
        places: beside(parts, '.lovage.places'),
        traces: beside(parts, '.lovage.traces'),
        addedIds: beside(added, '.lovage'),
      }
    },
  }
}
