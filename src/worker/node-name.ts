import { hostname as hostOf } from 'node:os'

/**
 * A node's name, as Celery's `-n`: `%h` is the host's full name, `%n` its first part, `%d` the rest; a name without
 * `@` is put in front of the host's.
 */
export function nodeName(pattern: string, host = hostOf()): string {
  const [first = '', ...rest] = host.split('.')
  const expanded = pattern.replaceAll('%h', host).replaceAll('%n', first).replaceAll('%d', rest.join('.'))
  return expanded.includes('@') ? expanded : `${expanded}@${host}`
}
