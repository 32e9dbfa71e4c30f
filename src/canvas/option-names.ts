/**
 * Options of a call by their wire names (wire protocol, section 12.2), and as they are called here. Where two wire names
 * mean the same, the first is written.
 */
export const OPTION_NAMES = {
  task_id: 'taskId',
  queue: 'queue',
  routing_key: 'queue',
  priority: 'priority',
  countdown: 'countdown',
  eta: 'eta',
  expires: 'expires',
  retries: 'retries',
  shadow: 'shadow',
  ignore_result: 'ignoreResult',
  time_limit: 'timeLimit',
  soft_time_limit: 'softTimeLimit',
  headers: 'headers',
  serializer: 'serializer',
  compression: 'compression',
  link: 'link',
  link_error: 'linkError',
  chain: 'chain',
  chord: 'chord',
  root_id: 'rootId',
  parent_id: 'parentId',
  group_id: 'groupId',
  group_index: 'groupIndex',
  reply_to: 'replyTo',
  unique: 'unique',
  stamped_headers: 'stampedHeaders',
  replaced_task_nesting: 'replacedTaskNesting',
} as const

const WIRE_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(OPTION_NAMES)
    .reverse()
    .map(([wireName, name]) => [name, wireName]),
)

/** The name under which Python knows an option; unknown names stay as they are. */
export function wireOptionName(name: string): string {
  return WIRE_NAMES.get(name) ?? name
}
