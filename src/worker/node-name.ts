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

/**
 * A file's name for one node, as Celery's `--pidfile` and `--statedb`: `%n` is the first part of the node's name, `%h`
 * its host, `%d` the domain of that, `%p` the whole name, `%%` a percent sign. `%i` and `%I`, the number of a child, are
 * those of the main process.
 */
export function nodeFile(pattern: string, node: string): string {
  const at = node.indexOf('@')
  const host = node.slice(at + 1)
  const [, ...domain] = host.split('.')
  const values: Readonly<Record<string, string>> = {
    n: node.slice(0, at),
    h: host,
    d: domain.join('.'),
    p: node,
    i: '0',
    I: '',
    '%': '%',
  }
  return pattern.replaceAll(/%([nhdpiI%])/g, (_, letter: string) => values[letter] ?? '')
}
